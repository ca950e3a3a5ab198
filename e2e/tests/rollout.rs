//! Changes of a Deployment under load: no request is lost, whoever answers.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::{Duration, Instant};

use e2e::cluster::{Cluster, Namespace};
use e2e::load::{Load, Plan, Protocol, Report};
use e2e::objects::{EchoApp, ingress_for};
use e2e::tidegate::Tidegate;

const RATE: u32 = 200;

struct Scene {
    namespace: Namespace,
    tidegate: Tidegate,
    host: String,
    load: Load,
    start: Instant,
}

/// An app under load, which is being answered.
async fn scene(app: EchoApp) -> Scene {
    let cluster = Cluster::from_env().unwrap();
    let tidegate = Tidegate::find(&cluster).await.unwrap();
    let namespace = cluster.namespace("rollout").await.unwrap();
    namespace.apply(&app.objects()).await.unwrap();
    // A namespace that is going still has its Ingress for a while: no two share a host.
    let host = format!("app.{}", namespace.name());
    namespace.apply(&[ingress_for("app", &host, "app")]).await.unwrap();
    namespace.endpoints_ready("app", app.replicas as usize).await.unwrap();
    tidegate.serves(&namespace, "app").await.unwrap();
    let plan = Plan {
        target: tidegate.front.clone(),
        host: host.clone(),
        rate: RATE,
        connections: 8,
        protocol: Protocol::Http1,
        keep: true,
    };
    Scene { namespace, tidegate, host, load: Load::start(&plan), start: Instant::now() }
}

impl Scene {
    async fn restart(&self) {
        self.namespace.kubectl(&["rollout", "restart", "deployment", "app"]).await.unwrap();
        self.namespace.kubectl(&["rollout", "status", "deployment", "app", "--timeout=120s"]).await.unwrap();
        self.namespace.endpoints_ready("app", 3).await.unwrap();
        // The last old Pod is leaving now.
        tokio::time::sleep(Duration::from_secs(2)).await;
    }

    async fn scale(&self, replicas: usize) {
        let replicas_flag = format!("--replicas={replicas}");
        self.namespace.kubectl(&["scale", "deployment", "app", &replicas_flag]).await.unwrap();
        self.namespace.endpoints_ready("app", replicas).await.unwrap();
        // Those that leave are gone: nothing can be lost at them later.
        self.namespace.kubectl(&["rollout", "status", "deployment", "app", "--timeout=60s"]).await.unwrap();
    }

    /// Ends the load: all of it was sent, and all of it was answered with 200.
    async fn end(self) -> Report {
        let took = self.start.elapsed();
        let report = self.load.stop().await;
        let (sent, wanted) = (report.sent(), f64::from(RATE) * took.as_secs_f64());
        eprintln!("{sent} requests in {took:?}: {report:?}");
        assert_eq!(report.failed(), 0, "{:?} {:?}", report.statuses, report.broken);
        assert!(sent as f64 > 0.8 * wanted, "only {sent} of {wanted} requests could be sent: this machine is too busy");
        report
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn scaling_loses_nothing() {
    let scene = scene(EchoApp::new("app", 2)).await;
    for replicas in [4, 1, 3] {
        scene.scale(replicas).await;
        tokio::time::sleep(Duration::from_secs(2)).await;
    }
    let report = scene.end().await;
    assert!(report.pods.len() >= 4, "the Pods that came got requests: {:?}", report.pods);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rolling_restart_loses_nothing() {
    let scene = scene(EchoApp::new("app", 3)).await;
    scene.restart().await;
    let report = scene.end().await;
    assert!(report.pods.len() >= 6, "old and new Pods got requests: {:?}", report.pods);
}

/// Pods that break off whatever they have when they are told to leave: what was
/// sent to them and can be sent again is sent to another.
#[tokio::test(flavor = "multi_thread")]
async fn pods_that_leave_at_once_lose_nothing() {
    let rude = EchoApp { arguments: vec!["--exit-at-once".into()], ..EchoApp::new("app", 3) };
    let scene = scene(rude).await;
    scene.restart().await;
    scene.end().await;
}

/// With no Pod left the answer is 503, from Tidegate itself, and the first new
/// Pod is used as soon as it is ready.
#[tokio::test(flavor = "multi_thread")]
async fn without_pods_the_answer_is_503() {
    let scene = scene(EchoApp::new("app", 1)).await;
    let Scene { namespace, tidegate, host, load, .. } = scene;
    assert_eq!(load.stop().await.failed(), 0);
    namespace.kubectl(&["scale", "deployment", "app", "--replicas=0"]).await.unwrap();
    namespace.endpoints_ready("app", 0).await.unwrap();
    tidegate.answers(&host, "/", 503).await.unwrap();
    namespace.kubectl(&["scale", "deployment", "app", "--replicas=1"]).await.unwrap();
    namespace.endpoints_ready("app", 1).await.unwrap();
    tidegate.answers(&host, "/", 200).await.unwrap();
}
