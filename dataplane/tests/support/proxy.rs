//! The data plane under test.

use std::{net::SocketAddr, num::NonZeroUsize, path::PathBuf, sync::Arc, time::Duration};

use dataplane::{
    Config, Dataplane,
    observe::{AccessLogTarget, MetricsConfig},
};
use snapshot::{Report, Snapshot};
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
};

use super::{
    Client, World,
    channel::{self, Channel},
    within,
};

pub struct Proxy {
    pub dataplane: Dataplane,
    pub log: PathBuf,
    snapshots: watch::Sender<Option<Arc<Snapshot>>>,
    reports: mpsc::Receiver<Report>,
    sequence: u64,
    _channel: JoinSet<()>,
    _folder: tempfile::TempDir,
}

impl Proxy {
    /// Two workers that serve `world`.
    pub async fn start(world: &World) -> Self {
        Self::with_workers(2, world).await
    }

    /// Any number of workers that serve `world`.
    pub async fn with_workers(workers: usize, world: &World) -> Self {
        let mut proxy = Self::made(workers, Duration::ZERO);
        let report = proxy.apply(world).await;
        assert!(matches!(&report, Report::Applied { rejected, .. } if rejected.is_empty()), "{report:?}");
        proxy
    }

    /// Without a snapshot.
    pub fn idle(shutdown_grace: Duration) -> Self {
        Self::made(2, shutdown_grace)
    }

    fn made(workers: usize, shutdown_grace: Duration) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("access.log");
        let config = Config {
            workers: NonZeroUsize::new(workers).unwrap(),
            metrics: MetricsConfig::default(),
            access_log: AccessLogTarget::File(log.clone()),
            shutdown_grace,
        };
        let (snapshots, receiver) = watch::channel(None);
        let (sender, reports) = mpsc::channel(16);
        let Channel { snapshots: receiver, reports: sender, tasks } = channel::join(receiver, sender, folder.path());
        let dataplane = Dataplane::start(config, receiver, sender).unwrap();
        Self { dataplane, log, snapshots, reports, sequence: 0, _channel: tasks, _folder: folder }
    }

    /// Serves something else, and waits until it does.
    pub async fn apply(&mut self, world: &World) -> Report {
        self.sequence += 1;
        let mut snapshot = world.snapshot.clone();
        snapshot.id.sequence = self.sequence;
        let previous = self.snapshots.borrow().clone();
        let snapshot = if let Some(previous) = previous { snapshot.share(&previous) } else { snapshot };
        self.snapshots.send_replace(Some(Arc::new(snapshot)));
        within("a report", self.reports.recv()).await.expect("the data plane ended")
    }

    pub fn http(&self) -> SocketAddr {
        self.dataplane.bound(&"http".into())[0]
    }

    /// The address of a listener.
    pub fn address(&self, id: &str) -> SocketAddr {
        self.dataplane.bound(&id.into())[0]
    }

    pub fn https(&self) -> SocketAddr {
        self.dataplane.bound(&"https".into())[0]
    }

    pub async fn client(&self) -> Client {
        Client::connect(self.http()).await
    }

    /// Stops it, and returns its access log.
    pub async fn stop(self) -> String {
        within("the stop", self.dataplane.shut_down()).await;
        std::fs::read_to_string(&self.log).unwrap()
    }

    /// The value of a metric, over all its series whose labels hold `label`.
    pub fn metric(&self, name: &str, label: &str) -> f64 {
        let metrics = self.metrics();
        let series = metrics.lines().filter(|line| line.starts_with(name) && line.contains(label));
        series.filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok()).sum()
    }

    /// The metrics as Prometheus reads them.
    pub fn metrics(&self) -> String {
        prometheus::TextEncoder::new().encode_to_string(&self.dataplane.registry().gather()).unwrap()
    }
}
