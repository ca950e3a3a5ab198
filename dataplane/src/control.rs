//! Follows the snapshots: builds what they say, binds what they name, swaps it in, and reports.

mod meanwhile;
mod said;

use std::{
    collections::{BTreeMap, BTreeSet},
    hash::{BuildHasher, RandomState},
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use arc_swap::ArcSwap;
use snapshot::{Listener, ListenerId, Origin, Rejection, Report, Serves, Snapshot};
use tokio::sync::{mpsc, watch};

use crate::{
    listen::{BindError, Bound, Kind, WorkerHandle, bind},
    observe::{CertificateSeries, Metrics},
    ocsp::Stapler,
    readiness::{Readiness, State},
    runtime::{Applied, Builder, Built, Runtime},
    upstream::Place,
};
use meanwhile::{Snapshots, meanwhile};
use said::Said;

/// How often replaced runtimes are looked at: they are freed here, not on a worker.
const RETIRE: Duration = Duration::from_secs(1);

/// How long a change waits for the first look-up of names that are new in it.
const LOOK_UP: Duration = Duration::from_secs(1);

/// What is bound: the address asked for, and the one that it became.
pub(crate) type BoundMap = BTreeMap<(ListenerId, SocketAddr), SocketAddr>;

/// A listener, the address it asked for, and the sockets it got.
type Fresh = (ListenerId, SocketAddr, Bound);

/// What others may look at.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) live: Arc<ArcSwap<Runtime>>,
    pub(crate) served: watch::Sender<Option<Arc<Snapshot>>>,
    pub(crate) bound: Arc<Mutex<BoundMap>>,
    pub(crate) workers: Arc<Vec<WorkerHandle>>,
    pub(crate) metrics: Metrics,
    pub(crate) readiness: Readiness,
}

/// The one task that changes what is served.
pub(crate) struct Control {
    shared: Shared,
    builder: Arc<Mutex<Builder>>,
    stapler: Stapler,
    reports: mpsc::Sender<Report>,
    retired: Vec<Arc<Runtime>>,
    said: Said,
    hash_key: RandomState,
}

impl Control {
    pub(crate) fn new(shared: Shared, builder: Builder, stapler: Stapler, reports: mpsc::Sender<Report>) -> Self {
        Self {
            shared,
            builder: Arc::new(Mutex::new(builder)),
            stapler,
            reports,
            retired: Vec::new(),
            said: Said::default(),
            hash_key: RandomState::new(),
        }
    }

    /// Until the sender of snapshots is gone; what was applied last is served on.
    pub(crate) async fn run(mut self, mut snapshots: Snapshots) {
        let mut retire = tokio::time::interval(RETIRE);
        loop {
            let next = snapshots.borrow_and_update().clone();
            if let Some(next) = next {
                let report = self.take(next, &snapshots).await;
                // Whoever does not listen does not want to know.
                self.reports.send(report).await.ok();
            }
            loop {
                tokio::select! {
                    changed = snapshots.changed() => match changed {
                        Ok(()) => break,
                        Err(_) => return std::future::pending().await,
                    },
                    _ = retire.tick() => self.retired.retain(|runtime| Arc::strong_count(runtime) > 1),
                }
            }
        }
    }

    async fn take(&mut self, next: Arc<Snapshot>, snapshots: &Snapshots) -> Report {
        let id = next.id;
        let report = match self.apply(next, snapshots).await {
            Ok(rejected) => Report::Applied { id, rejected },
            Err(reason) => Report::Rejected { id, reason },
        };
        match &report {
            Report::Applied { rejected, .. } => {
                for Rejection { origin, field, reason } in self.said.rejected(rejected) {
                    tracing::warn!(%origin, field, reason, "part of the configuration cannot be used");
                }
                self.shared.readiness.set(State::Serving);
                let hash = self.hash_key.hash_one((id.instance, id.sequence));
                self.shared.metrics.snapshot_applied(hash);
            }
            Report::Rejected { reason, .. } => {
                tracing::error!(reason, "the configuration cannot be used");
                if self.shared.served.borrow().is_none() {
                    self.shared.readiness.set(State::Refused(reason.clone()));
                }
                self.shared.metrics.snapshot_rejected();
            }
        }
        report
    }

    /// Builds, binds, swaps. Nothing changes before everything is built.
    async fn apply(&mut self, mut next: Arc<Snapshot>, snapshots: &Snapshots) -> Result<Vec<Rejection>, String> {
        let held = self.shared.served.borrow().clone();
        let Applied { built, mut rejected } = self.build(held.clone(), Arc::clone(&next)).await?;
        if let Some(built) = &built {
            // Endpoints that change meanwhile do not wait for it. Over the socket of split planes none come: there the next
            // snapshot is sent after the report on this one.
            let take = |before: &Snapshot, next: &Snapshot| self.take_endpoints(&built.runtime, before, next);
            next = meanwhile(look_up_names(&built.runtime), next, snapshots.clone(), take).await;
        }
        // Each time, also where only endpoints changed: a port that was taken may be free by now.
        let (fresh, errors) = self.bind(&next);
        // Without http and https there is no point in going on; a service that asked for a port harms itself alone.
        match errors.iter().find(|(listener, ..)| listener.serves.origin().is_none()) {
            Some((.., error)) if held.is_none() => return Err(error.to_string()),
            _ => rejected.extend(errors.iter().map(|(listener, id, error)| reject(listener, id, error))),
        }
        if let Some(Built { runtime, to_staple }) = built {
            self.retired.push(self.shared.live.swap(Arc::new(runtime)));
            self.shared.metrics.set_certificates(certificates(&next));
            self.stapler.follow(to_staple);
        }
        self.listen(fresh);
        self.unlisten(&next);
        self.shared.served.send_replace(Some(next));
        Ok(rejected)
    }

