//! Problems as Events of their objects.
//!
//! All replicas find the same problems: their leader tells. What a data plane refuses is told by its own replica.
//!
//! Each new problem makes one Event; while it stands, it is told again before the API server forgets it. Its name is
//! made of the problem, so that a restarted controller finds its own Event again and counts it up.

mod event;
mod ledger;

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use compile::{Objects, Problem, Reason, Severity};
use k8s_openapi::api::events::v1::Event;
use kube::{
    Api, Client,
    api::{Patch, PatchParams, PostParams},
};
use ledger::Ledger;
use tokio::{
    sync::watch,
    time::{Instant, sleep, sleep_until},
};

use super::{
    refusal::{Failure, Reach, Refusals},
    verdict::REJECTED,
};
use crate::{
    board::{Board, trouble},
    lease::Leader,
    metrics::Metrics,
};

/// Between two Events: a cluster of broken objects must not be a flood to the API server.
const INTERVAL: Duration = Duration::from_millis(100);

/// After an Event that failed, the first time.
const PAUSE: Duration = Duration::from_secs(30);

/// How often problems that still stand are looked at.
const REVIEW: Duration = Duration::from_secs(60);

/// The namespace of Events of objects without one.
const NO_NAMESPACE: &str = "default";

/// Writes Events.
pub(crate) struct Teller {
    client: Client,
    metrics: Metrics,
    board: Arc<Board>,
    leader: Leader,
    /// Who tells: the name of our Pod.
    instance: String,
    ledger: Ledger,
    /// Namespaces that take no Event now. All others do.
    refused: Refusals<Arc<str>>,
    /// While nothing arrives.
    failing: Refusals<()>,
}

impl Teller {
    pub(crate) fn new(client: Client, metrics: Metrics, board: Arc<Board>, leader: Leader, instance: String) -> Self {
        let (refused, failing) = (Refusals::new(PAUSE), Refusals::new(PAUSE));
        Self { client, metrics, board, leader, instance, ledger: Ledger::default(), refused, failing }
    }

    /// Tells for as long as the controller runs.
    pub(crate) async fn run(mut self, mut objects: watch::Receiver<Arc<Objects>>) {
        let mut problems = self.board.problems();
        loop {
            let now = problems.borrow_and_update().clone();
            self.tell(&now, &objects, &problems).await;
            let review = Instant::now() + REVIEW;
            let again = [self.failing.wake(), self.refused.wake()].into_iter().flatten().min();
            tokio::select! {
                Ok(()) = problems.changed() => {}
                // A problem may be known before its object is.
                Ok(()) = objects.changed() => sleep(INTERVAL).await,
                () = self.leader.changed() => {}
                () = sleep_until(again.map_or(review, |again| again.min(review))) => {}
            }
            objects.mark_unchanged();
            self.failing.woken(Instant::now());
            self.refused.woken(Instant::now());
        }
    }

    /// Tells what is due, until other problems stand than these.
    async fn tell(
        &mut self,
        problems: &[Problem],
        objects: &watch::Receiver<Arc<Objects>>,
        current: &watch::Receiver<Arc<[Problem]>>,
    ) {
        self.ledger.forget(problems, Instant::now());
        let due = self.due(problems, &objects.borrow());
        self.forget_refusals(&due);
        for problem in due {
            let now = Instant::now();
            if self.failing.hold(&(), now) {
                break;
            }
            if self.refused.hold(namespace(problem), now) || !self.is_ours(problem) {
                continue;
            }
            let Some(count) = self.ledger.due(problem, now) else { continue };
            let event = event::of(problem, &objects.borrow(), &self.instance);
            let Some(event) = event else { continue };
            let result = write(&self.client, &event, count).await;
            self.take(problem, result);
            sleep(INTERVAL).await;
            if current.has_changed().unwrap_or(false) {
                break;
            }
        }
        self.say_what_fails();
    }

    /// What is to be told, what was never told first. Events belong to objects of the cluster; other problems are logged
    /// and counted.
    fn due<'a>(&self, problems: &'a [Problem], objects: &Objects) -> Vec<&'a Problem> {
        let now = Instant::now();
        let due = |problem: &&Problem| {
            self.is_ours(problem) && self.ledger.due(problem, now).is_some() && event::has_object(problem, objects)
        };
        let (mut new, told): (Vec<_>, Vec<_>) =
            problems.iter().filter(due).partition(|problem| !self.ledger.knows(problem));
        new.extend(told);
        new
    }

    fn is_ours(&self, problem: &Problem) -> bool {
        problem.reason == REJECTED || self.leader.leads()
    }

    fn take(&mut self, problem: &Problem, result: kube::Result<()>) {
        let now = Instant::now();
        self.metrics.wrote("event", result.is_ok());
        let Err(error) = result else {
            self.ledger.told(problem, now);
            self.failing.clear();
            self.refused.taken(namespace(problem));
            return;
        };
        let failure = Failure::of(&error);
        match failure.reach {
            Reach::Everything => self.failing.refused((), &failure, now),
            // A quota, say, or somebody's webhook.
            Reach::Namespace | Reach::Object => self.refused.refused(namespace(problem).into(), &failure, now),
        }
    }

    /// Of what need not be told any more, or is told by somebody else.
    fn forget_refusals(&mut self, due: &[&Problem]) {
        if due.is_empty() {
            self.failing.clear();
        }
        let namespaces: BTreeSet<&str> = due.iter().map(|problem| namespace(problem)).collect();
        self.refused.retain(|namespace| namespaces.contains(&**namespace));
    }

    fn say_what_fails(&self) {
        let problem = match (self.failing.first(), self.refused.first()) {
            (Some((_, why)), _) => Some(not_written("", why)),
            (None, Some((namespace, why))) => Some(not_written(&format!(" in namespace {namespace}"), why)),
            (None, None) => None,
        };
        self.board.find("events", problem.into_iter().collect());
    }
}

/// Where the Event of a problem is.
fn namespace(problem: &Problem) -> &str {
    match &*problem.object.namespace {
        "" => NO_NAMESPACE,
        namespace => namespace,
    }
}

/// Makes the Event, or counts up the one that is there.
async fn write(client: &Client, event: &Event, count: i32) -> kube::Result<()> {
    let namespace = event.metadata.namespace.as_deref().unwrap_or(NO_NAMESPACE);
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
fn not_written(place: &str, why: &str) -> Problem {
    let message = format!("problems cannot be told by Events{place}: {why}");
    trouble("events", Reason::EventNotWritten, Severity::Warning, message)
}

#[cfg(test)]
mod tests;
