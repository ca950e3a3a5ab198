//! A hold on the test cluster: kubectl and helm, as its admin.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context, bail};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use crate::wait;

/// The running cluster. Commands find it by the environment that
/// `e2e/cluster/in-node` sets.
#[derive(Debug, Clone)]
pub struct Cluster {
    state: PathBuf,
}

impl Cluster {
    /// The cluster we are inside of.
    ///
    /// # Errors
    /// We are not inside one.
    pub fn from_env() -> anyhow::Result<Self> {
        let state = std::env::var_os("TIDEGATE_E2E")
            .context("TIDEGATE_E2E is not set: these tests run by `make e2e` inside a cluster")?;
        Ok(Self { state: state.into() })
    }

    /// The folder with the cluster's keys, logs and pids.
    #[must_use]
    pub fn state(&self) -> &Path {
        &self.state
    }

    /// Runs kubectl and returns what it prints.
    ///
    /// # Errors
    /// It fails; the error has what it says.
    pub async fn kubectl(&self, arguments: &[&str]) -> anyhow::Result<String> {
        run(Command::new("kubectl").args(arguments), None).await
    }

    /// Runs helm and returns what it prints.
    ///
    /// # Errors
    /// It fails; the error has what it says.
    pub async fn helm(&self, arguments: &[&str]) -> anyhow::Result<String> {
        run(Command::new("helm").args(arguments), None).await
    }

    /// Runs kubectl and parses its answer.
    ///
    /// # Errors
    /// It fails, or prints no JSON.
    pub async fn json(&self, arguments: &[&str]) -> anyhow::Result<Value> {
        let text = self.kubectl(&[arguments, &["-o", "json"]].concat()).await?;
        serde_json::from_str(&text).with_context(|| format!("kubectl {arguments:?} printed no JSON"))
    }

    /// Applies objects together, so that they are created within the same second.
    ///
    /// # Errors
    /// The API server refuses one.
    pub async fn apply(&self, objects: &[Value]) -> anyhow::Result<()> {
        let list = json!({ "apiVersion": "v1", "kind": "List", "items": objects }).to_string();
        run(Command::new("kubectl").args(["apply", "-f", "-"]), Some(&list)).await.map(drop)
    }

    /// Posts an object to a path of the API that has no kubectl command.
    ///
    /// # Errors
    /// The API server refuses.
    pub async fn create_raw(&self, path: &str, object: &Value) -> anyhow::Result<()> {
        run(Command::new("kubectl").args(["create", "--raw", path, "-f", "-"]), Some(&object.to_string()))
            .await
            .map(drop)
    }

    /// Ends the API server (`stop`) by kill -9, or starts it again (`start`).
    ///
    /// # Errors
    /// It cannot be done.
    pub async fn apiserver(&self, arguments: &[&str]) -> anyhow::Result<()> {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/cluster/apiserver");
        run(Command::new(script).args(arguments), None).await.map(drop)
    }

    /// The admin's kubeconfig with a ServiceAccount's token in place of the admin's key.
    ///
    /// # Errors
    /// There is no such account.
    pub async fn kubeconfig(&self, namespace: &str, account: &str) -> anyhow::Result<String> {
        let token = self.kubectl(&["-n", namespace, "create", "token", account]).await?;
        let mut config = self.json(&["config", "view", "--raw", "--flatten"]).await?;
        config["users"][0]["user"] = json!({ "token": token.trim() });
        Ok(config.to_string())
    }

    /// The address of a node, by which Pods reach what listens on it.
    ///
    /// # Errors
    /// kubectl fails, or no node has one.
    pub async fn node_address(&self) -> anyhow::Result<String> {
        let nodes = self.json(&["get", "nodes"]).await?;
        let mut addresses = items(&nodes["items"]).flat_map(|node| items(&node["status"]["addresses"]));
        let internal = addresses.find(|address| address["type"] == "InternalIP");
        let address = internal.and_then(|address| address["address"].as_str());
        address.map(str::to_owned).context("no node has an address")
    }

    /// Makes a namespace for one test.
    ///
    /// # Errors
    /// The API server refuses.
    pub async fn namespace(&self, prefix: &str) -> anyhow::Result<Namespace> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("{prefix}-{}-{number}", std::process::id());
        self.kubectl(&["create", "namespace", &name]).await?;
        Ok(Namespace { cluster: self.clone(), name })
    }
}

