//! Tidegate's own Pods: what an operator does to them.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::Context;
use serde_json::{Value, json};

use crate::client::Target;
use crate::cluster::{Cluster, endpoints, items};
use crate::tidegate::{ADMIN_PORT, NAMESPACE, SELECTOR};
use crate::wait;

/// Until Pods are there, or gone: with the time that those have which leave.
const LIMIT: Duration = Duration::from_secs(120);

/// The Service that clients come by.
const SERVICE: &str = "tidegate-controller";

/// The workload of the release, with its Pods.
#[derive(Debug, Clone)]
pub struct Fleet {
    cluster: Cluster,
}

/// One of its Pods.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pod {
    /// Its name.
    pub name: String,
    /// Its address; empty while it has none.
    pub address: String,
    /// Whether it was told to leave.
    pub leaves: bool,
    /// Whether all of its containers are ready.
    pub ready: bool,
    /// How often its containers were started again, by name.
    pub restarts: Vec<(String, u64)>,
}

impl Pod {
    fn read(pod: &Value) -> Self {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let containers = || items(&pod["status"]["containerStatuses"]);
        Self {
            name: text(&pod["metadata"]["name"]),
            address: text(&pod["status"]["podIP"]),
            leaves: !pod["metadata"]["deletionTimestamp"].is_null(),
            ready: containers().count() > 0 && containers().all(|container| container["ready"] == true),
            restarts: containers()
                .map(|container| (text(&container["name"]), container["restartCount"].as_u64().unwrap_or_default()))
                .collect(),
        }
    }

    /// How often its controller was started again beside a container that went on, which Kubernetes does not count.
    ///
    /// # Errors
    /// The controller does not answer, or does not say.
    pub async fn controller_restarts(&self) -> anyhow::Result<u64> {
        let target = Target { http_port: ADMIN_PORT, ..Target::new(self.address.parse()?) };
        let page = target.get("admin", "/metrics").await?.text();
        let line = page.lines().find(|line| line.starts_with("tidegate_controller_restarts_total"));
        let (_, count) = line.and_then(|line| line.rsplit_once(' ')).context("no restarts among its metrics")?;
        count.parse().with_context(|| format!("{count} restarts"))
    }
}

impl Fleet {
    /// That of the installed release.
    #[must_use]
    pub fn new(cluster: &Cluster) -> Self {
        Self { cluster: cluster.clone() }
    }

    /// Runs kubectl in Tidegate's namespace.
    ///
    /// # Errors
    /// It fails.
    pub async fn kubectl(&self, arguments: &[&str]) -> anyhow::Result<String> {
        self.cluster.kubectl(&[&["-n", NAMESPACE], arguments].concat()).await
    }

    /// All Pods, those that leave too.
    ///
    /// # Errors
    /// The API server does not answer.
    pub async fn pods(&self) -> anyhow::Result<Vec<Pod>> {
        let pods = self.cluster.json(&["get", "pods", "-n", NAMESPACE, "-l", SELECTOR]).await?;
        Ok(items(&pods["items"]).map(Pod::read).collect())
    }

    /// The Pods that stay.
    ///
    /// # Errors
    /// The API server does not answer.
    pub async fn staying(&self) -> anyhow::Result<Vec<Pod>> {
        Ok(self.pods().await?.into_iter().filter(|pod| !pod.leaves).collect())
    }

    /// The Pods that the Service sends new connections to.
    ///
    /// # Errors
    /// The API server does not answer.
    pub async fn behind(&self) -> anyhow::Result<BTreeSet<String>> {
        let selector = format!("kubernetes.io/service-name={SERVICE}");
        let slices = self.cluster.json(&["get", "endpointslices", "-n", NAMESPACE, "-l", &selector]).await?;
        let listed = items(&slices["items"]).flat_map(endpoints).filter(|(_, ready)| *ready);
        Ok(listed.map(|(pod, _)| pod).collect())
    }

