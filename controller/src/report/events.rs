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
    time::{Instant, sleep, sleep_until, timeout},
};

use super::{
    refusal::{Failure, LONGEST, LONGEST_OF_ALL, Refusals, WRITE},
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
    /// What is not taken now. All else may be.
    refused: Refusals<Held>,
    /// While the API server has too many requests.
    busy: Refusals<()>,
}

/// What is told again later.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Held {
    /// All of a namespace.
    Namespace(Arc<str>),
    Problem(Problem),
}

impl Teller {
    pub(crate) fn new(client: Client, metrics: Metrics, board: Arc<Board>, leader: Leader, instance: String) -> Self {
        let (refused, busy) = (Refusals::new(PAUSE, LONGEST), Refusals::new(PAUSE, LONGEST_OF_ALL));
        Self { client, metrics, board, leader, instance, ledger: Ledger::default(), refused, busy }
    }

    /// Tells for as long as the controller runs.
    pub(crate) async fn run(mut self, mut objects: watch::Receiver<Arc<Objects>>) {
        let mut problems = self.board.problems();
        loop {
            let now = problems.borrow_and_update().clone();
            self.tell(&now, &objects, &problems).await;
            let review = Instant::now() + REVIEW;
            let again = [self.busy.wake(), self.refused.wake()].into_iter().flatten().min();
            tokio::select! {
                Ok(()) = problems.changed() => {}
                // A problem may be known before its object is.
                Ok(()) = objects.changed() => sleep(INTERVAL).await,
                () = self.leader.changed() => {}
                () = sleep_until(again.map_or(review, |again| again.min(review))) => {}
            }
            objects.mark_unchanged();
            self.busy.woken(Instant::now());
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
            if self.busy.hold(&(), now) {
                break;
            }
            if self.is_held(problem, now) || !self.is_ours(problem) {
                continue;
            }
            let Some(count) = self.ledger.due(problem, now) else { continue };
            let event = event::of(problem, &objects.borrow(), &self.instance);
            let Some(event) = event else { continue };
            let result = match timeout(WRITE, write(&self.client, &event, count)).await {
                Ok(result) => result.map_err(|error| Failure::of(&error)),
                Err(_) => Err(Failure::too_slow(WRITE)),
            };
            self.take(problem, result);
            sleep(INTERVAL).await;
            if current.has_changed().unwrap_or(false) {
                break;
            }
        }
        self.say_what_fails();
    }

    /// What is to be told: what was never told first, and last what failed, or others of its namespace, and may hang again.
    /// Events belong to objects of the cluster; other problems are logged and counted.
    fn due<'a>(&self, problems: &'a [Problem], objects: &Objects) -> Vec<&'a Problem> {
        let now = Instant::now();
        let due = |problem: &&Problem| {
            self.is_ours(problem) && self.ledger.due(problem, now).is_some() && event::has_object(problem, objects)
        };
        let mut due: Vec<_> = problems.iter().filter(due).collect();
        due.sort_by_cached_key(|problem| (self.has_failed(problem), self.ledger.knows(problem)));
        due
    }

    /// Whether others of its namespace failed, and whether it did.
    fn has_failed(&self, problem: &Problem) -> [bool; 2] {
        match self.refused.is_empty() {
            true => [false; 2],
            false => keys(problem).map(|key| self.refused.knows(&key)),
        }
    }

    fn is_held(&self, problem: &Problem, now: Instant) -> bool {
        !self.refused.is_empty() && keys(problem).iter().any(|key| self.refused.hold(key, now))
    }

    fn is_ours(&self, problem: &Problem) -> bool {
        problem.reason == REJECTED || self.leader.leads()
    }

    fn take(&mut self, problem: &Problem, result: Result<(), Failure>) {
        let now = Instant::now();
        self.metrics.wrote("event", result.is_ok());
        match result {
            Ok(()) => {
                self.ledger.told(problem, now);
                self.busy.clear();
                keys(problem).iter().for_each(|key| self.refused.taken(key));
            }
            Err(failure) if failure.busy => self.busy.refused((), &failure, now),
            // Whatever it is, a quota or a webhook of this namespace may be why: all of it is held, and others of it are
            // tried first then, in case it was this one alone. Of an API server that is away one namespace after the
            // other is held.
            Err(failure) => keys(problem).into_iter().for_each(|key| self.refused.refused(key, &failure, now)),
        }
    }

    /// Of what need not be told any more, or is told by somebody else.
    fn forget_refusals(&mut self, due: &[&Problem]) {
        if due.is_empty() {
            self.busy.clear();
        }
        if !self.refused.is_empty() {
            let due: BTreeSet<Held> = due.iter().flat_map(|problem| keys(problem)).collect();
            self.refused.retain(|held| due.contains(held));
        }
    }

    fn say_what_fails(&self) {
        let problem = match (self.busy.first(), self.refused.first()) {
            (Some((_, why)), _) => Some(not_written("", why)),
            (None, Some((Held::Namespace(namespace), why))) => {
                Some(not_written(&format!(" in namespace {namespace}"), why))
            }
            (None, Some((Held::Problem(problem), why))) => Some(not_written(&format!(" of {}", problem.object), why)),
            (None, None) => None,
        };
        self.board.find("events", problem.into_iter().collect());
    }
}

/// What keeps it from being told, where it is held.
fn keys(problem: &Problem) -> [Held; 2] {
    [Held::Namespace(namespace(problem).into()), Held::Problem(problem.clone())]
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