/// A namespace of one test, deleted at its end.
#[derive(Debug)]
pub struct Namespace {
    cluster: Cluster,
    name: String,
}

impl Namespace {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its cluster.
    #[must_use]
    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// As [`Cluster::kubectl`], in this namespace.
    ///
    /// # Errors
    /// kubectl fails.
    pub async fn kubectl(&self, arguments: &[&str]) -> anyhow::Result<String> {
        self.cluster.kubectl(&[&["-n", &self.name], arguments].concat()).await
    }

    /// As [`Cluster::json`], in this namespace.
    ///
    /// # Errors
    /// kubectl fails.
    pub async fn json(&self, arguments: &[&str]) -> anyhow::Result<Value> {
        self.cluster.json(&[&["-n", &self.name], arguments].concat()).await
    }

    /// Applies objects in this namespace.
    ///
    /// # Errors
    /// The API server refuses one.
    pub async fn apply(&self, objects: &[Value]) -> anyhow::Result<()> {
        let mut objects = objects.to_vec();
        for object in &mut objects {
            object["metadata"]["namespace"] = json!(self.name);
        }
        self.cluster.apply(&objects).await
    }

    /// Waits until a Service has `count` ready endpoints, and no others.
    ///
    /// # Errors
    /// It does not get them within two minutes.
    pub async fn endpoints_ready(&self, service: &str, count: usize) -> anyhow::Result<Duration> {
        let limit = Duration::from_secs(120);
        let what = format!("{count} ready endpoints of {service}");
        let look = || async move {
            let ready = self.endpoints(service).await?.into_iter().filter(|(_, ready)| *ready).count();
            if ready == count { Ok(Some(())) } else { bail!("there are {ready}") }
        };
        wait::until_each(Duration::from_millis(300), &what, limit, look).await.map(|((), took)| took)
    }

    /// The Pods behind a Service, and whether its EndpointSlices call them ready.
    ///
    /// # Errors
    /// kubectl fails.
    pub async fn endpoints(&self, service: &str) -> anyhow::Result<Vec<(String, bool)>> {
        let selector = format!("kubernetes.io/service-name={service}");
        let slices = self.json(&["get", "endpointslices", "-l", &selector]).await?;
        Ok(items(&slices["items"]).flat_map(endpoints).collect())
    }

    /// The address in an Ingress's status, or none yet.
    ///
    /// # Errors
    /// kubectl fails.
    pub async fn ingress_address(&self, ingress: &str) -> anyhow::Result<Option<String>> {
        let ingress = self.json(&["get", "ingress", ingress]).await?;
        let first = &ingress["status"]["loadBalancer"]["ingress"][0];
        let address = first["ip"].as_str().or_else(|| first["hostname"].as_str());
        Ok(address.map(str::to_owned))
    }
}

/// The Pods of an EndpointSlice, and whether it calls them ready. One made by hand has endpoints that are no Pods.
pub fn endpoints(slice: &Value) -> impl Iterator<Item = (String, bool)> {
    items(&slice["endpoints"]).filter_map(|endpoint| {
        let pod = endpoint["targetRef"]["name"].as_str()?.to_owned();
        Some((pod, endpoint["conditions"]["ready"].as_bool().unwrap_or(true)))
    })
}

/// The items of a JSON list; none when it is something else.
pub fn items(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}

impl Drop for Namespace {
    /// Tells the API server, without waiting: emptying it takes a while, and no
    /// other test looks at it.
    fn drop(&mut self) {
        let arguments = ["delete", "namespace", &self.name, "--wait=false"];
        let deleted = std::process::Command::new("kubectl").args(arguments).stdout(Stdio::null()).status();
        if !deleted.is_ok_and(|status| status.success()) {
            eprintln!("namespace {} is left behind", self.name);
        }
    }
}

async fn run(command: &mut Command, input: Option<&str>) -> anyhow::Result<String> {
    let stdin = if input.is_some() { Stdio::piped() } else { Stdio::null() };
    command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let what = format!("{:?}", command.as_std());
    let mut child = command.spawn().with_context(|| what.clone())?;
    if let (Some(mut stdin), Some(input)) = (child.stdin.take(), input) {
        stdin.write_all(input.as_bytes()).await.with_context(|| what.clone())?;
    }
    let output = child.wait_with_output().await?;
    if !output.status.success() {
        bail!("{what}: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
