//! An upstream that is being served.

use std::sync::Arc;

use arc_swap::ArcSwap;
use snapshot::{EndpointSet, Upstream};

use super::resolve::ResolvedName;
use crate::balance::RoundRobin;

/// The endpoints of one Service port, as they are now. A change of endpoints alone swaps here and nowhere else.
#[derive(Debug, Default)]
pub struct LiveEndpoints(ArcSwap<EndpointSet>);

impl LiveEndpoints {
    /// Holds a first set.
    pub fn new(set: Arc<EndpointSet>) -> Self {
        Self(ArcSwap::new(set))
    }

    /// Whether it holds this very set.
    pub fn holds(&self, set: &Arc<EndpointSet>) -> bool {
        Arc::ptr_eq(&self.0.load(), set)
    }

    /// From now on these.
    pub fn replace(&self, set: Arc<EndpointSet>) {
        self.0.store(set);
    }

    /// The present set.
    pub fn load(&self) -> Arc<EndpointSet> {
        self.0.load_full()
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
    /// Its name in the access log: `namespace-service-port`, as in ingress-nginx.
    pub log_name: Arc<str>,
}

impl LiveUpstream {
    /// An upstream; `seed` is where its round robin begins.
    pub fn new(source: Arc<Upstream>, place: Place, seed: usize) -> Self {
        let log_name = format!("{}-{}-{}", source.namespace, source.service, source.port).into();
        Self { source, place, balance: RoundRobin::new(seed), log_name }
    }

    /// The endpoints that take new requests now.
    pub fn endpoints(&self) -> Arc<EndpointSet> {
        match &self.place {
            Place::Service(endpoints) => endpoints.load(),
            Place::Name(name) => name.endpoints(),
            Place::Nowhere => Arc::default(),
        }
    }
}
