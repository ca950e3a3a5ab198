//! Our replicas: the Pods with the labels of ours.
//!
//! Asks for `get` and `list` of `pods` in our own namespace.

use std::{sync::Arc, time::Duration};

use compile::{NamespacedName, Problem, Reason, Severity};
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
        Ok(self.running().await?.into_iter().filter(stays).collect())
    }

    /// All that have not ended, this one too.
    async fn running(&self) -> kube::Result<Vec<Pod>> {
        let me = self.api.get(&self.name).await?;
        let labels = me.metadata.labels.iter().flatten().filter(|(key, _)| !NOT_SHARED.contains(&key.as_str()));
        let labels: Vec<String> = labels.map(|(key, value)| format!("{key}={value}")).collect();
        // Without labels there is nothing that we could be told by.
        let pods = match labels.is_empty() {
            true => vec![me],
            false => self.api.list(&ListParams::default().labels(&labels.join(","))).await?.items,
        };
        Ok(pods.into_iter().filter(runs).collect())
    }

    /// Who else is there when this one leaves.
    pub(crate) async fn company(&self) -> kube::Result<Company> {
        let pods = self.running().await?;
        let mut others = pods.iter().filter(|pod| pod.metadata.name.as_ref() != Some(&self.name));
        if others.clone().any(stays) {
            return Ok(Company::Stays);
        }
        let before_us = others.any(|pod| pod.metadata.name.as_ref().is_some_and(|name| *name < self.name));
        Ok(if before_us { Company::LeavesFirst } else { Company::None })
    }

    /// Says early, and not only at the end, that they cannot be found.
    pub(crate) async fn check(self, mut leader: Leader, board: Arc<Board>) {
        loop {
            leader.elected().await;
            tokio::select! {
                () = self.check_while_leading(&board) => {}
                () = leader.changed() => board.find("replicas", Vec::new()),
            }
        }
    }

    async fn check_while_leading(&self, board: &Board) {
        loop {
            let problem = self.company().await.err().map(|error| unknown(&explain(&error)));
            board.find("replicas", problem.into_iter().collect());
            sleep(CHECK).await;
        }
    }
}

fn unknown(why: &str) -> Problem {
    let message = format!(
        "whether other replicas are there is not known, so that the last one will leave statuses as they are: {why}"
    );
    trouble("replicas", Reason::ReplicasUnknown, Severity::Warning, message)
}

/// Who else is there when a replica leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Company {
    /// Somebody goes on.
    Stays,
    /// All others leave too, one of them before us in the order of names.
    LeavesFirst,
    /// Nobody, or those who leave after us in that order.
    None,
}

fn runs(pod: &Pod) -> bool {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    !matches!(phase, Some("Succeeded" | "Failed"))
}

fn stays(pod: &Pod) -> bool {
    pod.metadata.deletion_timestamp.is_none() && runs(pod)
}