    /// Waits until the Service has the Pods that are ready behind it, and no others.
    ///
    /// # Errors
    /// It has not in time.
    pub async fn listed(&self) -> anyhow::Result<()> {
        let differs = || async {
            let listed = self.behind().await?;
            let ready = self.staying().await?.into_iter().filter(|pod| pod.ready);
            let ready: BTreeSet<_> = ready.map(|pod| pod.name).collect();
            Ok((listed == ready).then_some(()).ok_or((listed, ready)))
        };
        wait::until_eq("the ready Pods behind the Service", LIMIT, Ok(()), differs).await.map(drop)
    }

    /// The Pod of ours that holds a Lease.
    ///
    /// # Errors
    /// The API server does not answer.
    pub async fn leader(&self) -> anyhow::Result<Option<String>> {
        let pods = self.staying().await?;
        let leases = self.cluster.json(&["get", "leases", "-n", NAMESPACE]).await?;
        let mut holders = items(&leases["items"]).filter_map(|lease| lease["spec"]["holderIdentity"].as_str());
        Ok(holders.find(|holder| pods.iter().any(|pod| pod.name == *holder)).map(str::to_owned))
    }

    /// The one workload, as `kind/name`.
    async fn workload(&self) -> anyhow::Result<String> {
        let name = self.kubectl(&["get", "deployment", "-l", SELECTOR, "-o", "name"]).await?;
        Ok(name.trim().to_owned())
    }

    /// Waits until all Pods are of the newest kind and ready.
    ///
    /// # Errors
    /// They are not in time.
    pub async fn rolled_out(&self) -> anyhow::Result<()> {
        self.kubectl(&["rollout", "status", &self.workload().await?, "--timeout=120s"]).await.map(drop)
    }

    /// Replaces all Pods, one after the other, and waits until the new ones are ready.
    ///
    /// # Errors
    /// They are not in time.
    pub async fn restart(&self) -> anyhow::Result<()> {
        self.kubectl(&["rollout", "restart", &self.workload().await?]).await?;
        self.rolled_out().await
    }

    /// Has so many Pods, and waits until all others are leaving.
    ///
    /// # Errors
    /// They do not come in time.
    pub async fn scale(&self, replicas: usize) -> anyhow::Result<()> {
        self.kubectl(&["scale", &self.workload().await?, &format!("--replicas={replicas}")]).await?;
        self.rolled_out().await?;
        let staying = || async { Ok(self.staying().await?.len()) };
        wait::until_eq("the Pods", LIMIT, replicas, staying).await.map(drop)
    }

    /// Has one Pod and waits until all others are gone: what a test before this one left, too.
    ///
    /// # Errors
    /// They are not in time.
    pub async fn alone(&self) -> anyhow::Result<Pod> {
        self.scale(1).await?;
        let only = || async {
            let mut pods = self.pods().await?;
            Ok(pods.pop().filter(|pod| pods.is_empty() && pod.ready))
        };
        wait::until("the only Pod", LIMIT, only).await.map(|(pod, _)| pod)
    }

    /// Asks for a Pod to leave, as who drains a node does.
    ///
    /// # Errors
    /// The PodDisruptionBudget forbids it, or the API server does not answer.
    pub async fn evict(&self, pod: &str) -> anyhow::Result<()> {
        let metadata = json!({ "name": pod, "namespace": NAMESPACE });
        let eviction = json!({ "apiVersion": "policy/v1", "kind": "Eviction", "metadata": metadata });
        let path = format!("/api/v1/namespaces/{NAMESPACE}/pods/{pod}/eviction");
        self.cluster.create_raw(&path, &eviction).await
    }

    /// Waits until a Pod that was told to leave is gone.
    ///
    /// # Errors
    /// It is not in time.
    pub async fn gone(&self, pod: &str) -> anyhow::Result<()> {
        let arguments = ["wait", "--for=delete", &format!("pod/{pod}"), "--timeout=120s"];
        self.kubectl(&arguments).await.map(drop)
    }
}
