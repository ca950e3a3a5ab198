//! Three replicas: one leads, and one that hangs is replaced, which the crowd does not notice; so is one whose Pod is gone.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::{Duration, Instant};

use e2e::cluster::{Cluster, Namespace};
use e2e::crowd::Crowd;
use e2e::fleet::Fleet;
use e2e::objects::{EchoApp, ingress_for};
use e2e::process::Process;
use e2e::tidegate::Tidegate;
use e2e::wait;
use e2e::watch::Watch;
use serde_json::Value;

/// From its last sign of life to a status that another one writes.
const REPLACED: Duration = Duration::from_secs(15);

/// A process that does nothing for now, and goes on when this is dropped.
struct Stopped(Process);

impl Stopped {
    fn controller(pod: &str) -> Self {
        let process = Process::plane_of(pod, "controller").unwrap();
        process.signal("-STOP").unwrap();
        Self(process)
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        self.0.signal("-CONT").ok();
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
    let crowd = Crowd::gather_at(3).await.unwrap();
    let (namespace, tidegate, fleet) = (&crowd.namespace, &crowd.tidegate, crowd.fleet.clone());
    let (first, _) = wait::until("a leader", Duration::from_secs(20), || fleet.leader()).await.unwrap();
    let start = Instant::now();
    let watched = statuses(namespace, "app", start + Duration::from_secs(25));
    let replaced = async {
        let stopped = Stopped::controller(&first);
        let silent = Instant::now();
        namespace.apply(&[ingress_for("second", &format!("second.{}", namespace.name()), "app")]).await.unwrap();
        tidegate.serves(namespace, "second").await.unwrap();
        let took = silent.elapsed();
        drop(stopped);
        took
    };
    let (seen, took) = tokio::join!(watched, replaced);
    eprintln!("another replica wrote the first status after {took:?}");
    assert!(took < REPLACED, "{took:?}");
    assert_eq!(seen.len(), 1, "{seen:?}");
    let second = fleet.leader().await.unwrap().expect("somebody leads");
    assert_ne!(second, first);
    crowd.go_home(None).await.unwrap();
    fleet.scale(1).await.unwrap();
}

/// Its Pod is deleted without a moment to leave in, and it hung already: it hands over nothing. Clients of that Pod do lose
/// their connections, so there are none.
#[tokio::test(flavor = "multi_thread")]
async fn a_leader_whose_pod_is_gone_is_replaced() {
    let cluster = Cluster::from_env().unwrap();
    let (tidegate, fleet) = (Tidegate::find(&cluster).await.unwrap(), Fleet::new(&cluster));
    fleet.scale(3).await.unwrap();
    let namespace = cluster.namespace("leader").await.unwrap();
    namespace.apply(&EchoApp::new("app", 1).objects()).await.unwrap();
    namespace.endpoints_ready("app", 1).await.unwrap();
    let (first, _) = wait::until("a leader", Duration::from_secs(20), || fleet.leader()).await.unwrap();
    let _stopped = Stopped::controller(&first);
    let silent = Instant::now();
    fleet.kubectl(&["delete", "pod", &first, "--grace-period=0", "--force"]).await.unwrap();
    namespace.apply(&[ingress_for("app", &format!("app.{}", namespace.name()), "app")]).await.unwrap();
    tidegate.serves(&namespace, "app").await.unwrap();
    let took = silent.elapsed();
    eprintln!("another replica wrote the first status after {took:?}");
    assert!(took < REPLACED, "{took:?}");
    let second = fleet.leader().await.unwrap().expect("somebody leads");
    assert_ne!(second, first);
    fleet.scale(1).await.unwrap();
}
