//! Backends that are DNS names (Service type `ExternalName`): looked up on the side runtime, and again when the answer
//! expires; the last good answer serves while look-ups fail.
//!
//! An `ExternalName` stands for a CNAME record, so a name is taken as absolute: the pod's search domains are not tried.

mod address;
mod follow;
mod source;

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use arc_swap::ArcSwap;
use prometheus::{IntCounterVec, Opts, Registry};
use snapshot::{Endpoint, EndpointSet};
use thiserror::Error;
use tokio::{
    runtime::Handle,
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    task::AbortHandle,
    time::timeout,
};

use follow::Follower;
use source::Source;

/// Names that are followed at the same time; each costs a task and a query every now and then.
const WATCHES: usize = 4096;

/// A name that cannot be followed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ResolveError {
    /// There are too many already.
    #[error("more than {WATCHES} external names")]
    TooMany,
    /// It is an address that must not be connected to.
    #[error("{0} is a loopback, link-local, multicast or unspecified address, which an external name may not be")]
    Refused(IpAddr),
    /// It cannot be looked up.
    #[error("the name cannot be looked up: {0}")]
    NotFound(String),
}

/// Looks names up. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Resolver {
    runtime: Handle,
    source: Arc<Source>,
    watches: Arc<Semaphore>,
    results: IntCounterVec,
}

impl Resolver {
    /// A resolver as `/etc/resolv.conf` and `/etc/hosts` have it, which does its work on `runtime` and counts it in
    /// `registry`. The files are read at the first look-up.
    ///
    /// # Errors
    /// The registry has a metric of this name already.
    pub fn new(runtime: Handle, registry: &Registry) -> Result<Self, prometheus::Error> {
        Self::with_source(runtime, registry, Source::system())
    }

    fn with_source(runtime: Handle, registry: &Registry, source: Source) -> Result<Self, prometheus::Error> {
        let opts = Opts::new("tidegate_resolve_total", "Look-ups of external names: ok, failed, refused");
        let results = IntCounterVec::new(opts, &["result"])?;
        registry.register(Box::new(results.clone()))?;
        Ok(Self { runtime, source: Arc::new(source), watches: Arc::new(Semaphore::new(WATCHES)), results })
    }

    /// Where a name is now; those addresses that are refused are left out, as [`Self::watch`] does.
    ///
    /// # Errors
    /// There is none, or none that is not refused.
    pub async fn look_up(&self, host: &str, allow_local: bool) -> Result<Vec<IpAddr>, ResolveError> {
        let addresses = match host.parse() {
            Ok(address) => vec![address],
            Err(_) => {
                let found = self.source.lookup(host).await;
                found.map_err(|error| ResolveError::NotFound(error.to_string()))?.addresses
            }
        };
        let is_refused = |address: &IpAddr| !allow_local && address::is_local(*address);
        let (refused, allowed): (Vec<IpAddr>, Vec<IpAddr>) = addresses.into_iter().partition(is_refused);
        match refused.first() {
            Some(refused) if allowed.is_empty() => Err(ResolveError::Refused(*refused)),
            _ => Ok(allowed),
        }
    }

    /// Follows a name until what is returned is dropped. An IP address is a name too, its own answer.
    ///
    /// Loopback, link-local, multicast and unspecified addresses are refused unless `allow_local`: on each address
    /// that a name resolves to, each time, for the name alone says nothing.
    ///
    /// # Errors
    /// Too many names are followed, or the name is an address that is refused.
    pub fn watch(&self, host: &str, port: u16, allow_local: bool) -> Result<ResolvedName, ResolveError> {
        if let Ok(address) = host.parse() {
            return fixed(SocketAddr::new(address, port), allow_local);
        }
        let permit = Arc::clone(&self.watches).try_acquire_owned().map_err(|_| ResolveError::TooMany)?;
        let endpoints = Arc::new(ArcSwap::default());
        let (asked, first) = watch::channel(false);
        let follower = Follower {
            source: Arc::clone(&self.source),
            host: host.into(),
            port,
            allow_local,
            endpoints: Arc::clone(&endpoints),
            asked,
            results: self.results.clone(),
            failures: 0,
        };
        let task = self.runtime.spawn(follower.run()).abort_handle();
        Ok(ResolvedName { endpoints, following: Some(Following { task, first, _permit: permit }) })
    }
}

fn fixed(address: SocketAddr, allow_local: bool) -> Result<ResolvedName, ResolveError> {
    if !allow_local && address::is_local(address.ip()) {
        return Err(ResolveError::Refused(address.ip()));
    }
    let endpoints = EndpointSet { endpoints: vec![Endpoint { address }] };
    Ok(ResolvedName { endpoints: Arc::new(ArcSwap::from_pointee(endpoints)), following: None })
}

/// A name that is followed.
#[derive(Debug)]
pub struct ResolvedName {
    endpoints: Arc<ArcSwap<EndpointSet>>,
    /// None for an address.
    following: Option<Following>,
}

#[derive(Debug)]
struct Following {
    task: AbortHandle,
    /// Whether the first look-up has ended.
    first: watch::Receiver<bool>,
    _permit: OwnedSemaphorePermit,
}

impl ResolvedName {
    /// Where it is now; empty while it has never been found, and where every address was refused.
    pub fn endpoints(&self) -> Arc<EndpointSet> {
        self.endpoints.load_full()
    }

    /// Waits for the first look-up to end, whatever it gives, but no longer than `limit`: so that a snapshot can be
    /// reported as applied once its names have had their chance.
    pub async fn looked_up(&self, limit: Duration) {
        if let Some(following) = &self.following {
            let mut first = following.first.clone();
            // Too late or never: either way the caller goes on.
            timeout(limit, first.wait_for(|ended| *ended)).await.ok();
        }
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[cfg(test)]
mod tests;
