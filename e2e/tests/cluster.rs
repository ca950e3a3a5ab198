//! The cluster and the harness, without Tidegate: when this fails, nothing else
//! means anything.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::Duration;

use e2e::client::{Headers, Target};
use e2e::cluster::Cluster;
use e2e::load::{Load, Plan, Protocol};
use e2e::objects::EchoApp;
use e2e::watch::EndpointWatch;
use hyper::Method;

#[tokio::test(flavor = "multi_thread")]
async fn pods_run_and_services_reach_them() {
    let cluster = Cluster::from_env().unwrap();
    let namespace = cluster.namespace("cluster").await.unwrap();
    namespace.apply(&EchoApp::new("app", 2).objects()).await.unwrap();
    let took = namespace.endpoints_ready("app", 2).await.unwrap();
    eprintln!("two Pods were ready after {took:?}");
    let service = namespace.json(&["get", "service", "app"]).await.unwrap();
    let address = service["spec"]["clusterIP"].as_str().unwrap().parse().unwrap();

    let plan = Plan {
        target: Target::new(address),
        host: "any".into(),
        rate: 100,
        connections: 10,
        protocol: Protocol::Http1,
        keep: true,
    };
    let load = Load::start(&plan);
    tokio::time::sleep(Duration::from_secs(2)).await;
    let report = load.stop().await;
    assert_eq!((report.failed(), report.pods.len()), (0, 2), "{report:?}");

    let pod = namespace.json(&["get", "pods"]).await.unwrap()["items"][0].clone();
    let name = pod["metadata"]["name"].as_str().unwrap();
    let direct = Target { http_port: 3000, ..Target::new(pod["status"]["podIP"].as_str().unwrap().parse().unwrap()) };
    let mut watch = EndpointWatch::start(&namespace, "app").unwrap();
    watch.until(name, true).await.unwrap();
    direct.send(Method::POST, "http://pod/_echo/ready?value=false", &Headers::new()).await.unwrap();
    watch.until(name, false).await.unwrap();
    namespace.endpoints_ready("app", 1).await.unwrap();
}
