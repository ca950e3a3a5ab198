//! Writes `status.loadBalancer` of Ingresses.

use std::{
    collections::{BTreeMap, BTreeSet},
    future,
    sync::Arc,
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
    time::{Instant, sleep_until},
};

use super::contest::{Claim, Contests};
use crate::{
    board::{Board, trouble},
    metrics::Metrics,
    source::cluster::explain,
};

/// Writes at the same time.
const PARALLEL: usize = 8;

/// After a write that failed.
const PAUSE: Duration = Duration::from_secs(5);

/// Writes what differs, one round at a time.
pub(crate) struct Writer {
    client: Client,
    metrics: Metrics,
    board: Arc<Board>,
    round: JoinSet<Vec<Written>>,
    /// What was written to which version of an Ingress. Until its watch tells the next version, it is not repeated.
    written: BTreeMap<NamespacedName, Version>,
    contests: Contests,
    /// No write before this.
    pause: Option<Instant>,
}

/// A patch, and why it did not arrive if so.
struct Written {
    ingress: NamespacedName,
    version: Version,
    error: Option<String>,
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
            written: BTreeMap::new(),
            contests: Contests::default(),
            pause: None,
        }
    }

    async fn ready(&mut self, objects: &watch::Sender<Arc<Objects>>) {
        if self.round.is_empty() {
            match self.pause.or_else(|| self.contests.wake(Instant::now())) {
                Some(until) => sleep_until(until).await,
                None => future::pending().await,
            }
            self.pause = None;
        } else {
            let done = self.round.join_next().await;
            self.finish(done.and_then(Result::ok).unwrap_or_default());
        }
        let objects = objects.borrow().clone();
        self.written.retain(|ingress, _| objects.ingresses.contains_key(ingress));
        self.contests.forget(Instant::now(), |ingress| objects.ingresses.contains_key(ingress));
        self.board.find("status contest", self.contests.problems());
    }

    fn finish(&mut self, round: Vec<Written>) {
        let mut problem = None;
        for Written { ingress, version, error } in round {
            match error {
                None => {
                    self.contests.wrote(ingress.clone(), version.claim.clone(), Instant::now());
                    self.written.insert(ingress, version);
                }
                // One of them is enough: what keeps one from arriving keeps most others too.
                Some(error) => problem = Some(not_written(&ingress, &error)),
            }
        }
        self.pause = problem.is_some().then(|| Instant::now() + PAUSE);
        self.board.find("status", problem.into_iter().collect());
    }

    /// Begins to write what differs, unless a round is under way: its end makes [`ready`] so.
    pub(super) fn write(
        &mut self,
        objects: &Arc<Objects>,
        compiled: &Compiled,
        addresses: &[IngressLoadBalancerIngress],
    ) {
        if !self.round.is_empty() || self.pause.is_some() {
            return;
        }
        let now = Instant::now();
        let patches: Vec<(StatusPatch, Version)> = status(objects, compiled, addresses)
            .into_iter()
            .map(|patch| (Version::of(&patch, objects), patch))
            .filter(|(version, patch)| self.written.get(&patch.ingress) != Some(version))
            .filter(|(version, patch)| !self.contests.holds_off(&patch.ingress, &version.claim, now))
            .map(|(version, patch)| (patch, version))
            .collect();
        if !patches.is_empty() {
            self.round.spawn(write_all(self.client.clone(), self.metrics.clone(), patches));
        }
    }

    /// Takes `addresses` out of the statuses that are these, and out of no other.
    pub(super) async fn remove(
        &mut self,
        objects: &Objects,
        compiled: &Compiled,
        addresses: &[IngressLoadBalancerIngress],
    ) {
        // A write that is under way must not come last.
        while self.round.join_next().await.is_some() {}
        // What differs is somebody else's, or our last write that its watch has not told of yet.
        let differs = status(objects, compiled, addresses).into_iter();
        let (unseen, others): (Vec<_>, Vec<_>) =
            differs.partition(|patch| self.written.get(&patch.ingress) == Some(&Version::of(patch, objects)));
        let others: BTreeSet<_> = others.into_iter().map(|patch| patch.ingress).collect();
        let seen = status(objects, compiled, &[]).into_iter().filter(|patch| !others.contains(&patch.ingress));
        let unseen = unseen.into_iter().map(|patch| StatusPatch { addresses: Vec::new(), ..patch });
        let patches = seen.chain(unseen).map(|patch| (Version::of(&patch, objects), patch));
        let patches = patches.map(|(version, patch)| (patch, version)).collect();
        let done = write_all(self.client.clone(), self.metrics.clone(), patches).await;
        tracing::info!(ingresses = done.len(), "the last replica leaves: statuses are empty");
        for Written { ingress, error, .. } in done {
            if let Some(error) = error {
                tracing::warn!("the status of Ingress {ingress} stays: {error}");
            }
        }
    }
}

async fn write_all(client: Client, metrics: Metrics, patches: Vec<(StatusPatch, Version)>) -> Vec<Written> {
    let writes = patches.into_iter().map(|(patch, version)| write_one(&client, &metrics, patch, version));
    stream::iter(writes).buffer_unordered(PARALLEL).collect().await
}

async fn write_one(client: &Client, metrics: &Metrics, patch: StatusPatch, version: Version) -> Written {
    let StatusPatch { ingress, addresses } = patch;
    let api: Api<Ingress> = Api::namespaced(client.clone(), &ingress.namespace);
    let body = serde_json::json!({ "status": { "loadBalancer": { "ingress": addresses } } });
    let result = api.patch_status(&ingress.name, &PatchParams::default(), &Patch::Merge(body)).await;
    let error = match result {
        Ok(_) => None,
        // Deleted meanwhile.
        Err(kube::Error::Api(status)) if status.code == 404 => None,
        Err(error) => Some(explain(&error)),
    };
    metrics.wrote("status", error.is_none());
    Written { ingress, version, error }
}

fn not_written(ingress: &NamespacedName, error: &str) -> Problem {
    let message = format!("the status of Ingress {ingress}, maybe among others, cannot be written: {error}");
    trouble("status", Reason::StatusNotWritten, Severity::Warning, message)
}
