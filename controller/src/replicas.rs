//! Our replicas: the Pods with the labels of ours.
//!
//! Asks for `get` and `list` of `pods` in our own namespace.

use std::{sync::Arc, time::Duration};

use compile::{NamespacedName, Reason, Severity};
use k8s_openapi::api::core::v1::Pod;
use kube::{Api, Client, api::ListParams};
use tokio::time::sleep;

use crate::{
    board::{Board, trouble},
    lease::Leader,
    source::cluster::explain,
};

/// How often it is looked at whether they can be found.
const CHECK: Duration = Duration::from_secs(60);

/// Labels that differ between revisions of one workload, or between its Pods.
const NOT_SHARED: [&str; 7] = [
    "pod-template-hash",
    "controller-revision-hash",
    "pod-template-generation",
    "statefulset.kubernetes.io/pod-name",
    "apps.kubernetes.io/pod-index",
    "app.kubernetes.io/version",
    "helm.sh/chart",
];

/// Finds them. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Replicas {
    api: Api<Pod>,
    name: String,
}

impl Replicas {
    /// Those of this Pod.
    pub(crate) fn of(client: Client, pod: &NamespacedName) -> Self {
        Self { api: Api::namespaced(client, &pod.namespace), name: pod.name.to_string() }
    }

    /// All that are not on their way out, this one too.
    pub(crate) async fn all(&self) -> kube::Result<Vec<Pod>> {
        let me = self.api.get(&self.name).await?;
        let labels = me.metadata.labels.iter().flatten().filter(|(key, _)| !NOT_SHARED.contains(&key.as_str()));
        let labels: Vec<String> = labels.map(|(key, value)| format!("{key}={value}")).collect();
        // Without labels there is nothing that we could be told by.
        let pods = match labels.is_empty() {
            true => vec![me],
            false => self.api.list(&ListParams::default().labels(&labels.join(","))).await?.items,
        };
        Ok(pods.into_iter().filter(stays).collect())
    }

    /// Whether there is another one that goes on.
    pub(crate) async fn has_others(&self) -> kube::Result<bool> {
        Ok(self.all().await?.iter().any(|pod| pod.metadata.name.as_ref() != Some(&self.name)))
    }

    /// Says early, and not only at the end, that they cannot be found.
    pub(crate) async fn check(self, mut leader: Leader, board: Arc<Board>) {
        loop {
            leader.elected().await;
            let problem = self.has_others().await.err().map(|error| {
                let message = format!(
                    "whether other replicas are there is not known, so that the last one will leave statuses as they \
                     are: {}",
                    explain(&error)
                );
                trouble("replicas", Reason::ReplicasUnknown, Severity::Warning, message)
            });
            board.find("replicas", problem.into_iter().collect());
            sleep(CHECK).await;
        }
    }
}

fn stays(pod: &Pod) -> bool {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    pod.metadata.deletion_timestamp.is_none() && !matches!(phase, Some("Succeeded" | "Failed"))
}
