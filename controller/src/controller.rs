//! Wiring: the tasks of a controller, and what can be asked of it.

use std::{collections::BTreeSet, panic::AssertUnwindSafe, path::Path, sync::Arc, time::Duration};

use compile::{Problem, check_options};
use futures_util::FutureExt;
use k8s_openapi::api::core::v1::Service;
use kube::Client;
use snapshot::{Cert, CertId, Map, Report, Snapshot};
use tokio::{
    sync::{mpsc, oneshot, watch},
    task::JoinSet,
    time::{MissedTickBehavior, interval},
};

use crate::{
    Config, Error, PublishAddress, Snapshots, Source,
    admission::{self, Bases},
    board::Board,
    cycle::{Cycle, Parts, Update},
    lease::{Elector, Leader},
    metrics::Metrics,
    publish::Publisher,
    replicas::Replicas,
    report::{
        self, Inputs, Outputs, address, conditions::Conditions, events::Teller, fitness::Fitness, nodes::Nodes,
        status::Writer,
    },
    secrets::{Asking, Keeper, Named},
    source::{
        cluster::{self, Scope},
        manifests,
    },
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
    leave: mpsc::Sender<oneshot::Sender<()>>,
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
        let (leave, leaving) = mpsc::channel(1);
        let mut controller = Self { handle, tasks: JoinSet::new(), leave, _manifests: None };
        let published = snapshots.subscribe();
        controller.task("snapshot", look_at_snapshots(snapshots.subscribe(), Arc::clone(&board)));

        let (progress, news) = mpsc::unbounded_channel();
        let bases = controller.admit(&config)?;
        let parts = Parts {
            asking: Asking::default(),
            options: config.options.clone(),
            publisher: Publisher::new(snapshots),
            board: Arc::clone(&board),
            metrics: metrics.clone(),
            progress,
            bases,
        };
        let (fitness, fit) = Fitness::new(published);
        let leader = controller.elect(&config, client.as_ref(), fit, &metrics);
        let addresses = controller.addresses(&config, client.as_ref(), &leader)?;
        let mut outputs = Outputs {
            board,
            first_refusal_is_fatal: config.first_refusal_is_fatal,
            grace: config.shutdown_grace,
            writer: None,
            conditions: None,
            replicas: None,
            objects: watch::Sender::new(Arc::default()),
        };
        match (&config.source, client) {
            (Source::Manifests(folder), _) => controller.read_manifests(folder, parts)?,
            (Source::Cluster { .. }, Some(client)) => {
                controller.follow_cluster(&client, parts);
                let teller = Teller::new(
                    client.clone(),
                    metrics.clone(),
                    outputs.board.clone(),
                    leader.clone(),
                    instance(&config),
                );
                controller.task("event", teller.run(outputs.objects.subscribe()));
                if config.update_status {
                    outputs.replicas = controller.know_replicas(&config, &client, &leader);
                    outputs.conditions = Some(Conditions::new(client.clone(), metrics.clone(), outputs.board.clone()));
                    outputs.writer = Some(Writer::new(client, metrics, outputs.board.clone()));
                }
            }
            (Source::Cluster { .. }, None) => return Err(Error::NoCluster("no client".to_owned())),
        }
        controller.task("announce", announce(Arc::clone(&controller.handle.board)));
        let inputs = Inputs { reports, news, addresses, leader, fitness, leave: leaving };
        controller.task("report", report::run(inputs, outputs));
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

    /// Takes part in the election of a leader, if there is one.
    fn elect(
        &mut self,
        config: &Config,
        client: Option<&Client>,
        fit: watch::Receiver<bool>,
        metrics: &Metrics,
    ) -> Leader {
        let (Some(client), Some(election)) = (client, &config.election) else { return Leader::always() };
        let board = Arc::clone(&self.handle.board);
        let (elector, leader) = Elector::new(client.clone(), election.clone(), fit, metrics.clone(), board);
        self.task("lease", elector.run());
        leader
    }

    /// Who else there is, if our addresses are to be removed when that is nobody.
    fn know_replicas(&mut self, config: &Config, client: &Client, leader: &Leader) -> Option<Replicas> {
        let replicas = replicas(config, client).filter(|_| config.update_status_on_shutdown)?;
        self.task("replicas", replicas.clone().check(leader.clone(), Arc::clone(&self.handle.board)));
        Some(replicas)
    }

    fn read_manifests(&mut self, folder: &Path, parts: Parts) -> Result<(), Error> {
        let (updates, inbox) = mpsc::channel(UPDATES);
        let cycle = Cycle::new(parts, BTreeSet::from([manifests::LIST.to_owned()]));
        self._manifests = Some(manifests::start(folder, updates, Arc::clone(&self.handle.board))?);
        self.task("cycle", cycle.run(inbox));
        Ok(())
    }

    fn follow_cluster(&mut self, client: &Client, mut parts: Parts) {
        let (updates, inbox) = mpsc::channel::<Update>(UPDATES);
        let board = &self.handle.board;
        let (scope, namespaces) = Scope::new(client, &parts.options);
        let keeper = Keeper::new(scope.clone(), &parts.options, Arc::clone(board), updates.clone());
        let (names, named) = watch::channel(Named::default());
        parts.asking = Asking::of(names);
        let mut plan = cluster::plan(client, &parts.options, &scope);
        plan.extend(namespaces);
        let lists = plan.iter().map(|planned| planned.list.clone()).chain([cluster::SECRETS.to_owned()]);
        let cycle = Cycle::new(parts, lists.collect());
        for planned in plan {
            self.task("watch", planned.run(updates.clone(), Arc::clone(&self.handle.board)));
        }
        self.task("secrets", keeper.run(named));
        self.task("cycle", cycle.run(inbox));
    }

    /// Finds out which addresses statuses should have, and follows them.
    fn addresses(
        &mut self,
        config: &Config,
        client: Option<&Client>,
        leader: &Leader,
    ) -> Result<report::Addresses, Error> {
        let (sender, addresses) = watch::channel(None);
        let board = Arc::clone(&self.handle.board);
        match (&config.publish, client.filter(|_| config.update_status)) {
            (PublishAddress::Addresses(fixed), _) => {
                sender.send_replace(Some(address::fixed(fixed)?));
            }
            (PublishAddress::Service(name), Some(client)) => {
                let (updates, inbox) = mpsc::channel(1);
                let service = cluster::one::<Service>(client, "publish-service", name);
                self.task("watch", service.run(updates, Arc::clone(&board)));
                self.task("address", address::follow(name.clone(), inbox, sender, board));
            }
            (PublishAddress::Nodes { internal }, Some(client)) => {
                if let Some(replicas) = replicas(config, client) {
                    let nodes = Nodes::new(client.clone(), replicas, *internal);
                    self.task("nodes", nodes.follow(leader.clone(), sender, board));
                }
            }
            (PublishAddress::Service(_) | PublishAddress::Nodes { .. } | PublishAddress::None, _) => {}
        }
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

    /// Does what the cluster should see of a clean end, within 15 seconds or [`Config::shutdown_grace`], whichever is
    /// longer: the last replica takes its addresses out of statuses, and a leader gives its Lease up. Everything else goes
    /// on: endpoints may change while requests finish.
    pub async fn leave(&self) {
        let (done, answer) = oneshot::channel();
        if self.leave.send(done).await.is_ok() {
            let _ = answer.await; // a reporter that is gone has nothing left to do
        }
    }

    /// Stops all tasks.
    pub async fn shut_down(mut self) {
        self.tasks.shutdown().await;
    }
}

/// Who tells Events.
fn instance(config: &Config) -> String {
    config.pod.as_ref().map_or("tidegate", |pod| &pod.name).to_owned()
}

fn replicas(config: &Config, client: &Client) -> Option<Replicas> {
    config.pod.as_ref().map(|pod| Replicas::of(client.clone(), pod))
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
    // Endpoints change often, and thousands of certificates hardly ever.
    let mut looked_at: Option<Map<CertId, Cert>> = None;
    loop {
        if let Some(snapshot) = snapshots.borrow_and_update().clone() {
            board.find("endpoints", compile::without_endpoints(&snapshot));
            if !looked_at.is_some_and(|certs| certs.is(&snapshot.certs)) {
                board.find("certificates", compile::expired(&snapshot, jiff::Timestamp::now().as_second()));
            }
            looked_at = Some(snapshot.certs.clone());
        }
        tokio::select! {
            _ = ticks.tick() => looked_at = None,
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

    /// What hangs and will not go on by itself, if anything: only a restart helps.
    pub fn hanging(&self) -> Option<String> {
        self.board.hanging()
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
