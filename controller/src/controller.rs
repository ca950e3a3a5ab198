//! Wiring: the tasks of a controller, and what can be asked of it.

use std::{collections::BTreeSet, panic::AssertUnwindSafe, path::Path, sync::Arc, time::Duration};

use compile::{Objects, Problem, check_options};
use futures_util::FutureExt;
use k8s_openapi::api::{core::v1::Service, networking::v1::IngressLoadBalancerIngress};
use kube::Client;
use snapshot::{Report, Snapshot};
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
    time::{MissedTickBehavior, interval},
};

use crate::{
    Config, Error, PublishAddress, Snapshots, Source,
    admission::{self, Bases},
    board::Board,
    cycle::{Cycle, Parts, Update},
    metrics::Metrics,
    publish::Publisher,
    report::{self, Inputs, Outputs, address, conditions::Conditions, events::Teller, status::Writer},
    source::{cluster, manifests},
};

/// Updates that wait for the cycle before a source has to wait itself.
const UPDATES: usize = 256;

/// How often it is said what is still missing.
const ANNOUNCE: Duration = Duration::from_secs(10);

/// How often certificates are looked at for expiry.
const CERTIFICATES: Duration = Duration::from_secs(60);

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
        let client = match config.source {
            Source::Manifests(_) => None,
            Source::Cluster { ref kubeconfig } => Some(cluster::client(kubeconfig.as_deref()).await?),
        };
        Self::start_with(config, client, snapshots, reports)
    }

    /// The same with a client of the cluster.
    pub(crate) fn start_with(
        config: Config,
        client: Option<Client>,
        snapshots: Snapshots,
        reports: mpsc::Receiver<Report>,
    ) -> Result<Self, Error> {
        check_options(&config.options).map_err(Error::Options)?;
        let board = Board::new();
        let (metrics, registry) = Metrics::new(config.metric_labels.clone(), &board, &snapshots)?;
        let handle = Handle { board: Arc::clone(&board), registry };
        let mut controller = Self { handle, tasks: JoinSet::new(), _manifests: None };
        controller.task("snapshot", look_at_snapshots(snapshots.subscribe(), Arc::clone(&board)));

        let (progress, news) = mpsc::unbounded_channel();
        let bases = controller.admit(&config)?;
        let parts = Parts {
            options: config.options.clone(),
            publisher: Publisher::new(snapshots),
            board: Arc::clone(&board),
            metrics: metrics.clone(),
            progress,
            bases,
        };
        let mut outputs = Outputs {
            board,
            first_refusal_is_fatal: config.first_refusal_is_fatal,
            writer: None,
            conditions: None,
            objects: watch::Sender::new(Arc::default()),
        };
        let addresses = controller.addresses(&config, client.as_ref())?;
        match (&config.source, client) {
            (Source::Manifests(folder), _) => controller.read_manifests(folder, parts)?,
            (Source::Cluster { .. }, Some(client)) => {
                controller.follow_cluster(&client, parts);
                controller.tell_problems(&config, &client, &metrics, &outputs.objects);
                let conditions = || Conditions::new(client.clone(), metrics.clone(), outputs.board.clone());
                outputs.conditions = config.update_status.then(conditions);
                outputs.writer = config.update_status.then(|| Writer::new(client, metrics, outputs.board.clone()));
            }
            (Source::Cluster { .. }, None) => return Err(Error::NoCluster("no client".to_owned())),
        }
        controller.task("announce", announce(Arc::clone(&controller.handle.board)));
        controller.task("report", report::run(Inputs { reports, news, addresses }, outputs));
        Ok(controller)
    }

    /// Starts the admission webhook, if there is to be one.
    fn admit(&mut self, config: &Config) -> Result<Option<Bases>, Error> {
        let Some(webhook) = &config.admission else { return Ok(None) };
        let bases = Bases::new(None);
        let Handle { board, registry } = self.handle.clone();
        let webhook = admission::start(webhook, &config.options, bases.subscribe(), board, &registry)?;
        self.task("admission", webhook);
        Ok(Some(bases))
    }

    fn read_manifests(&mut self, folder: &Path, parts: Parts) -> Result<(), Error> {
        let (updates, inbox) = mpsc::channel(UPDATES);
        let cycle = Cycle::new(parts, BTreeSet::from([manifests::LIST.to_owned()]));
        self._manifests = Some(manifests::start(folder, updates, Arc::clone(&self.handle.board))?);
        self.task("cycle", cycle.run(inbox));
        Ok(())
    }

    fn follow_cluster(&mut self, client: &Client, parts: Parts) {
        let (updates, inbox) = mpsc::channel::<Update>(UPDATES);
        let plan = cluster::plan(client, &parts.options);
        let cycle = Cycle::new(parts, plan.iter().map(|planned| planned.list.clone()).collect());
        for planned in plan {
            self.task("watch", planned.run(updates.clone(), Arc::clone(&self.handle.board)));
        }
        self.task("cycle", cycle.run(inbox));
    }

    fn tell_problems(
        &mut self,
        config: &Config,
        client: &Client,
        metrics: &Metrics,
        objects: &watch::Sender<Arc<Objects>>,
    ) {
        let instance = config.metric_labels.get("controller_pod").filter(|pod| !pod.is_empty());
        let instance = instance.map_or("tidegate", String::as_str).to_owned();
        let teller = Teller::new(client.clone(), metrics.clone(), Arc::clone(&self.handle.board), instance);
        self.task("event", teller.run(objects.subscribe()));
    }

    /// Finds out which addresses statuses should have, and follows them.
    fn addresses(&mut self, config: &Config, client: Option<&Client>) -> Result<report::Addresses, Error> {
        let fixed = |addresses: Option<Vec<IngressLoadBalancerIngress>>| watch::Sender::new(addresses).subscribe();
        let name = match (&config.publish, client) {
            (PublishAddress::Addresses(addresses), _) => return Ok(fixed(Some(address::fixed(addresses)?))),
            (PublishAddress::Service(name), Some(_)) if config.update_status => name,
            (PublishAddress::Service(_) | PublishAddress::None, _) => return Ok(fixed(None)),
        };
        let Some(client) = client else { return Ok(fixed(None)) };
        let (sender, addresses) = watch::channel(None);
        let (updates, inbox) = mpsc::channel(1);
        let service = cluster::one::<Service>(client, "publish-service", name);
        self.task("watch", service.run(updates, Arc::clone(&self.handle.board)));
        self.task("address", address::follow(name.clone(), inbox, sender, Arc::clone(&self.handle.board)));
        Ok(addresses)
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

/// Says from time to time what keeps the first snapshot from being published.
async fn announce(board: Arc<Board>) {
    let mut ticks = interval(ANNOUNCE);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks.tick().await; // the first one is at once
    loop {
        ticks.tick().await;
        for missing in board.all_missing() {
            tracing::warn!("waiting for {missing}");
        }
    }
}

/// Finds what compiling cannot know: certificates that have expired, and services whose endpoints are gone.
async fn look_at_snapshots(mut snapshots: watch::Receiver<Option<Arc<Snapshot>>>, board: Arc<Board>) {
    let mut ticks = interval(CERTIFICATES);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        if let Some(snapshot) = snapshots.borrow_and_update().clone() {
            board.find("endpoints", compile::without_endpoints(&snapshot));
            board.find("certificates", compile::expired(&snapshot, jiff::Timestamp::now().as_second()));
        }
        tokio::select! {
            _ = ticks.tick() => {}
            Ok(()) = snapshots.changed() => {}
        }
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
