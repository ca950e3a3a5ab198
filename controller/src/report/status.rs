//! Writes `status.loadBalancer` of Ingresses.

use std::{
    collections::{BTreeMap, BTreeSet},
    future,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use compile::{Compiled, NamespacedName, Objects, Problem, Reason, Severity, StatusPatch, status};
use futures_util::{StreamExt, stream};
use k8s_openapi::api::networking::v1::{Ingress, IngressLoadBalancerIngress};
use kube::{
    Api, Client,
    api::{Patch, PatchParams},
};
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{Instant, sleep_until, timeout},
};

use super::{
    contest::{Claim, Contests},
    refusal::{Failure, Reach, Refusals},
};
use crate::{
    board::{Board, trouble},
    metrics::Metrics,
};

/// Writes at the same time.
const PARALLEL: usize = 8;

/// How long a write may take. One that hangs must not keep all others from being written.
const WRITE: Duration = Duration::from_secs(10);

/// So many are written before it is looked at again whether we lead, and what is to be written.
const ROUND: usize = 64;

/// So many failures that are not of one object end a round: the others would fail too.
const FAILURES: usize = 3;

/// After a write that failed, the first time.
const PAUSE: Duration = Duration::from_secs(5);

/// Writes what differs, one round at a time.
pub(crate) struct Writer {
    client: Client,
    metrics: Metrics,
    board: Arc<Board>,
    round: JoinSet<Vec<Written>>,
    /// Whether the round is to begin no further write.
    broken_off: Arc<AtomicBool>,
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

/// A patch, and why it did not arrive if so.
struct Written {
    ingress: NamespacedName,
    version: Version,
    result: Result<(), Failure>,
}

impl Written {
    fn fails_for_all(&self) -> bool {
        self.result.as_ref().is_err_and(|failure| failure.reach == Reach::Everything)
    }
}

/// The version of an Ingress before a write, and what was written.
#[derive(Clone, PartialEq)]
struct Version {
    version: Option<String>,
    claim: Claim,
}

impl Version {
    fn of(patch: &StatusPatch, objects: &Objects) -> Self {
        let meta = objects.ingresses.get(&patch.ingress).map(|ingress| &ingress.metadata);
        Self {
            version: meta.and_then(|meta| meta.resource_version.clone()),
            claim: Claim { uid: meta.and_then(|meta| meta.uid.clone()), addresses: patch.addresses.clone() },
        }
    }
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
            client,
            metrics,
            board,
            round: JoinSet::new(),
            broken_off: Arc::default(),
            written: BTreeMap::new(),
            contests: Contests::default(),
            refused: Refusals::new(PAUSE),
            failing: Refusals::new(PAUSE),
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
        let arrives = round.iter().any(|written| written.result.is_ok());
        // One that hangs while others arrive hangs for itself.
        let fails = !arrives || round.iter().filter(|written| written.fails_for_all()).count() >= FAILURES;
        let mut failing = None;
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
                Err(failure) => match failure.reach {
                    Reach::Everything if fails => failing = Some(failure),
                    Reach::Namespace => self.refused.refused(Scope::Namespace(ingress.namespace), &failure, now),
                    Reach::Everything | Reach::Object => self.refused.refused(Scope::Ingress(ingress), &failure, now),
                },
            }
        }
        match failing {
            Some(failure) => self.failing.refused((), &failure, now),
            None if arrives => self.failing.clear(),
            None => {}
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
        patches.truncate(ROUND);
        self.tell();
        if !patches.is_empty() {
            self.broken_off = Arc::default();
            let stop = Arc::clone(&self.broken_off);
            self.round.spawn(write_all(self.client.clone(), self.metrics.clone(), patches, stop));
        }
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
        self.broken_off.load(Ordering::Relaxed)
    }

    /// Begins no further write. Those that are under way are waited for, but not here.
    pub(super) fn break_off(&mut self) {
        self.broken_off.store(true, Ordering::Relaxed);
    }

    /// Somebody else writes now, and says what is wrong.
    pub(super) fn stop(&mut self) {
        self.break_off();
        self.failing.clear();
        self.refused.clear();
        self.contests = Contests::default();
        self.tell();
    }

    /// Takes `addresses` out of the statuses that are these, and out of no other.
    pub(super) async fn remove(
        &mut self,
        objects: &Objects,
        compiled: &Compiled,
        addresses: &[IngressLoadBalancerIngress],
    ) {
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
        let patches = seen.chain(unseen).map(|patch| (Version::of(&patch, objects), patch));
        let patches = patches.map(|(version, patch)| (patch, version)).collect();
        let done = write_all(self.client.clone(), self.metrics.clone(), patches, Arc::default()).await;
        tracing::info!(ingresses = done.len(), "the last replica leaves: statuses are empty");
        for Written { ingress, result, .. } in done {
            if let Err(Failure { why, .. }) = result {
                tracing::warn!("the status of Ingress {ingress} stays: {why}");
            }
        }
    }
}

/// Returns what was tried: not all of it where nothing arrives, or where it is broken off.
async fn write_all(
    client: Client,
    metrics: Metrics,
    patches: Vec<(StatusPatch, Version)>,
    stop: Arc<AtomicBool>,
) -> Vec<Written> {
    let writes = stream::iter(patches)
        .take_while(|_| future::ready(!stop.load(Ordering::Relaxed)))
        .map(|(patch, version)| write_one(&client, &metrics, patch, version));
    let mut writes = writes.buffer_unordered(PARALLEL);
    let (mut done, mut failures) = (Vec::new(), 0);
    while let Some(written) = writes.next().await {
        failures += usize::from(written.fails_for_all());
        done.push(written);
        if failures == FAILURES {
            break;
        }
    }
    done
}

async fn write_one(client: &Client, metrics: &Metrics, patch: StatusPatch, version: Version) -> Written {
    let StatusPatch { ingress, addresses } = patch;
    let api: Api<Ingress> = Api::namespaced(client.clone(), &ingress.namespace);
    let body = Patch::Merge(serde_json::json!({ "status": { "loadBalancer": { "ingress": addresses } } }));
    let params = PatchParams::default();
    let result = match timeout(WRITE, api.patch_status(&ingress.name, &params, &body)).await {
        Ok(Ok(_)) => Ok(()),
        // Deleted meanwhile.
        Ok(Err(kube::Error::Api(status))) if status.code == 404 => Ok(()),
        Ok(Err(error)) => Err(Failure::of(&error)),
        Err(_) => Err(Failure::too_slow(WRITE)),
    };
    metrics.wrote("status", result.is_ok());
    Written { ingress, version, result }
}

fn not_written(what: &str, why: &str) -> Problem {
    let message = format!("the status {what} cannot be written: {why}");
    trouble("status", Reason::StatusNotWritten, Severity::Warning, message)
}

#[cfg(test)]
mod tests;
