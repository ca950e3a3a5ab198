//! Three replicas: one leads, and one that hangs is replaced.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs;
use std::process::Stdio;
use std::time::{Duration, Instant};

use e2e::cluster::{Cluster, Namespace, items};
use e2e::objects::{EchoApp, ingress_for};
use e2e::tidegate::{NAMESPACE, SELECTOR, Tidegate};
use e2e::wait;
use e2e::watch::Watch;
use serde_json::Value;

/// From its last sign of life to a status that another one writes.
const REPLACED: Duration = Duration::from_secs(15);

async fn pods(cluster: &Cluster) -> Vec<String> {
    let pods = cluster.json(&["get", "pods", "-n", NAMESPACE, "-l", SELECTOR]).await.unwrap();
    let running = items(&pods["items"]).filter(|pod| pod["metadata"]["deletionTimestamp"].is_null());
    running.map(|pod| pod["metadata"]["name"].as_str().unwrap().to_owned()).collect()
}

/// The Pod of ours that holds a Lease.
async fn leader(cluster: &Cluster) -> anyhow::Result<Option<String>> {
    let pods = pods(cluster).await;
    let leases = cluster.json(&["get", "leases", "-n", NAMESPACE]).await?;
    let holders = items(&leases["items"]).filter_map(|lease| lease["spec"]["holderIdentity"].as_str());
    Ok(holders.map(str::to_owned).find(|holder| pods.contains(holder)))
}

async fn scale(cluster: &Cluster, replicas: usize) {
    let deployments = cluster.json(&["get", "deployments", "-n", NAMESPACE, "-l", SELECTOR]).await.unwrap();
    let name = deployments["items"][0]["metadata"]["name"].as_str().unwrap().to_owned();
    let (target, count) = (format!("deployment/{name}"), format!("--replicas={replicas}"));
    cluster.kubectl(&["scale", "-n", NAMESPACE, &target, &count]).await.unwrap();
    cluster.kubectl(&["rollout", "status", "-n", NAMESPACE, &target, "--timeout=120s"]).await.unwrap();
    wait::until_eq("the Pods", Duration::from_secs(120), replicas, || async { Ok(pods(cluster).await.len()) })
        .await
        .unwrap();
}

/// A process that does nothing for now, and goes on when this is dropped.
struct Stopped(String);

impl Stopped {
    /// The process of a Pod that follows the cluster.
    fn controller(pod: &str) -> Self {
        let variable = format!("POD_NAME={pod}");
        let has = |file: String, wanted: &[&str]| {
            let text = fs::read(file).unwrap_or_default();
            text.split(|byte| *byte == 0).any(|part| wanted.iter().any(|one| part == one.as_bytes()))
        };
        let mut processes = fs::read_dir("/proc").unwrap().flatten().filter_map(|it| it.file_name().into_string().ok());
        let found = processes.find(|pid| {
            pid.bytes().all(|byte| byte.is_ascii_digit())
                && has(format!("/proc/{pid}/environ"), &[&variable])
                && has(format!("/proc/{pid}/cmdline"), &["controller", "run"])
        });
        let stopped = Self(found.expect("a process of the Pod"));
        stopped.signal("-STOP");
        stopped
    }

    fn signal(&self, signal: &str) {
        let sent = std::process::Command::new("kill").args([signal, &self.0]).stderr(Stdio::null()).status();
        assert!(signal == "-CONT" || sent.is_ok_and(|status| status.success()), "kill {signal} {}", self.0);
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        self.signal("-CONT");
    }
}

/// Counts the addresses that an Ingress's status gets one after the other.
async fn statuses(namespace: &Namespace, ingress: &str, until: Instant) -> Vec<Value> {
    let path = format!("/apis/networking.k8s.io/v1/namespaces/{}/ingresses", namespace.name());
    let mut watch = Watch::start(&path, &format!("fieldSelector=metadata.name={ingress}")).unwrap();
    let mut seen: Vec<Value> = Vec::new();
    while let Ok(object) = tokio::time::timeout_at(until.into(), watch.next()).await {
        let object = object.unwrap().expect("the watch goes on");
        let status = object["status"]["loadBalancer"]["ingress"].clone();
        if seen.last() != Some(&status) {
            seen.push(status);
        }
    }
    seen
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_hangs_is_replaced_and_no_status_flaps() {
    let cluster = Cluster::from_env().unwrap();
    let tidegate = Tidegate::find(&cluster).await.unwrap();
    let namespace = cluster.namespace("leader").await.unwrap();
    namespace.apply(&EchoApp::new("app", 1).objects()).await.unwrap();
    namespace.apply(&[ingress_for("first", &format!("first.{}", namespace.name()), "app")]).await.unwrap();
    tidegate.serves(&namespace, "first").await.unwrap();

    scale(&cluster, 3).await;
    let (first, _) = wait::until("a leader", Duration::from_secs(20), || leader(&cluster)).await.unwrap();
    let start = Instant::now();
    let watched = statuses(&namespace, "first", start + Duration::from_secs(25));
    let replaced = async {
        let stopped = Stopped::controller(&first);
        let silent = Instant::now();
        namespace.apply(&[ingress_for("second", &format!("second.{}", namespace.name()), "app")]).await.unwrap();
        tidegate.serves(&namespace, "second").await.unwrap();
        let took = silent.elapsed();
        drop(stopped);
        took
    };
    let (seen, took) = tokio::join!(watched, replaced);
    eprintln!("another replica wrote the first status after {took:?}");
    assert!(took < REPLACED, "{took:?}");
    assert_eq!(seen.len(), 1, "{seen:?}");
    let second = leader(&cluster).await.unwrap().expect("somebody leads");
    assert_ne!(second, first);
    scale(&cluster, 1).await;
}
