//! What an operator does to Tidegate and its cluster, and what happens to them by themselves: no request fails, and no
//! long-lived connection ends but at the end of the time that a leaving Pod has.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::Duration;

use e2e::cluster::{Cluster, Namespace};
use e2e::load::{Load, Plan, Protocol};
use e2e::objects::{EchoApp, annotated, ingress_for};
use e2e::process::kill;
use e2e::sessions::{self, Sessions};
use e2e::tidegate::{NAMESPACE, SELECTOR, Tidegate};
use e2e::wait;
use serde_json::json;

/// Requests a second over each version of HTTP.
const RATE: u32 = 100;
/// WebSockets, and gRPC calls.
const SESSIONS: usize = 4;

/// Everything that must not notice anything.
struct Crowd {
    namespace: Namespace,
    loads: [Load; 2],
    sessions: Sessions,
}

impl Crowd {
    async fn gather() -> Self {
        let cluster = Cluster::from_env().unwrap();
        let tidegate = Tidegate::find(&cluster).await.unwrap();
        let namespace = cluster.namespace("crowd").await.unwrap();
        namespace.apply(&EchoApp::new("app", 2).objects()).await.unwrap();
        let (app, grpc) = (format!("app.{}", namespace.name()), format!("grpc.{}", namespace.name()));
        let for_grpc = annotated(ingress_for("grpc", &grpc, "app"), "backend-protocol", "GRPC");
        namespace.apply(&[ingress_for("app", &app, "app"), for_grpc]).await.unwrap();
        namespace.endpoints_ready("app", 2).await.unwrap();
        tidegate.serves(&namespace, "app").await.unwrap();
        tidegate.serves(&namespace, "grpc").await.unwrap();

        let target = tidegate.front.clone();
        let plan = sessions::Plan { target: target.clone(), websockets: app.clone(), grpc, count: SESSIONS };
        let sessions = Sessions::start(&plan).await.unwrap();
        let loads = [Protocol::Http1, Protocol::Http2].map(|protocol| {
            Load::start(&Plan { target: target.clone(), host: app.clone(), rate: RATE, connections: 4, protocol })
        });
        Self { namespace, loads, sessions }
    }

    fn cluster(&self) -> &Cluster {
        self.namespace.cluster()
    }

    async fn kubectl(&self, arguments: &[&str]) -> String {
        self.cluster().kubectl(&[&["-n", NAMESPACE], arguments].concat()).await.unwrap()
    }

    /// The one workload of the release, as `kind/name`.
    async fn workload(&self) -> String {
        let name = self.kubectl(&["get", "deployment", "-l", SELECTOR, "-o", "name"]).await;
        name.trim().to_owned()
    }

    async fn pods(&self) -> Vec<String> {
        let names = self.kubectl(&["get", "pods", "-l", SELECTOR, "-o", "name"]).await;
        names.lines().map(str::to_owned).collect()
    }

    async fn rolled_out(&self) {
        self.kubectl(&["rollout", "status", &self.workload().await, "--timeout=120s"]).await;
    }

    async fn scale(&self, replicas: usize) {
        self.kubectl(&["scale", &self.workload().await, &format!("--replicas={replicas}")]).await;
        self.rolled_out().await;
    }

    /// Waits until a Pod that was told to leave is gone.
    async fn gone(&self, pod: &str) {
        self.kubectl(&["wait", "--for=delete", pod, "--timeout=120s"]).await;
    }

    /// Ends everybody: all requests were answered with 200, and all sessions are as they should be.
    async fn go_home(self, sessions_last: bool) {
        for load in self.loads {
            let report = load.stop().await;
            eprintln!("{} requests: {report:?}", report.sent());
            assert_eq!(report.failed(), 0, "{report:?}");
            assert!(report.sent() > 200, "only {} requests", report.sent());
        }
        let report = self.sessions.stop().await;
        eprintln!("{report:?}");
        assert!(report.messages > 50, "{report:?}");
        if sessions_last {
            assert_eq!(report.broken, Vec::<String>::new());
        }
    }
}

/// A new configuration for each of some seconds: endpoints and routes come and go beside the crowd's.
#[tokio::test(flavor = "multi_thread")]
async fn changes_of_others_disturb_nobody() {
    let crowd = Crowd::gather().await;
    for round in 0..20 {
        let host = format!("other-{round}.{}", crowd.namespace.name());
        crowd.namespace.apply(&[ingress_for("other", &host, "app")]).await.unwrap();
        let label = format!("round=r{round}");
        crowd.namespace.kubectl(&["label", "service", "app", "--overwrite", &label]).await.unwrap();
    }
    crowd.go_home(true).await;
}

/// The controller is killed twice, in the middle of changes; the data plane serves on, and the next one goes on from it.
#[tokio::test(flavor = "multi_thread")]
async fn a_controller_that_dies_is_not_noticed() {
    let crowd = Crowd::gather().await;
    let pod = crowd.pods().await.remove(0);
    for round in 1..=2 {
        let host = format!("other-{round}.{}", crowd.namespace.name());
        crowd.namespace.apply(&[ingress_for("other", &host, "app")]).await.unwrap();
        kill("controller").unwrap();
        let restarts = || async {
            let pods = crowd.cluster().json(&["-n", NAMESPACE, "get", &pod]).await?;
            let statuses = pods["status"]["containerStatuses"].as_array().cloned().unwrap_or_default();
            let controller = statuses.iter().find(|status| status["name"] == "controller");
            Ok(controller.and_then(|status| status["restartCount"].as_u64()))
        };
        wait::until_eq("a new controller", Duration::from_secs(60), Some(round), restarts).await.unwrap();
        let tidegate = Tidegate::find(crowd.cluster()).await.unwrap();
        let served = || async { Ok(tidegate.front.get(&host, "/").await?.status.as_u16()) };
        wait::until_eq("the change", Duration::from_secs(60), 200, served).await.unwrap();
    }
    crowd.go_home(true).await;
}

/// Scaling up disturbs nobody; scaling down ends sessions at the end of the leaving Pod's time, and loses no request.
#[tokio::test(flavor = "multi_thread")]
async fn more_and_fewer_replicas_lose_nothing() {
    let crowd = Crowd::gather().await;
    let before = crowd.pods().await;
    crowd.scale(3).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let all = crowd.pods().await;
    crowd.scale(1).await;
    for pod in all.iter().filter(|pod| !before.contains(pod)) {
        crowd.gone(pod).await;
    }
    crowd.go_home(false).await;
}

/// A node is drained: its Pods are evicted, one by one as the PodDisruptionBudget allows.
#[tokio::test(flavor = "multi_thread")]
async fn an_eviction_loses_no_request() {
    let crowd = Crowd::gather().await;
    crowd.scale(2).await;
    let pod = crowd.pods().await.remove(0);
    let name = pod.trim_start_matches("pod/");
    let eviction = json!({
        "apiVersion": "policy/v1", "kind": "Eviction", "metadata": { "name": name, "namespace": NAMESPACE },
    });
    let path = format!("/api/v1/namespaces/{NAMESPACE}/pods/{name}/eviction");
    crowd.cluster().create_raw(&path, &eviction).await.unwrap();
    crowd.gone(&pod).await;
    crowd.rolled_out().await;
    crowd.scale(1).await;
    crowd.go_home(false).await;
}
