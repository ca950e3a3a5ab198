//! The everyday life of an Ingress, as a user sees it.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use e2e::client::{Headers, Target};
use e2e::cluster::Cluster;
use e2e::load::{Load, Plan, Protocol};
use e2e::objects::{EchoApp, ingress, ingress_for, rule};
use e2e::tidegate::Tidegate;
use e2e::wait;
use e2e::watch::EndpointWatch;
use hyper::Method;
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn from_deployment_to_answer_and_back() {
    let cluster = Cluster::from_env().unwrap();
    let tidegate = Tidegate::find(&cluster).await.unwrap();
    let namespace = cluster.namespace("ingress").await.unwrap();
    let host = &format!("shop.{}", namespace.name());
    namespace.apply(&EchoApp::new("shop", 3).objects()).await.unwrap();
    namespace.endpoints_ready("shop", 3).await.unwrap();

    assert_eq!(tidegate.front.get(host, "/").await.unwrap().status, 404);
    namespace.apply(&[ingress_for("shop", host, "shop")]).await.unwrap();
    tidegate.serves(&namespace, "shop").await.unwrap();
    // The address is written only once it is served: the very next request works.
    assert_eq!(tidegate.front.get(host, "/").await.unwrap().status, 200);

    let pods: BTreeSet<_> = namespace.endpoints("shop").await.unwrap().into_iter().map(|(pod, _)| pod).collect();
    let mut seen = BTreeSet::new();
    for _ in 0..30 {
        let answer = tidegate.front.get(host, "/cart?id=7").await.unwrap();
        assert_eq!((answer.status.as_u16(), answer.echo("path")), (200, "/cart?id=7".into()));
        assert_eq!((answer.echo("host"), answer.echo("namespace")), (host.clone(), namespace.name().to_owned()));
        seen.insert(answer.echo("pod"));
    }
    assert_eq!(seen, pods, "requests reach every Pod and nothing else");

    namespace.kubectl(&["delete", "ingress", "shop"]).await.unwrap();
    tidegate.answers(host, "/", 404).await.unwrap();
}

/// From within a second of its EndpointSlice's change, a Pod that is not ready
/// gets no request; ready again, it gets requests again as soon.
#[tokio::test(flavor = "multi_thread")]
async fn readiness_decides_who_gets_requests() {
    let second = Duration::from_secs(1);
    let cluster = Cluster::from_env().unwrap();
    let tidegate = Tidegate::find(&cluster).await.unwrap();
    let namespace = cluster.namespace("readiness").await.unwrap();
    let host = &format!("readiness.{}", namespace.name());
    namespace.apply(&EchoApp::new("app", 2).objects()).await.unwrap();
    namespace.apply(&[ingress_for("app", host, "app")]).await.unwrap();
    namespace.endpoints_ready("app", 2).await.unwrap();
    tidegate.serves(&namespace, "app").await.unwrap();
    let pods = namespace.json(&["get", "pods"]).await.unwrap();
    let pod = pods["items"][0]["metadata"]["name"].as_str().unwrap();
    let address = pods["items"][0]["status"]["podIP"].as_str().unwrap().parse().unwrap();
    let pod_itself = Target { http_port: 3000, ..Target::new(address) };
    let set_ready = |ready: bool| {
        let uri = format!("http://pod/_echo/ready?value={ready}");
        let pod_itself = &pod_itself;
        async move { pod_itself.send(Method::POST, &uri, &Headers::new()).await.unwrap() }
    };

    let plan = Plan {
        target: tidegate.front.clone(),
        host: host.clone(),
        rate: 100,
        connections: 4,
        protocol: Protocol::Http1,
        keep: true,
    };
    let load = Load::start(&plan);
    let count = || load.report().pods.get(pod).copied().unwrap_or_default();
    let grows = || async { Ok((count() > 0).then_some(())) };
    wait::until("requests at the Pod", 5 * second, grows).await.unwrap();

    let mut watch = EndpointWatch::start(&namespace, "app").unwrap();
    watch.until(pod, true).await.unwrap();
    set_ready(false).await;
    let changed = watch.until(pod, false).await.unwrap();
    tokio::time::sleep_until((changed + second).into()).await;
    let before = count();
    tokio::time::sleep(second).await;
    assert_eq!(count(), before, "requests after the Pod was not ready");

    set_ready(true).await;
    let changed = watch.until(pod, true).await.unwrap();
    let again = || async { Ok((count() > before).then_some(())) };
    wait::until("requests after the Pod was ready again", 5 * second, again).await.unwrap();
    assert!(changed.elapsed() < second, "the first one came {:?} after the change", changed.elapsed());
    let report = load.stop().await;
    assert_eq!(report.failed(), 0, "{report:?}");
}

/// One host spread over two namespaces, with a change of one of them.
#[tokio::test(flavor = "multi_thread")]
async fn a_host_is_shared_and_changed_within_a_second() {
    let cluster = Cluster::from_env().unwrap();
    let tidegate = Tidegate::find(&cluster).await.unwrap();
    let [one, other] = [cluster.namespace("share").await.unwrap(), cluster.namespace("share").await.unwrap()];
    let host = &format!("shared.{}", one.name());
    for (namespace, app) in [(&one, "front"), (&other, "api")] {
        namespace.apply(&EchoApp::new(app, 1).objects()).await.unwrap();
        namespace.endpoints_ready(app, 1).await.unwrap();
    }
    one.apply(&[ingress_for("front", host, "front")]).await.unwrap();
    let api = |path| ingress("api", json!({ "rules": [rule(host, path, "Prefix", "api")] }));
    other.apply(&[api("/api")]).await.unwrap();
    tidegate.serves(&one, "front").await.unwrap();
    tidegate.serves(&other, "api").await.unwrap();
    let service = |path: &'static str| {
        let tidegate = &tidegate;
        async move { anyhow::Ok(tidegate.front.get(host, path).await?.echo("service")) }
    };
    assert_eq!((service("/").await.unwrap(), service("/api/x").await.unwrap()), ("front".into(), "api".into()));

    other.apply(&[api("/v2")]).await.unwrap();
    let applied = Instant::now();
    wait::until_eq("the new path", Duration::from_secs(5), "api".to_owned(), || service("/v2")).await.unwrap();
    assert!(applied.elapsed() < Duration::from_secs(1), "it took {:?}", applied.elapsed());
    assert_eq!(service("/api/x").await.unwrap(), "front", "the old path is gone");
}
