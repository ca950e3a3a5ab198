//! Writes `status.loadBalancer` of Ingresses.

mod removal;
mod round;
mod tally;

use std::{
    collections::{BTreeMap, BTreeSet},
    future,
    sync::Arc,
    time::Duration,
};

use compile::{Compiled, NamespacedName, Objects, Problem, Reason, Severity, StatusPatch, status};
use k8s_openapi::api::networking::v1::IngressLoadBalancerIngress;
use kube::Client;
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{Instant, sleep_until},
};

use super::{
    contest::Contests,
    refusal::{LONGEST, LONGEST_OF_ALL, Reach, Refusals, WRITE},
};
use crate::{
    board::{Board, trouble},
    metrics::Metrics,
};
pub(super) use removal::Removal;
use round::{Pen, Version, Written, put_in_turn};
use tally::Tally;

/// So many are written before it is looked at again whether we lead, and what is to be written.
const ROUND: usize = 64;

/// So many failures in a row that are not of one object end a round: the others would fail too.
const FAILURES: usize = 3;

/// After a write that failed, the first time.
const PAUSE: Duration = Duration::from_secs(5);

/// Writes what differs, one round at a time.
pub(crate) struct Writer {
    pen: Pen,
    board: Arc<Board>,
    round: JoinSet<Vec<Written>>,
    /// Whether the round is to begin no further write.
    broken_off: watch::Sender<bool>,
    /// What was written to which version of an Ingress. Until its watch tells the next version, it is not repeated.
    written: BTreeMap<NamespacedName, Version>,
    contests: Contests,
    /// What is refused for itself.
    refused: Refusals<Scope>,
    /// While nothing arrives.
    failing: Refusals<()>,
}

/// What a refusal is of.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Scope {
    Namespace(Arc<str>),
    Ingress(NamespacedName),
}

/// Waits until it is time to look again: a round is over, or a pause.
pub(super) async fn ready(writer: &mut Option<Writer>, objects: &watch::Sender<Arc<Objects>>) {
    match writer {
        Some(writer) => writer.ready(objects).await,
        None => future::pending().await,
    }
}

impl Writer {
    pub(crate) fn new(client: Client, metrics: Metrics, board: Arc<Board>) -> Self {
        Self {
            pen: Pen { client, metrics, limit: WRITE },
            board,
            round: JoinSet::new(),
            broken_off: watch::Sender::new(false),
            written: BTreeMap::new(),
            contests: Contests::default(),
            refused: Refusals::new(PAUSE, LONGEST),
            failing: Refusals::new(PAUSE, LONGEST_OF_ALL),
        }
    }

    async fn ready(&mut self, objects: &watch::Sender<Arc<Objects>>) {
        if self.round.is_empty() {
            match self.wake(Instant::now()) {
                Some(until) => sleep_until(until).await,
                None => future::pending().await,
            }
        } else {
            let done = self.round.join_next().await;
            self.finish(done.and_then(Result::ok).unwrap_or_default());
        }
        let (objects, now) = (objects.borrow().clone(), Instant::now());
        self.failing.woken(now);
        self.refused.woken(now);
        self.written.retain(|ingress, _| objects.ingresses.contains_key(ingress));
        self.contests.forget(now, |ingress| objects.ingresses.contains_key(ingress));
        self.tell();
    }

    fn wake(&self, now: Instant) -> Option<Instant> {
        match self.failing.hold(&(), now) {
            true => self.failing.wake(),
            false => [self.failing.wake(), self.refused.wake(), self.contests.wake()].into_iter().flatten().min(),
        }
    }

    fn finish(&mut self, round: Vec<Written>) {
        let now = Instant::now();
        let tally = Tally::new(&round, |ingress| self.has_failed(ingress));
        if !self.is_broken_off() && !tally.is_of_everything() {
            self.failing.clear();
        }
        for Written { ingress, version, result } in round {
            match result {
                Ok(()) => {
                    self.refused.taken(&Scope::Namespace(Arc::clone(&ingress.namespace)));
                    self.refused.taken(&Scope::Ingress(ingress.clone()));
                    self.contests.wrote(ingress.clone(), version.claim.clone(), now);
                    self.written.insert(ingress, version);
                }
                // Whoever leads now finds out by itself.
                Err(_) if self.is_broken_off() => {}
                Err(failure) => match tally.reach(&ingress, &failure) {
                    Reach::Everything => {
                        self.failing.refused((), &failure, now);
                        if !failure.busy {
                            // It comes after the others now, and proves nothing a second time.
                            self.refused.refused(Scope::Ingress(ingress), &failure, now);
                        }
                    }
                    Reach::Namespace => self.refused.refused(Scope::Namespace(ingress.namespace), &failure, now),
                    Reach::Object => self.refused.refused(Scope::Ingress(ingress), &failure, now),
                },
            }
        }
    }