    async fn build(&self, held: Option<Arc<Snapshot>>, next: Arc<Snapshot>) -> Result<Applied, String> {
        let (builder, old) = (Arc::clone(&self.builder), self.shared.live.load_full());
        // Not worth another thread, and by far the most there is to do.
        let endpoints = lock(&builder).apply_endpoints(&old, held.as_deref(), &next);
        if let Some(applied) = endpoints {
            return Ok(applied);
        }
        let build = move || lock(&builder).apply(&old, held.as_deref(), &next);
        tokio::task::spawn_blocking(build).await.map_err(|error| error.to_string())
    }

    /// Puts endpoints in place, if nothing else differs. Services that are served already have theirs at once.
    fn take_endpoints(&self, runtime: &Runtime, before: &Snapshot, next: &Snapshot) -> bool {
        lock(&self.builder).apply_endpoints(runtime, Some(before), next).is_some()
    }

    /// Binds what is new. IPv6 addresses are skipped where the machine has none.
    fn bind<'a>(&mut self, next: &'a Snapshot) -> (Vec<Fresh>, Vec<(&'a Listener, &'a ListenerId, BindError)>) {
        let held: BTreeSet<_> = self.bound().keys().cloned().collect();
        let (mut fresh, mut errors, mut skipped) = (Vec::new(), Vec::new(), BTreeSet::new());
        for (id, listener) in &next.listeners {
            let kind = kind(&listener.serves);
            for &address in listener.binds.iter().filter(|&&address| !held.contains(&(id.clone(), address))) {
                match bind(address, kind, self.shared.workers.len()) {
                    Ok(bound) => fresh.push((id.clone(), address, bound)),
                    Err(error) if error.is_unsupported() => drop(skipped.insert(address)),
                    Err(error) => errors.push((&**listener, id, error)),
                }
            }
        }
        for address in self.said.skipped(skipped) {
            tracing::warn!(%address, "this machine has no IPv6: skipped");
        }
        (fresh, errors)
    }

    fn listen(&self, fresh: Vec<Fresh>) {
        for (id, asked, Bound { address, sockets }) in fresh {
            tracing::info!(listener = %id, %address, "listening");
            self.bound().insert((id.clone(), asked), address);
            for (worker, socket) in self.shared.workers.iter().zip(sockets) {
                worker.listen((id.clone(), asked), socket);
            }
        }
    }

    fn unlisten(&self, next: &Snapshot) {
        let named = |(id, address): &(ListenerId, SocketAddr)| {
            next.listeners.get(id).is_some_and(|listener| listener.binds.contains(address))
        };
        let gone: Vec<_> = self.bound().keys().filter(|key| !named(key)).cloned().collect();
        for key in gone {
            self.bound().remove(&key);
            self.shared.workers.iter().for_each(|worker| worker.unlisten(key.clone()));
        }
    }

    fn bound(&self) -> MutexGuard<'_, BoundMap> {
        lock(&self.shared.bound)
    }
}

/// Locks, whatever happened to others who did.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Gives new external names their chance before they get requests. Those that were looked up before cost nothing.
async fn look_up_names(runtime: &Runtime) {
    let until = Instant::now() + LOOK_UP;
    for place in runtime.places() {
        if let Place::Name(name) = place {
            name.looked_up(until.saturating_duration_since(Instant::now())).await;
        }
    }
}

fn kind(serves: &Serves) -> Kind {
    match serves {
        Serves::Http { .. } | Serves::Tls { .. } | Serves::Tcp(_) => Kind::Tcp,
        Serves::Udp(_) => Kind::Udp,
    }
}

/// Of a service that asked for a port the key that names it is the field.
fn reject(listener: &Listener, id: &ListenerId, error: &BindError) -> Rejection {
    match listener.serves.origin() {
        None => Rejection::new(Arc::new(Origin::new("Listener", "", id.as_str())), error.to_string()),
        Some(origin) => {
            let field = Some(format!("data[{}]", error.address.port()));
            Rejection { origin: Arc::clone(origin), field, reason: format!("{error}; the port is not open there") }
        }
    }
}

/// Each certificate with each host that it is served for.
fn certificates(snapshot: &Snapshot) -> Vec<CertificateSeries> {
    let mut series = Vec::new();
    for listener in snapshot.listeners.values() {
        let Serves::Tls { sni, default_cert, .. } = &listener.serves else { continue };
        let named = sni.iter().map(|(host, id)| (Arc::from(host.to_string()), id));
        let default = default_cert.iter().map(|id| (Arc::from("_"), id));
        series.extend(
            named
                .chain(default)
                .filter_map(|(host, id)| Some(CertificateSeries { host, cert: Arc::clone(snapshot.certs.get(id)?) })),
        );
    }
    series
}
