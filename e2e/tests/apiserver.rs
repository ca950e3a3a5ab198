//! The API server goes away and comes back: traffic does not notice.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::Duration;

use e2e::cluster::{Cluster, Namespace, items};
use e2e::crowd::Crowd;
use e2e::objects::{EchoApp, ingress_for};
use e2e::tidegate::{self, Tidegate};
use e2e::wait;

/// What is to be noticed takes an outage; for other flags there need be none.
const OUTAGE: Duration = Duration::from_secs(5);

async fn restart(cluster: &Cluster, flags: &[&str], outage: Duration) {
    cluster.apiserver(&["stop"]).await.unwrap();
    assert!(cluster.kubectl(&["get", "--raw", "/readyz", "--request-timeout=1s"]).await.is_err());
    tokio::time::sleep(outage).await;
    cluster.apiserver(&[&["start"], flags].concat()).await.unwrap();
    let ready = || async { cluster.kubectl(&["get", "--raw", "/readyz"]).await };
    wait::until_eq("the API server", Duration::from_secs(60), "ok".to_owned(), ready).await.unwrap();
}

/// A change made after the outage is served, and one made of endpoints too.
async fn changes_are_seen(tidegate: &Tidegate, namespace: &Namespace, name: &str) {
    let host = format!("{name}.{}", namespace.name());
    namespace.apply(&[ingress_for(name, &host, "app")]).await.unwrap();
    let limit = Duration::from_secs(60);
    let status = || async { Ok(tidegate.front.get(&host, "/").await?.status.as_u16()) };
    let took = wait::until_eq("a new Ingress", limit, 200, status).await.unwrap();
    eprintln!("{name}: the first change was served after {took:?}");
    tidegate.serves(namespace, name).await.unwrap();
    namespace.kubectl(&["delete", "ingress", name]).await.unwrap();
    wait::until_eq("its end", limit, 404, status).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_of_the_api_server_stops_no_traffic() {
    let crowd = Crowd::gather().await.unwrap();
    restart(crowd.cluster(), &[], OUTAGE).await;
    changes_are_seen(&crowd.tidegate, &crowd.namespace, "after-outage").await;
    crowd.go_home(None).await.unwrap();
}

/// A server of before Kubernetes 1.32 has no streaming lists: a Tidegate that
/// starts then lists and watches instead. And it goes on where the one before it
/// was: what is still wrong is the same Event, counted up.
#[tokio::test(flavor = "multi_thread")]
async fn a_new_tidegate_works_with_an_older_api_server() {
    let cluster = Cluster::from_env().unwrap();
    let tidegate = Tidegate::find(&cluster).await.unwrap();
    let namespace = cluster.namespace("older").await.unwrap();
    namespace.apply(&EchoApp::new("app", 1).objects()).await.unwrap();
    namespace
        .apply(&[ingress_for("broken", &format!("broken.{}", namespace.name()), "no-such-service")])
        .await
        .unwrap();
    namespace.endpoints_ready("app", 1).await.unwrap();
    let selector = ["--field-selector", "involvedObject.name=broken"];
    let counts = || async {
        let events = namespace.json(&[&["get", "events"], &selector[..]].concat()).await?;
        let counts = items(&events["items"]).map(|event| event["series"]["count"].as_i64().unwrap_or(1));
        anyhow::Ok(counts.collect::<Vec<_>>())
    };
    wait::until_eq("an Event", Duration::from_secs(10), vec![1], counts).await.unwrap();

    restart(&cluster, &["--feature-gates=WatchList=false"], Duration::ZERO).await;
    let rollout = |what: &'static [&'static str]| {
        let arguments = [&["rollout", "-n", tidegate::NAMESPACE], what].concat();
        let cluster = &cluster;
        async move { cluster.kubectl(&arguments).await.unwrap() }
    };
    rollout(&["restart", "deployment"]).await;
    rollout(&["status", "deployment", "--timeout=120s"]).await;
    changes_are_seen(&tidegate, &namespace, "after-downgrade").await;
    wait::until_eq("the Event again", Duration::from_secs(30), vec![2], counts).await.unwrap();
}