    /// Begins to write what differs, unless a round is under way: its end makes [`ready`] so.
    pub(super) fn write(
        &mut self,
        objects: &Arc<Objects>,
        compiled: &Compiled,
        addresses: &[IngressLoadBalancerIngress],
    ) {
        let now = Instant::now();
        if !self.round.is_empty() || self.failing.hold(&(), now) {
            return;
        }
        let mut patches: Vec<(StatusPatch, Version)> = status(objects, compiled, addresses)
            .into_iter()
            .map(|patch| (Version::of(&patch, objects), patch))
            .filter(|(version, patch)| self.written.get(&patch.ingress) != Some(version))
            .map(|(version, patch)| (patch, version))
            .collect();
        self.forget_refusals(&patches);
        patches.retain(|(patch, version)| {
            !self.contests.holds_off(&patch.ingress, &version.claim, now) && !self.is_refused(&patch.ingress, now)
        });
        put_in_turn(&mut patches, |ingress| self.has_failed(ingress));
        patches.truncate(ROUND);
        self.tell();
        if !patches.is_empty() {
            let (broken_off, stop) = watch::channel(false);
            self.broken_off = broken_off;
            self.round.spawn(self.pen.clone().write_all(patches, stop));
        }
    }

    /// Whether it or its namespace failed, and has not arrived since.
    fn has_failed(&self, ingress: &NamespacedName) -> bool {
        !self.refused.is_empty()
            && (self.refused.knows(&Scope::Ingress(ingress.clone()))
                || self.refused.knows(&Scope::Namespace(Arc::clone(&ingress.namespace))))
    }

    fn is_refused(&self, ingress: &NamespacedName, now: Instant) -> bool {
        !self.refused.is_empty()
            && (self.refused.hold(&Scope::Namespace(Arc::clone(&ingress.namespace)), now)
                || self.refused.hold(&Scope::Ingress(ingress.clone()), now))
    }

    /// Of what need not be written any more.
    fn forget_refusals(&mut self, patches: &[(StatusPatch, Version)]) {
        if patches.is_empty() {
            self.failing.clear();
        }
        if self.refused.is_empty() {
            return;
        }
        let wanted: BTreeSet<&NamespacedName> = patches.iter().map(|(patch, _)| &patch.ingress).collect();
        let namespaces: BTreeSet<&str> = wanted.iter().map(|ingress| &*ingress.namespace).collect();
        self.refused.retain(|scope| match scope {
            Scope::Namespace(namespace) => namespaces.contains(&**namespace),
            Scope::Ingress(ingress) => wanted.contains(ingress),
        });
    }

    fn tell(&self) {
        // One of them is enough: what keeps one from arriving keeps most others too.
        let problem = match (self.failing.first(), self.refused.first()) {
            (Some((_, why)), _) => Some(not_written("of Ingresses", why)),
            (None, Some((Scope::Namespace(namespace), why))) => {
                Some(not_written(&format!("of Ingresses of namespace {namespace}"), why))
            }
            (None, Some((Scope::Ingress(ingress), why))) => {
                Some(not_written(&format!("of Ingress {ingress}, maybe among others,"), why))
            }
            (None, None) => None,
        };
        self.board.find("status", problem.into_iter().collect());
        self.board.find("status contest", self.contests.problems());
    }

    fn is_broken_off(&self) -> bool {
        *self.broken_off.borrow()
    }

    /// Begins no further write. Those that are under way are waited for, but not here.
    pub(super) fn break_off(&mut self) {
        self.broken_off.send_replace(true);
    }

    /// Somebody else writes now, and says what is wrong.
    pub(super) fn stop(&mut self) {
        self.break_off();
        self.failing.clear();
        self.refused.clear();
        self.contests = Contests::default();
        self.tell();
    }

    /// What takes `addresses` out of the statuses that are these, and out of no other.
    pub(super) async fn removal(
        &mut self,
        objects: &Objects,
        compiled: &Compiled,
        addresses: &[IngressLoadBalancerIngress],
    ) -> Removal {
        // A write that is under way must not come last.
        self.break_off();
        while let Some(done) = self.round.join_next().await {
            self.finish(done.unwrap_or_default());
        }
        // What differs is somebody else's, or our last write that its watch has not told of yet.
        let differs = status(objects, compiled, addresses).into_iter();
        let (unseen, others): (Vec<_>, Vec<_>) =
            differs.partition(|patch| self.written.get(&patch.ingress) == Some(&Version::of(patch, objects)));
        let others: BTreeSet<_> = others.into_iter().map(|patch| patch.ingress).collect();
        let seen = status(objects, compiled, &[]).into_iter().filter(|patch| !others.contains(&patch.ingress));
        let unseen = unseen.into_iter().map(|patch| StatusPatch { addresses: Vec::new(), ..patch });
        let patches: BTreeMap<_, _> = seen.chain(unseen).map(|patch| (patch.ingress.clone(), patch)).collect();
        let patches = patches.into_values().map(|patch| (Version::of(&patch, objects), patch));
        Removal::new(self.pen.clone(), patches.map(|(version, patch)| (patch, version)).collect())
    }
}

fn not_written(what: &str, why: &str) -> Problem {
    let message = format!("the status {what} cannot be written: {why}");
    trouble("status", Reason::StatusNotWritten, Severity::Warning, message)
}

#[cfg(test)]
mod tests;
