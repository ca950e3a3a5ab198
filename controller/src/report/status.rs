//! Writes `status.loadBalancer` of Ingresses.

use std::{collections::BTreeMap, future, sync::Arc, time::Duration};

use compile::{Compiled, NamespacedName, Objects, Problem, Severity, StatusPatch, status};
use futures_util::{StreamExt, stream};
use k8s_openapi::api::networking::v1::{Ingress, IngressLoadBalancerIngress};
use kube::{
    Api, Client,
    api::{Patch, PatchParams},
};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep_until},
};

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
    /// No write before this.
    pause: Option<Instant>,
}

/// A patch, and why it did not arrive if so.
struct Written {
    version: Version,
    ingress: NamespacedName,
    error: Option<String>,
}

/// The version of an Ingress before a write, and the addresses written.
type Version = (Option<String>, Vec<IngressLoadBalancerIngress>);

/// Waits until it is time to look again: a round is over, or a pause.
pub(super) async fn ready(writer: &mut Option<Writer>) {
    let Some(Writer { round, written, pause, board, .. }) = writer else { return future::pending().await };
    if round.is_empty() {
        match *pause {
            Some(until) => sleep_until(until).await,
            None => future::pending().await,
        }
        *pause = None;
        return;
    }
    let done = round.join_next().await;
    let mut problem = None;
    for Written { ingress, version, error } in done.and_then(Result::ok).unwrap_or_default() {
        match error {
            None => drop(written.insert(ingress, version)),
            // One of them is enough: what keeps one from arriving keeps most others too.
            Some(error) => problem = Some(not_written(&ingress, &error)),
        }
    }
    *pause = problem.is_some().then(|| Instant::now() + PAUSE);
    board.find("status", problem.into_iter().collect());
}

impl Writer {
    pub(crate) fn new(client: Client, metrics: Metrics, board: Arc<Board>) -> Self {
        Self { client, metrics, board, round: JoinSet::new(), written: BTreeMap::new(), pause: None }
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
        let version = |patch: &StatusPatch| {
            let ingress = objects.ingresses.get(&patch.ingress);
            (ingress.and_then(|ingress| ingress.metadata.resource_version.clone()), patch.addresses.clone())
        };
        self.written.retain(|name, _| objects.ingresses.contains_key(name));
        let patches: Vec<(StatusPatch, Version)> = status(objects, compiled, addresses)
            .into_iter()
            .map(|patch| (version(&patch), patch))
            .filter(|(version, patch)| self.written.get(&patch.ingress) != Some(version))
            .map(|(version, patch)| (patch, version))
            .collect();
        if !patches.is_empty() {
            self.round.spawn(write_all(self.client.clone(), self.metrics.clone(), patches));
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
    Written { version, ingress, error }
}

fn not_written(ingress: &NamespacedName, error: &str) -> Problem {
    let message = format!("the status of Ingress {ingress}, maybe among others, cannot be written: {error}");
    trouble("status", "StatusNotWritten", Severity::Warning, message)
}
