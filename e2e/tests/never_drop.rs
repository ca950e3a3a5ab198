//! What an operator does to Tidegate and its cluster, and what happens to them by themselves: no request fails, and no
//! long-lived connection ends but at the end of the time that a leaving Pod has.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeSet;
use std::process::Stdio;
use std::time::Duration;

use e2e::cluster::{Cluster, Namespace};
use e2e::crowd::{Crowd, Leave};
use e2e::fleet::{Fleet, Pod};
use e2e::objects::{EchoApp, ingress_for};
use e2e::process::Process;
use e2e::tidegate::NAMESPACE;
use e2e::wait;
use serde_json::{Value, json};

/// Until a controller that was killed is there again, and has seen what it missed.
const LIMIT: Duration = Duration::from_secs(60);
/// Until a change of endpoints is seen by who asks.
const FOLLOWED: Duration = Duration::from_secs(15);
/// How often a controller is asked whether it answers, in the test that has one hang; it hangs after six questions.
const ASKED: Duration = Duration::from_secs(2);
/// Tidegate's workload.
const DEPLOYMENT: &str = "tidegate-controller";
/// The node that nothing comes to but by a test, and what keeps the rest away (e2e/run).
const SPARE: &str = "node2";
const TAINT: &str = "tidegate.dev/spare";

async fn gather() -> Crowd {
    Crowd::gather().await.unwrap()
}

/// Which of these Pods are leaving or gone.
async fn left(fleet: &Fleet, before: Vec<Pod>) -> Vec<Pod> {
    let staying = fleet.staying().await.unwrap();
    before.into_iter().filter(|pod| staying.iter().all(|one| one.name != pod.name)).collect()
}

async fn gone(fleet: &Fleet, pods: &[Pod]) {
    for pod in pods {
        fleet.gone(&pod.name).await.unwrap();
    }
}

/// A new host is made and served.
async fn a_change_is_served(crowd: &Crowd, name: &str) {
    let host = format!("{name}.{}", crowd.namespace.name());
    crowd.namespace.apply(&[ingress_for(name, &host, "app")]).await.unwrap();
    let served = || async { Ok(crowd.tidegate.front.get(&host, "/").await?.status.as_u16()) };
    wait::until_eq("the change", LIMIT, 200, served).await.unwrap();
}

/// A slice of a Service beside those that Kubernetes makes for it.
fn slice(service: &str, addresses: &[String]) -> Value {
    let endpoint = |address| json!({ "addresses": [address] });
    json!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
        "metadata": { "name": format!("{service}-more"), "labels": { "kubernetes.io/service-name": service } },
        "addressType": "IPv4",
        "ports": [{ "name": "http", "port": 3000 }],
        "endpoints": addresses.iter().map(endpoint).collect::<Vec<_>>(),
    })
}

/// What changes and concerns no endpoint: another host comes in the place of the one before, and a Service has another label.
fn beside(namespace: &Namespace, round: usize) -> [Value; 2] {
    let mut app = EchoApp::new("app", 2).service();
    app["metadata"]["labels"] = json!({ "round": format!("r{round}") });
    [ingress_for("other", &format!("other-{round}.{}", namespace.name()), "app"), app]
}

/// Who answers for a host of the crowd, on new connections.
async fn who_answers(crowd: &Crowd, app: &str, requests: usize) -> anyhow::Result<BTreeSet<String>> {
    let host = format!("{app}.{}", crowd.namespace.name());
    let mut pods = BTreeSet::new();
    for _ in 0..requests {
        pods.insert(crowd.tidegate.front.get(&host, "/").await?.echo("pod"));
    }
    Ok(pods)
}

/// These are the endpoints of an app from now on: soon all of them answer, and nobody else.
async fn only_these_answer(crowd: &Crowd, app: &str, pods: &BTreeSet<String>) {
    let answering = || who_answers(crowd, app, 30);
    wait::until_eq(&format!("who answers for {app}"), FOLLOWED, pods.clone(), answering).await.unwrap();
    assert_eq!(who_answers(crowd, app, 200).await.unwrap(), *pods, "of {app}");
}

