//! Both ends in one process, over a real socket.
#![allow(dead_code, missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{collections::HashMap, future::Future, path::Path, sync::Arc, time::Duration};

use link::{Follower, Limits, Metrics, Peers, Server, Status};
use snapshot::{EndpointSet, Report, Snapshot, SnapshotId};
use tokio::{
    sync::{mpsc, watch},
    task::JoinHandle,
};

/// Far more than anything here takes, a frame of 64 MiB on a busy machine too: only a test that fails gets near it.
pub const LIMIT: Duration = Duration::from_secs(120);

pub async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(LIMIT, future).await.unwrap_or_else(|_| panic!("waited in vain: {what}"))
}

pub fn metrics() -> Metrics {
    Metrics::new(HashMap::new()).unwrap()
}

/// The value of a metric, over all its series whose labels hold `label`.
pub fn value(metrics: &Metrics, name: &str, label: &str) -> f64 {
    let text = prometheus::TextEncoder::new().encode_to_string(&metrics.registry().gather()).unwrap();
    let series = text.lines().filter(|line| line.starts_with(name) && line.contains(label));
    series.filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok()).sum()
}

pub fn snapshot(instance: u64, sequence: u64, services: &[&str]) -> Arc<Snapshot> {
    let endpoints = services.iter().map(|&name| (name.into(), Arc::new(EndpointSet::default()))).collect();
    let tables = services.iter().map(|&name| (name.into(), Arc::default())).collect();
    Arc::new(Snapshot { id: SnapshotId { instance, sequence }, endpoints, tables, ..Snapshot::default() })
}

pub fn applied(id: SnapshotId) -> Report {
    Report::Applied { id, rejected: Vec::new() }
}

/// A controller's end.
pub struct Upper {
    pub snapshots: watch::Sender<Option<Arc<Snapshot>>>,
    pub reports: mpsc::Receiver<Report>,
    pub connected: watch::Receiver<bool>,
    pub metrics: Metrics,
    task: JoinHandle<()>,
}

impl Upper {
    pub fn start(path: &Path, limits: Limits) -> Self {
        let metrics = metrics();
        let server = Server::bind(path, Peers::new([]), limits, metrics.clone()).unwrap();
        let (snapshots, receiver) = watch::channel(None);
        let (sender, reports) = mpsc::channel(16);
        let connected = server.connected();
        let task = tokio::spawn(server.run(receiver, sender));
        Self { snapshots, reports, connected, metrics, task }
    }

    pub fn publish(&self, snapshot: &Arc<Snapshot>) {
        self.snapshots.send_replace(Some(Arc::clone(snapshot)));
    }

    pub async fn report(&mut self) -> Report {
        within("a report", self.reports.recv()).await.unwrap()
    }
}

impl Drop for Upper {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A data plane's end, without a data plane: the test is that.
pub struct Lower {
    pub snapshots: watch::Receiver<Option<Arc<Snapshot>>>,
    pub reports: mpsc::Sender<Report>,
    pub status: Status,
    pub metrics: Metrics,
    task: JoinHandle<()>,
}

impl Lower {
    pub fn start(path: &Path, held: Option<Arc<Snapshot>>, limits: Limits) -> Self {
        let metrics = metrics();
        let (sender, snapshots) = watch::channel(None);
        let (reports, receiver) = mpsc::channel(16);
        let follower = Follower::new(path.to_owned(), held, (sender, receiver), limits, metrics.clone());
        let status = follower.status();
        let task = tokio::spawn(follower.run());
        Self { snapshots, reports, status, metrics, task }
    }

    /// The next snapshot that comes.
    pub async fn next(&mut self) -> Arc<Snapshot> {
        within("a snapshot", self.snapshots.changed()).await.unwrap();
        self.snapshots.borrow_and_update().clone().unwrap()
    }

    /// The next snapshot that comes, which is taken.
    pub async fn take(&mut self) -> Arc<Snapshot> {
        let next = self.next().await;
        self.reports.send(applied(next.id)).await.unwrap();
        next
    }
}

impl Drop for Lower {
    fn drop(&mut self) {
        self.task.abort();
    }
}
