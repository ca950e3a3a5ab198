//! Problems as Events of their objects.
//!
//! All replicas find the same problems: their leader tells. What a data plane refuses is told by its own replica.
//!
//! Each new problem makes one Event; while it stands, it is told again before the API server forgets it. Its name is
//! made of the problem, so that a restarted controller finds its own Event again and counts it up.

mod event;
mod ledger;

use std::{sync::Arc, time::Duration};

use compile::{Objects, Problem, Reason, Severity};
use k8s_openapi::api::events::v1::Event;
use kube::{
    Api, Client,
    api::{Patch, PatchParams, PostParams},
};
use ledger::Ledger;
use tokio::{
    sync::watch,
    time::{Instant, sleep},
};

use crate::{
    board::{Board, trouble},
    lease::Leader,
    metrics::Metrics,
    report::verdict::REJECTED,
    source::cluster::explain,
};

/// Between two Events: a cluster of broken objects must not be a flood to the API server.
const INTERVAL: Duration = Duration::from_millis(100);

/// After an Event that failed.
const PAUSE: Duration = Duration::from_secs(30);

/// How often problems that still stand are looked at.
const REVIEW: Duration = Duration::from_secs(60);

/// Writes Events.
pub(crate) struct Teller {
    client: Client,
    metrics: Metrics,
    board: Arc<Board>,
    leader: Leader,
    /// Who tells: the name of our Pod.
    instance: String,
    ledger: Ledger,
}

impl Teller {
    pub(crate) fn new(client: Client, metrics: Metrics, board: Arc<Board>, leader: Leader, instance: String) -> Self {
        Self { client, metrics, board, leader, instance, ledger: Ledger::default() }
    }

    /// Tells for as long as the controller runs.
    pub(crate) async fn run(mut self, mut objects: watch::Receiver<Arc<Objects>>) {
        let mut problems = self.board.problems();
        loop {
            let now = problems.borrow_and_update().clone();
            self.tell(&now, &objects).await;
            tokio::select! {
                Ok(()) = problems.changed() => {}
                // A problem may be known before its object is.
                Ok(()) = objects.changed() => sleep(INTERVAL).await,
                () = self.leader.changed() => {}
                () = sleep(REVIEW) => {}
            }
            objects.mark_unchanged();
        }
    }

    async fn tell(&mut self, problems: &[Problem], objects: &watch::Receiver<Arc<Objects>>) {
        self.ledger.forget(problems, Instant::now());
        for problem in problems {
            if !self.leader.leads() && problem.reason != REJECTED {
                continue;
            }
            let Some(count) = self.ledger.due(problem, Instant::now()) else { continue };
            // Events belong to objects of the cluster; other problems are logged and counted.
            let event = event::of(problem, &objects.borrow(), &self.instance);
            let Some(event) = event else { continue };
            match write(&self.client, &event, count).await {
                Ok(()) => {
                    self.ledger.told(problem, Instant::now());
                    self.metrics.wrote("event", true);
                    self.board.find("events", Vec::new());
                    sleep(INTERVAL).await;
                }
                Err(error) => {
                    self.metrics.wrote("event", false);
                    self.board.find("events", vec![not_written(&explain(&error))]);
                    sleep(PAUSE).await;
                    return;
                }
            }
        }
    }
}

/// Makes the Event, or counts up the one that is there.
async fn write(client: &Client, event: &Event, count: i32) -> kube::Result<()> {
    let namespace = event.metadata.namespace.as_deref().unwrap_or("default");
    let api: Api<Event> = Api::namespaced(client.clone(), namespace);
    match api.create(&PostParams::default(), event).await {
        Err(kube::Error::Api(status)) if status.is_already_exists() || status.code == 409 => {
            let name = event.metadata.name.as_deref().unwrap_or_default();
            let series = event::series(event, count);
            api.patch(name, &PatchParams::default(), &Patch::Merge(series)).await.map(drop)
        }
        // The namespace is going, and the object with it.
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
        Err(kube::Error::Api(status)) if status.code == 403 && status.message.contains("being terminated") => Ok(()),
        other => other.map(drop),
    }
}

/// Of no object of the cluster, so that it leads to no Event itself.
fn not_written(error: &str) -> Problem {
    trouble("events", Reason::EventNotWritten, Severity::Warning, format!("problems cannot be told by Events: {error}"))
}