/// Endpoints come and go dozens of times a second, of the requests' app and of that of the sessions, whose own stays; so do
/// routes beside the crowd's, less often. Now and then they rest: then exactly those answer that are there.
#[tokio::test(flavor = "multi_thread")]
async fn endpoints_and_routes_that_come_and_go_disturb_nobody() {
    let crowd = gather().await;
    let list = crowd.namespace.json(&["get", "pods"]).await.unwrap();
    let pod = |pod: &Value| {
        let [name, app, address] =
            ["/metadata/name", "/metadata/labels/app", "/status/podIP"].map(|path| pod.pointer(path)?.as_str());
        (name.unwrap().to_owned(), app.unwrap().to_owned(), address.unwrap().to_owned())
    };
    let pods: Vec<_> = list["items"].as_array().unwrap().iter().map(pod).collect();
    let all: BTreeSet<_> = pods.iter().map(|(name, ..)| name.clone()).collect();
    let of = |service: &str| -> BTreeSet<_> {
        pods.iter().filter(|(_, app, _)| app == service).map(|(name, ..)| name.clone()).collect()
    };
    let addresses: Vec<String> = pods.iter().map(|(.., address)| address.clone()).collect();
    // kubectl applies them one after the other: each is a change that is seen.
    let changes = |round: usize| {
        let endpoints = slice(["app", "talk"][round % 2], &addresses[..(round / 2) % (addresses.len() + 1)]);
        let others = round.is_multiple_of(10).then(|| beside(&crowd.namespace, round));
        others.into_iter().flatten().chain([endpoints])
    };
    for part in 0..4 {
        let changes: Vec<_> = (part * 50..(part + 1) * 50).flat_map(changes).collect();
        let begun = std::time::Instant::now();
        crowd.namespace.apply(&changes).await.unwrap();
        eprintln!("{} changes in {:?}", changes.len(), begun.elapsed());
        let is_full = part % 2 == 0;
        for app in ["app", "talk"] {
            let extra: &[String] = if is_full { &addresses } else { &[] };
            crowd.namespace.apply(&[slice(app, extra)]).await.unwrap();
            only_these_answer(&crowd, app, &if is_full { all.clone() } else { of(app) }).await;
        }
    }
    crowd.go_home(None).await.unwrap();
}

/// All Pods of the app behind are replaced.
#[tokio::test(flavor = "multi_thread")]
async fn a_new_app_is_not_noticed() {
    let crowd = gather().await;
    crowd.namespace.kubectl(&["rollout", "restart", "deployment", "app"]).await.unwrap();
    crowd.namespace.kubectl(&["rollout", "status", "deployment", "app", "--timeout=120s"]).await.unwrap();
    crowd.namespace.endpoints_ready("app", 2).await.unwrap();
    // The last old Pod is leaving now.
    tokio::time::sleep(Duration::from_secs(2)).await;
    crowd.go_home(None).await.unwrap();
}

/// The controller of the only Pod is killed, in the middle of changes. Its container goes on, so that new connections come
/// all the while; the data plane serves on, and the next controller goes on from it.
#[tokio::test(flavor = "multi_thread")]
async fn a_controller_that_dies_is_not_noticed() {
    let crowd = gather().await;
    let [pod]: [Pod; 1] = crowd.fleet.staying().await.unwrap().try_into().expect("one Pod");
    let before = pod.controller_restarts().await.unwrap();
    for round in 1..=3 {
        let host = format!("during-{round}.{}", crowd.namespace.name());
        crowd.namespace.apply(&[ingress_for("during", &host, "app")]).await.unwrap();
        let controller = Process::plane_of(&pod.name, "controller").unwrap();
        controller.kill().unwrap();
        let another = || async { Ok(controller.successor()) };
        wait::until("another controller", LIMIT, another).await.unwrap();
        a_change_is_served(&crowd, &format!("after-{round}")).await;
        assert_eq!(pod.controller_restarts().await.unwrap(), before + round);
    }
    // Neither readiness nor the counts of Kubernetes have changed.
    assert_eq!(crowd.fleet.staying().await.unwrap(), [pod]);
    crowd.go_home(None).await.unwrap();
}

/// Puts something back, and says so where it cannot.
fn put_back(arguments: &[&str]) {
    let done = std::process::Command::new("kubectl").args(arguments).stdout(Stdio::null()).status();
    if !done.is_ok_and(|status| status.success()) {
        eprintln!("not done: kubectl {arguments:?}");
    }
}

/// Tidegate's command lines as they were before a patch, also after a failure in between: other tests have the same Pods.
struct Arguments;

impl Drop for Arguments {
    fn drop(&mut self) {
        put_back(&["rollout", "undo", "-n", NAMESPACE, "deployment", DEPLOYMENT]);
        put_back(&["rollout", "status", "-n", NAMESPACE, "deployment", DEPLOYMENT, "--timeout=120s"]);
    }
}

