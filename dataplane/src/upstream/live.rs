//! An upstream that is being served.

use std::{future::pending, net::SocketAddr, pin::Pin, sync::Arc};

use arc_swap::ArcSwap;
use snapshot::{EndpointSet, TlsWhen, Upstream};
use tokio::sync::Notify;

use super::{connect::Destination, resolve::ResolvedName};
use crate::{balance::RoundRobin, exchange::Peer, tls::TlsClient};

/// The endpoints of one Service port, as they are now. A change of endpoints alone swaps here and nowhere else.
#[derive(Debug, Default)]
pub struct LiveEndpoints {
    set: ArcSwap<EndpointSet>,
    changed: Notify,
}

impl LiveEndpoints {
    /// Holds a first set.
    pub fn new(set: Arc<EndpointSet>) -> Self {
        Self { set: ArcSwap::new(set), changed: Notify::new() }
    }

    /// Whether it holds this very set.
    pub fn holds(&self, set: &Arc<EndpointSet>) -> bool {
        Arc::ptr_eq(&self.set.load(), set)
    }

    /// From now on these.
    pub fn replace(&self, set: Arc<EndpointSet>) {
        self.set.store(set);
        self.changed.notify_waiters();
    }

    /// The present set.
    pub fn load(&self) -> Arc<EndpointSet> {
        self.set.load_full()
    }

    async fn left(&self, address: SocketAddr) {
        loop {
            let changed = self.changed.notified();
            if !self.set.load().endpoints.iter().any(|endpoint| endpoint.address == address) {
                return;
            }
            changed.await;
        }
    }
}

/// Where an upstream's endpoints come from.
#[derive(Debug, Clone)]
pub enum Place {
    /// The controller.
    Service(Arc<LiveEndpoints>),
    /// DNS.
    Name(Arc<ResolvedName>),
    /// Nowhere: the name must not or cannot be followed.
    Nowhere,
}

impl Place {
    /// The endpoints that take what is new now.
    pub fn endpoints(&self) -> Arc<EndpointSet> {
        match self {
            Self::Service(endpoints) => endpoints.load(),
            Self::Name(name) => name.endpoints(),
            Self::Nowhere => Arc::default(),
        }
    }

    /// Waits until the controller says that there is no endpoint at `address`. What DNS says is not waited for: it goes
    /// on naming endpoints that have left.
    pub async fn left(&self, address: SocketAddr) {
        match self {
            Self::Service(endpoints) => endpoints.left(address).await,
            Self::Name(_) | Self::Nowhere => pending().await,
        }
    }

    /// What comes of connecting to `address` as long as the endpoint is here; none: it has left. Where a Pod was nobody
    /// says no, so that only a time limit would end it.
    pub async fn while_here<T>(&self, address: SocketAddr, connecting: Pin<Box<impl Future<Output = T>>>) -> Option<T> {
        tokio::select! {
            biased;
            connected = connecting => Some(connected),
            () = Box::pin(self.left(address)) => None,
        }
    }

    /// Whether both are the very same.
    pub fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Service(a), Self::Service(b)) => Arc::ptr_eq(a, b),
            (Self::Name(a), Self::Name(b)) => Arc::ptr_eq(a, b),
            (Self::Nowhere, Self::Nowhere) => true,
            _ => false,
        }
    }
}

/// One way to use one port of one Service.
#[derive(Debug)]
pub struct LiveUpstream {
    /// What it was built from.
    pub source: Arc<Upstream>,
    /// Where its endpoints come from.
    pub place: Place,
    /// Which endpoint is next.
    pub balance: RoundRobin,
    /// How TLS is spoken; none: it is not.
    pub tls: Option<Arc<TlsClient>>,
    /// Its name in the access log: `namespace-service-port`, as in ingress-nginx.
    pub log_name: Arc<str>,
}

impl LiveUpstream {
    /// An upstream; `seed` is where its round robin begins.
    pub fn new(source: Arc<Upstream>, place: Place, tls: Option<Arc<TlsClient>>, seed: usize) -> Self {
        let log_name = format!("{}-{}-{}", source.namespace, source.service, source.port).into();
        Self { source, place, balance: RoundRobin::new(seed), tls, log_name }
    }

    /// Where a connection to one of its endpoints leads, for a client that reached us over TLS or in the clear.
    pub fn destination(&self, address: SocketAddr, client_over_tls: bool) -> Destination<'_> {
        let is_spoken = self.source.tls.as_ref().is_some_and(|tls| match tls.when {
            TlsWhen::Always => true,
            TlsWhen::ClientDoes => client_over_tls,
        });
        let tls = self.tls.as_deref().filter(|_| is_spoken);
        let peer = Peer { address, tls: tls.map(|client| client.id) };
        Destination { peer, tls, keep_alive: self.source.keep_alive }
    }

    /// The endpoints that take new requests now.
    pub fn endpoints(&self) -> Arc<EndpointSet> {
        self.place.endpoints()
    }
}
