//! Wiring: the tasks of a controller, and what can be asked of it.

use std::{collections::BTreeSet, panic::AssertUnwindSafe, path::Path, sync::Arc};

use compile::Problem;
use futures_util::FutureExt;
use snapshot::Report;
use tokio::{sync::mpsc, task::JoinSet};

use crate::{
    Config, Error, Snapshots, Source,
    board::Board,
    cycle::{Cycle, Parts, Update},
    metrics::Metrics,
    publish::Publisher,
    report,
    source::manifests,
};

/// Updates that wait for the cycle before a source has to wait itself.
const UPDATES: usize = 256;

/// A running controller. It stops when it is dropped.
pub struct Controller {
    handle: Handle,
    tasks: JoinSet<()>,
    _manifests: Option<manifests::Manifests>,
}

impl Controller {
    /// Starts a controller on the current tokio runtime. Snapshots go into `snapshots`; what the data plane says of
    /// them comes back by `reports`.
    ///
    /// # Errors
    /// There is no such folder, no way to a cluster, or a flag is unusable.
    pub async fn start(config: Config, snapshots: Snapshots, reports: mpsc::Receiver<Report>) -> Result<Self, Error> {
        let board = Board::new();
        let (metrics, registry) = Metrics::new(config.metric_labels.clone(), &board, &snapshots)?;
        let handle = Handle { board: Arc::clone(&board), registry };
        let (progress, news) = mpsc::unbounded_channel();
        let publisher = Publisher::new(snapshots);
        let parts = Parts { options: config.options.clone(), publisher, board: Arc::clone(&board), metrics, progress };
        let (updates, inbox) = mpsc::channel(UPDATES);
        let mut controller = Self { handle, tasks: JoinSet::new(), _manifests: None };
        match &config.source {
            Source::Manifests(folder) => controller.read_manifests(folder, parts, (updates, inbox))?,
            Source::Cluster => return Err(Error::NoCluster("not yet".into())),
        }
        controller.task("report", report::run(reports, news, board));
        Ok(controller)
    }

    fn read_manifests(
        &mut self,
        folder: &Path,
        parts: Parts,
        (updates, inbox): (mpsc::Sender<Update>, mpsc::Receiver<Update>),
    ) -> Result<(), Error> {
        let cycle = Cycle::new(parts, BTreeSet::from([manifests::LIST.to_owned()]));
        self._manifests = Some(manifests::start(folder, updates, Arc::clone(&self.handle.board))?);
        self.task("cycle", cycle.run(inbox));
        Ok(())
    }

    /// Runs a task that has no reason to end before the controller does.
    fn task(&mut self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        let board = Arc::clone(&self.handle.board);
        self.tasks.spawn(async move {
            // Whatever the end was, nobody does its work any more.
            let _ = AssertUnwindSafe(task).catch_unwind().await;
            board.fail(Error::Task(name));
        });
    }

    /// What can be asked while it runs.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Stops all tasks. Statuses stay as they are.
    pub async fn shut_down(mut self) {
        self.tasks.shutdown().await;
    }
}

/// Tells about a running controller. Cheap to clone.
#[derive(Clone)]
pub struct Handle {
    board: Arc<Board>,
    registry: prometheus::Registry,
}

impl Handle {
    /// All problems of now, those of objects and those that the data plane reported, in order.
    pub fn problems(&self) -> Arc<[Problem]> {
        Arc::clone(&self.board.problems().borrow())
    }

    /// What keeps the first snapshot from being published, each with the reason; empty once nothing does.
    pub fn missing(&self) -> Vec<String> {
        self.board.all_missing()
    }

    /// The controller's metrics.
    pub fn registry(&self) -> prometheus::Registry {
        self.registry.clone()
    }

    /// Waits until the controller cannot go on, for ever if it can.
    pub async fn failed(&self) -> Error {
        let mut failure = self.board.failure();
        loop {
            if let Some(error) = failure.borrow_and_update().clone() {
                return error;
            }
            if failure.changed().await.is_err() {
                return Error::Task("board");
            }
        }
    }
}
