//! A second Tidegate, outside of any Pod, with fewer permissions.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::Context;
use e2e::client::Target;
use e2e::cluster::{Cluster, Namespace};
use e2e::objects::{ingress, rule};
use serde_json::{Value, json};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use super::rules::Permission;

const CLASS: &str = "rbac-probe";
const CONTROLLER: &str = "tidegate.dev/rbac-probe";
const HEALTHZ_PORT: u16 = 20254;
/// Enough for all first lists, the first status and the first Event.
const LIMIT: Duration = Duration::from_secs(15);
/// Complaints come within this time, or never, once it is ready.
const QUIET: Duration = Duration::from_secs(4);

/// An account, and objects that give it something to do.
pub struct Probe {
    namespace: Namespace,
    /// An Ingress that wants a status and an Event.
    broken: Value,
    granted: BTreeSet<Permission>,
    binary: PathBuf,
    folder: tempfile::TempDir,
}

/// What was seen of one run.
#[derive(Debug, PartialEq, Eq)]
pub struct Seen {
    pub ready: bool,
    /// The last that `/readyz` said.
    pub readyz: String,
    /// The first line of the log about something forbidden.
    pub complaint: Option<String>,
}

impl Probe {
    pub async fn prepare(cluster: &Cluster, granted: &BTreeSet<Permission>) -> anyhow::Result<Self> {
        let binary = std::env::var_os("TIDEGATE_BINARY").context("TIDEGATE_BINARY is not set")?.into();
        let namespace = cluster.namespace("rbac").await?;
        let name = namespace.name();
        let account = json!({ "kind": "ServiceAccount", "name": "probe", "namespace": name });
        let role = json!({ "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": CLASS });
        let spec =
            json!({ "ingressClassName": CLASS, "rules": [rule("rbac.example", "/", "Prefix", "no-such-service")] });
        cluster
            .apply(&[
                json!({ "apiVersion": "v1", "kind": "ServiceAccount", "metadata": { "name": "probe", "namespace": name } }),
                json!({
                    "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
                    "metadata": { "name": CLASS }, "roleRef": role, "subjects": [account],
                }),
                json!({
                    "apiVersion": "networking.k8s.io/v1", "kind": "IngressClass",
                    "metadata": { "name": CLASS },
                    "spec": {
                        "controller": CONTROLLER,
                        "parameters": {
                            "apiGroup": "tidegate.dev", "kind": "IngressClassParameters", "name": CLASS, "scope": "Cluster",
                        },
                    },
                }),
            ])
            .await?;
        let broken = ingress("broken", spec);
        let probe = Self { namespace, broken, granted: granted.clone(), binary, folder: tempfile::tempdir()? };
        fs::write(probe.kubeconfig(), cluster.kubeconfig(probe.namespace.name(), "probe").await?)?;
        Ok(probe)
    }

    fn kubeconfig(&self) -> PathBuf {
        self.folder.path().join("kubeconfig")
    }

    /// Runs with all permissions but those on one resource.
    pub async fn run(&self, without: Option<&String>) -> anyhow::Result<Seen> {
        self.grant(without).await?;
        // A new one each time: what a run before this one wrote need not be written again.
        self.namespace.kubectl(&["delete", "ingress", "broken", "--ignore-not-found"]).await?;
        self.namespace.kubectl(&["delete", "ingressclassparameters", CLASS, "--ignore-not-found"]).await?;
        self.namespace.apply(std::slice::from_ref(&self.broken)).await?;
        // It wants a condition.
        let parameters = json!({
            "apiVersion": "tidegate.dev/v1alpha1", "kind": "IngressClassParameters", "metadata": { "name": CLASS },
            "spec": {},
        });
        self.namespace.cluster().apply(&[parameters]).await?;
        let log = fs::File::create(self.folder.path().join("log"))?;
        let mut child = self.command().stdout(log.try_clone()?).stderr(log).spawn().context("starting Tidegate")?;
        let seen = self.watch().await;
        leave(&mut child).await?;
        let mut seen = seen?;
        // Some permissions are for leaving only.
        seen.complaint = seen.complaint.or(self.complaint()?);
        Ok(seen)
    }

    /// The first line of the log about something forbidden.
    fn complaint(&self) -> anyhow::Result<Option<String>> {
        let text = fs::read_to_string(self.folder.path().join("log"))?;
        Ok(text.lines().find(|line| line.contains("forbidden")).map(str::to_owned))
    }

    /// As ClusterRole, whatever the chart's is: this account reads everywhere.
    async fn grant(&self, without: Option<&String>) -> anyhow::Result<()> {
        let kept = self.granted.iter().filter(|permission| Some(&permission.resource) != without);
        let rules: Vec<_> = kept
            .map(|one| json!({ "apiGroups": [one.group], "resources": [one.resource], "verbs": [one.verb] }))
            .collect();
        let role = json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
            "metadata": { "name": CLASS }, "rules": rules,
        });
        self.namespace.cluster().apply(&[role]).await
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.binary);
        command
            .arg("run")
            .args(["--http-port=20080", "--https-port=20443", &format!("--healthz-port={HEALTHZ_PORT}")])
            .args([&format!("--controller-class={CONTROLLER}"), &format!("--ingress-class={CLASS}")])
            .args([
                &format!("--configmap={}/settings", self.namespace.name()),
                "--publish-service=tidegate/tidegate-controller",
            ])
            .args([&format!("--watch-namespace={}", self.namespace.name())])
            .env("KUBECONFIG", self.kubeconfig())
            .env("POD_NAMESPACE", self.namespace.name())
            .env("POD_NAME", "probe")
            .stdin(Stdio::null())
            .kill_on_drop(true);
        command
    }

    async fn watch(&self) -> anyhow::Result<Seen> {
        let target = Target { http_port: HEALTHZ_PORT, ..Target::new([127, 0, 0, 1].into()) };
        let start = Instant::now();
        let mut seen = Seen { ready: false, readyz: String::new(), complaint: None };
        let mut quiet_until = start + LIMIT;
        while Instant::now() < quiet_until {
            seen.complaint = self.complaint()?;
            if let Ok(answer) = target.get("localhost", "/readyz").await {
                seen.readyz = answer.text();
                if answer.status == 200 && !seen.ready {
                    seen.ready = true;
                    quiet_until = Instant::now() + QUIET;
                }
            }
            // Both places tell, but not in the same moment.
            let told = seen.ready || seen.readyz.contains("forbidden");
            if seen.complaint.is_some() && told {
                break;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        Ok(seen)
    }
}

/// Tells it to leave as the kubelet does, and waits until it has.
async fn leave(child: &mut Child) -> anyhow::Result<()> {
    let pid = child.id().context("Tidegate has left by itself")?;
    Command::new("kill").args(["-TERM", &pid.to_string()]).status().await?;
    timeout(LIMIT, child.wait()).await.context("Tidegate does not leave")??;
    Ok(())
}