/// The controller of the only Pod hangs: it is replaced, and new connections come all the while. It is asked more often than
/// by default, every ten seconds, so that it is found sooner.
#[tokio::test(flavor = "multi_thread")]
async fn a_controller_that_hangs_is_not_noticed() {
    let fleet = Fleet::new(&Cluster::from_env().unwrap());
    let flag = format!("--supervision-period={}", ASKED.as_millis());
    let arguments = "/spec/template/spec/containers/0/args/-";
    let patch = json!([{ "op": "add", "path": arguments, "value": flag }]).to_string();
    fleet.kubectl(&["patch", "deployment", DEPLOYMENT, "--type=json", "-p", &patch]).await.unwrap();
    let _as_before = Arguments;
    fleet.rolled_out().await.unwrap();
    let crowd = gather().await;
    let pods = crowd.fleet.staying().await.unwrap();
    let controller = Process::plane_of(&pods[0].name, "controller").unwrap();
    controller.signal("-STOP").unwrap();
    let another = || async { Ok(controller.successor()) };
    let (_, took) = wait::until("another controller", LIMIT, another).await.unwrap();
    eprintln!("there was another controller after {took:?}");
    a_change_is_served(&crowd, "after").await;
    assert_eq!(crowd.fleet.staying().await.unwrap(), pods);
    crowd.go_home(None).await.unwrap();
}

/// Of three controllers the one that leads is killed: its data plane, too, has all that it had.
#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_dies_is_not_noticed() {
    let crowd = Crowd::gather_at(3).await.unwrap();
    let fleet = crowd.fleet.clone();
    let (leader, _) = wait::until("a leader", LIMIT, || fleet.leader()).await.unwrap();
    Process::plane_of(&leader, "controller").unwrap().kill().unwrap();
    a_change_is_served(&crowd, "after").await;
    crowd.tidegate.serves(&crowd.namespace, "after").await.unwrap();
    crowd.go_home(None).await.unwrap();
    fleet.scale(1).await.unwrap();
}

/// Scaling up disturbs nobody; scaling down ends sessions at the end of the leaving Pod's time, and loses no request.
#[tokio::test(flavor = "multi_thread")]
async fn more_and_fewer_replicas_lose_nothing() {
    let crowd = Crowd::gather_at(2).await.unwrap();
    crowd.fleet.scale(3).await.unwrap();
    let before = Leave::now(crowd.fleet.staying().await.unwrap());
    crowd.fleet.scale(1).await.unwrap();
    let leave = before.only(left(&crowd.fleet, before.pods()).await);
    gone(&crowd.fleet, &leave.pods()).await;
    crowd.go_home(Some(leave)).await.unwrap();
}

/// Both nodes as they were, also after a failure in between: other tests need the first one.
struct Nodes;

impl Drop for Nodes {
    fn drop(&mut self) {
        let taint = format!("{TAINT}=:NoSchedule");
        put_back(&["uncordon", "node1"]);
        put_back(&["taint", "node", SPARE, "--overwrite", &taint]);
        put_back(&["uncordon", SPARE]);
    }
}

/// A node is drained, as an operator does it: Tidegate's Pod there is evicted, and comes again on the other node.
#[tokio::test(flavor = "multi_thread")]
async fn a_drained_node_loses_no_request() {
    let cluster = Cluster::from_env().unwrap();
    let fleet = Fleet::new(&cluster);
    let kubectl = async |arguments: &[&str]| cluster.kubectl(arguments).await.unwrap();
    fleet.alone().await.unwrap();
    let _as_before = Nodes;
    // The second Pod is on the spare node, and everything that comes after it is not.
    kubectl(&["cordon", "node1"]).await;
    kubectl(&["taint", "node", SPARE, &format!("{TAINT}-")]).await;
    fleet.scale(2).await.unwrap();
    kubectl(&["taint", "node", SPARE, &format!("{TAINT}=:NoSchedule")]).await;
    kubectl(&["uncordon", "node1"]).await;
    let crowd = Crowd::gather_at(2).await.unwrap();
    let there = ["get", "pods", "-n", NAMESPACE, "-o", "name", "--field-selector", &format!("spec.nodeName={SPARE}")];
    let there = kubectl(&there).await;
    let is_there = |pod: &Pod| there.contains(&pod.name);
    let leave = Leave::now(fleet.staying().await.unwrap().into_iter().filter(is_there).collect());
    assert_eq!(leave.pods().len(), 1, "on {SPARE}: {there}");

    kubectl(&["drain", SPARE, "--ignore-daemonsets", "--delete-emptydir-data", "--timeout=120s"]).await;
    fleet.rolled_out().await.unwrap();
    crowd.go_home(Some(leave)).await.unwrap();
    fleet.scale(1).await.unwrap();
}

/// An update of Tidegate: the new Pod serves before the old one leaves, and the old one tells its clients to come again
/// before it closes.
#[tokio::test(flavor = "multi_thread")]
async fn a_new_tidegate_loses_nothing() {
    let crowd = gather().await;
    let leave = Leave::now(crowd.fleet.staying().await.unwrap());
    crowd.fleet.restart().await.unwrap();
    gone(&crowd.fleet, &leave.pods()).await;
    crowd.go_home(Some(leave)).await.unwrap();
}
