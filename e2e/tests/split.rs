//! The data plane by itself: everybody else is gone.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::Duration;

use e2e::cluster::Cluster;
use e2e::fleet::Fleet;
use e2e::objects::{EchoApp, ingress_for};
use e2e::process::Process;
use e2e::tidegate::Tidegate;
use e2e::wait;

/// The kubelet starts a container again at once, and then ever later.
const LIMIT: Duration = Duration::from_secs(120);

/// The API server is gone, so a controller that starts has nothing to serve: what the data plane kept is all there is.
#[tokio::test(flavor = "multi_thread")]
async fn a_data_plane_that_dies_alone_serves_what_it_served() {
    let cluster = Cluster::from_env().unwrap();
    let tidegate = Tidegate::find(&cluster).await.unwrap();
    let pod = Fleet::new(&cluster).alone().await.unwrap();
    let namespace = cluster.namespace("alone").await.unwrap();
    namespace.apply(&EchoApp::new("app", 1).objects()).await.unwrap();
    let host = format!("app.{}", namespace.name());
    namespace.apply(&[ingress_for("app", &host, "app")]).await.unwrap();
    namespace.endpoints_ready("app", 1).await.unwrap();
    tidegate.serves(&namespace, "app").await.unwrap();
    // What is kept is written once in a second at most.
    tokio::time::sleep(Duration::from_secs(2)).await;

    cluster.apiserver(&["stop"]).await.unwrap();
    let kill = |plane| Process::plane_of(&pod.name, plane).and_then(|process| process.kill());
    let killed = ["controller", "dataplane"].map(kill);
    let status = || async { Ok(tidegate.front.get(&host, "/").await?.status.as_u16()) };
    let served = wait::until_eq("what was served", LIMIT, 200, status).await;
    // Before anything can end this test: all others need it.
    cluster.apiserver(&["start"]).await.unwrap();
    killed.into_iter().for_each(|killed| killed.unwrap());
    eprintln!("served again after {:?}", served.unwrap());

    let ready = || async { cluster.kubectl(&["get", "--raw", "/readyz"]).await };
    wait::until_eq("the API server", LIMIT, "ok".to_owned(), ready).await.unwrap();
    let other = format!("other.{}", namespace.name());
    let status = || async { Ok(tidegate.front.get(&other, "/").await?.status.as_u16()) };
    namespace.apply(&[ingress_for("other", &other, "app")]).await.unwrap();
    wait::until_eq("a change", LIMIT, 200, status).await.unwrap();
}
