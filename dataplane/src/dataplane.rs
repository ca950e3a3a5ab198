//! The data plane as the binary sees it.

use std::{
    hash::{BuildHasher, RandomState},
    io,
    net::SocketAddr,
    num::NonZeroUsize,
    sync::{Arc, PoisonError},
    time::Duration,
};

use arc_swap::ArcSwap;
use snapshot::{ListenerId, Report, Snapshot};
use thiserror::Error;
use tokio::{
    runtime::Handle,
    sync::{mpsc, watch},
    task::JoinHandle,
};

use crate::{
    control::{Control, Shared},
    exchange::after,
    listen::{WorkerHandle, WorkerSpec, raise_open_files, start_workers},
    observe::{AccessLog, AccessLogTarget, Metrics, MetricsConfig, Reopener},
    ocsp::Stapler,
    readiness::{Readiness, State},
    runtime::{Builder, Runtime},
    tls::{SelfSignedError, TlsClients, TlsFactory},
    upstream::resolve::Resolver,
};

/// What the data plane must know before the first snapshot.
#[derive(Debug, Clone)]
pub struct Config {
    /// How many workers to start; see [`crate::worker_count`].
    pub workers: NonZeroUsize,
    /// What stands in the labels of metrics. The number of workers is taken from `workers`.
    pub metrics: MetricsConfig,
    /// Where the access log goes.
    pub access_log: AccessLogTarget,
    /// How long connections are still accepted after a stop was asked for, while `/readyz` says no
    /// (`--shutdown-grace-period`): load balancers and kube-proxy need time to look elsewhere.
    pub shutdown_grace: Duration,
}

/// The data plane cannot start.
#[derive(Debug, Error)]
pub enum StartError {
    /// The access log.
    #[error("cannot open the access log: {0}")]
    AccessLog(#[source] io::Error),
    /// A worker.
    #[error("cannot start a worker: {0}")]
    Worker(#[source] io::Error),
    /// The metrics.
    #[error("cannot register metrics: {0}")]
    Metrics(#[from] prometheus::Error),
    /// The certificate of last resort.
    #[error(transparent)]
    SelfSigned(#[from] SelfSignedError),
}

/// How a stop went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drained {
    /// How many connections had not ended by the deadline and were cut.
    pub cut: usize,
}

/// A running data plane.
pub struct Dataplane {
    shared: Shared,
    control: JoinHandle<()>,
    log: AccessLog,
    grace: Duration,
}

impl Dataplane {
    /// Starts the workers and follows `snapshots`. Each one that is taken up is reported; those that are replaced
    /// before that are skipped. To be called on a tokio runtime, which serves everything but traffic.
    ///
    /// # Errors
    /// Something that every snapshot needs cannot be had.
    pub fn start(
        config: Config,
        snapshots: watch::Receiver<Option<Arc<Snapshot>>>,
        reports: mpsc::Sender<Report>,
    ) -> Result<Self, StartError> {
        raise_open_files();
        let Config { workers, metrics, access_log, shutdown_grace: grace } = config;
        let metrics = Metrics::new(MetricsConfig { workers, ..metrics })?;
        let tls = TlsFactory::new()?;
        let lost = Arc::clone(metrics.access_log_lost());
        let (log, logs) = AccessLog::start(&access_log, workers.get(), lost).map_err(StartError::AccessLog)?;
        let live = Arc::new(ArcSwap::from_pointee(Runtime::default()));
        let spec = |(index, log)| WorkerSpec { index, live: Arc::clone(&live), log, metrics: metrics.clone() };
        let specs = logs.into_iter().enumerate().map(spec).collect();
        let workers = Arc::new(start_workers(specs).map_err(StartError::Worker)?);
        let seed = usize::try_from(RandomState::new().hash_one(0u8) >> 1).unwrap_or(0);
        let resolver = Resolver::new(Handle::current(), metrics.registry())?;
        let stapler = Stapler::new(Handle::current(), resolver.clone(), metrics.registry())?;
        let clients = TlsClients::new(metrics.registry())?;
        let builder = Builder::new(tls, clients, resolver, metrics.clone(), seed);
        let (bound, served, readiness) = (Arc::default(), watch::Sender::new(None), Readiness::new());
        let shared = Shared { live, served, bound, workers, metrics, readiness };
        let control = tokio::spawn(Control::new(shared.clone(), builder, stapler, reports).run(snapshots));
        Ok(Self { shared, control, log, grace })
    }

    /// Whether traffic may come.
    pub fn readiness(&self) -> Readiness {
        self.shared.readiness.clone()
    }

    /// Opens the file of the access log anew when it is told to.
    pub fn access_log(&self) -> Reopener {
        self.log.reopener()
    }

    /// Its metrics.
    pub fn registry(&self) -> prometheus::Registry {
        self.shared.metrics.registry().clone()
    }

    /// The snapshot that is served, now and from now on.
    pub fn served(&self) -> watch::Receiver<Option<Arc<Snapshot>>> {
        self.shared.served.subscribe()
    }

    /// The addresses that a listener really has, in the order of those it asked for: a port 0 has become another.
    pub fn bound(&self, id: &ListenerId) -> Vec<SocketAddr> {
        let bound = self.shared.bound.lock().unwrap_or_else(PoisonError::into_inner);
        bound.iter().filter(|((listener, _), _)| listener == id).map(|(_, address)| *address).collect()
    }

    /// How many client connections each worker has.
    pub fn connections(&self) -> Vec<usize> {
        self.shared.workers.iter().map(WorkerHandle::connections).collect()
    }

    /// Stops without losing a request: says that it is not ready, goes on accepting for the grace time, with answers
    /// that end their connections, takes what waits to be accepted, lets everything in flight end, and cuts what has
    /// not ended after the snapshot's `drain_timeout`.
    pub async fn shut_down(self) -> Drained {
        self.shut_down_within(Duration::MAX).await
    }

    /// The same, but what has not ended when nothing was accepted for as long as `limit` is cut, if that is earlier.
    pub async fn shut_down_within(self, limit: Duration) -> Drained {
        self.shared.readiness.set(State::Draining);
        self.shared.workers.iter().for_each(WorkerHandle::leave);
        tokio::time::sleep(self.grace).await;
        self.control.abort();
        let drain = self.shared.served.borrow().as_ref().map_or(Duration::ZERO, |snapshot| snapshot.drain_timeout);
        let until = after(drain.min(limit));
        let leaving: Vec<_> = self.shared.workers.iter().map(|worker| worker.drain(until)).collect();
        let mut cut = 0;
        for left in leaving {
            cut += left.await.map_or(0, |left| left.cut);
        }
        let log = self.log;
        if !tokio::task::spawn_blocking(move || log.stop()).await.unwrap_or(false) {
            tracing::warn!("the end of the access log may be lost");
        }
        Drained { cut }
    }
}
