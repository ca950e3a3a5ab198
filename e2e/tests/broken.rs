//! What cannot be served: it harms nobody else, and says what is wrong with it.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::Duration;

use e2e::cluster::{Cluster, Namespace, items};
use e2e::objects::{EchoApp, annotated, ingress, ingress_for, rule};
use e2e::tidegate::{Object, Tidegate};
use e2e::wait;
use serde_json::json;

/// A namespace with a working app `app` at host `works.NAMESPACE`.
async fn scene() -> (Namespace, Tidegate, String) {
    let cluster = Cluster::from_env().unwrap();
    let tidegate = Tidegate::find(&cluster).await.unwrap();
    let namespace = cluster.namespace("broken").await.unwrap();
    let host = format!("works.{}", namespace.name());
    namespace.apply(&EchoApp::new("app", 1).objects()).await.unwrap();
    namespace.apply(&[ingress_for("works", &host, "app")]).await.unwrap();
    namespace.endpoints_ready("app", 1).await.unwrap();
    tidegate.serves(&namespace, "works").await.unwrap();
    (namespace, tidegate, host)
}

/// Waits for an Event on an Ingress whose note contains `text`.
async fn event(namespace: &Namespace, ingress: &str, text: &str) {
    let selector = format!("involvedObject.kind=Ingress,involvedObject.name={ingress}");
    let look = || async {
        let events = namespace.json(&["get", "events", "--field-selector", &selector]).await?;
        let found = items(&events["items"]).any(|event| event["message"].as_str().unwrap_or_default().contains(text));
        if found { Ok(Some(())) } else { anyhow::bail!("its events are {}", events["items"]) }
    };
    let what = format!("an Event on Ingress {ingress} with {text:?}");
    wait::until(&what, Duration::from_secs(10), look).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_service_is_503_a_problem_and_an_event() {
    let (namespace, tidegate, works) = scene().await;
    let host = format!("broken.{}", namespace.name());
    namespace.apply(&[ingress_for("broken", &host, "no-such-service")]).await.unwrap();
    let problem = tidegate.problem(&Object::ingress(&namespace, "broken"), "no-such-service").await.unwrap();
    assert!(problem.field.starts_with("spec.rules[0]"), "{problem:?}");
    event(&namespace, "broken", "no-such-service").await;
    tidegate.answers(&host, "/", 503).await.unwrap();
    assert_eq!(tidegate.front.get(&works, "/").await.unwrap().status, 200);
    assert_eq!(tidegate.problems(&Object::ingress(&namespace, "works")).await.unwrap(), []);

    // Mended, it is served, and its problem is gone.
    namespace.apply(&[ingress_for("broken", &host, "app")]).await.unwrap();
    tidegate.answers(&host, "/", 200).await.unwrap();
    let broken = Object::ingress(&namespace, "broken");
    let none = || tidegate.problems(&broken);
    wait::until_eq("no problem", Duration::from_secs(5), vec![], none).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn one_broken_path_leaves_the_others_of_its_ingress() {
    let (namespace, tidegate, _) = scene().await;
    let host = format!("mixed.{}", namespace.name());
    let mut spec = json!({ "rules": [rule(&host, "/", "Prefix", "app"), rule(&host, "/x", "Prefix", "app")] });
    spec["rules"][1]["http"]["paths"][0]["backend"] = json!({ "service": { "name": "app", "port": { "number": 4 } } });
    namespace.apply(&[ingress("mixed", spec)]).await.unwrap();
    let problem = tidegate.problem(&Object::ingress(&namespace, "mixed"), "4").await.unwrap();
    assert!(problem.field.starts_with("spec.rules[1]"), "{problem:?}");
    tidegate.answers(&host, "/", 200).await.unwrap();
    tidegate.answers(&host, "/x", 503).await.unwrap();
}

/// An app that was behind a login is never open because we came.
#[tokio::test(flavor = "multi_thread")]
async fn an_access_rule_that_is_not_served_denies() {
    let (namespace, tidegate, works) = scene().await;
    let host = format!("login.{}", namespace.name());
    let login = annotated(ingress_for("login", &host, "app"), "auth-url", "https://login.example/check");
    namespace.apply(&[login]).await.unwrap();
    tidegate.problem(&Object::ingress(&namespace, "login"), "auth-url").await.unwrap();
    tidegate.answers(&host, "/", 503).await.unwrap();
    event(&namespace, "login", "auth-url").await;
    assert_eq!(tidegate.front.get(&works, "/").await.unwrap().status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_annotation_that_is_not_served_is_a_problem_only() {
    let (namespace, tidegate, _) = scene().await;
    let host = format!("buffers.{}", namespace.name());
    let buffers = annotated(ingress_for("buffers", &host, "app"), "proxy-buffer-size", "8k");
    namespace.apply(&[buffers]).await.unwrap();
    tidegate.problem(&Object::ingress(&namespace, "buffers"), "proxy-buffer-size").await.unwrap();
    tidegate.answers(&host, "/", 200).await.unwrap();
}

/// The host stays up with the default certificate.
#[tokio::test(flavor = "multi_thread")]
async fn a_secret_without_a_certificate_is_a_problem() {
    let (namespace, tidegate, _) = scene().await;
    let host = format!("tls.{}", namespace.name());
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls", "metadata": { "name": "unusable" },
        "stringData": { "tls.crt": "no certificate", "tls.key": "no key" },
    });
    let tls = json!([{ "hosts": [host], "secretName": "unusable" }]);
    let spec = json!({ "tls": tls, "rules": [rule(&host, "/", "Prefix", "app")] });
    namespace.apply(&[secret, ingress("tls", spec)]).await.unwrap();
    tidegate.problem(&Object::ingress(&namespace, "tls"), "unusable").await.unwrap();
    let uri = format!("https://{host}/");
    let headers = e2e::client::Headers::new();
    let answer = tidegate.front.send(hyper::Method::GET, &uri, &headers).await.unwrap();
    assert_eq!(answer.status, 200);
    assert!(!answer.leaf.unwrap().dns_names.contains(&host));
}

/// A class is ours by its controller; what it says beyond that is not read.
#[tokio::test(flavor = "multi_thread")]
async fn parameters_of_a_class_are_a_problem_of_the_class() {
    let (namespace, tidegate, _) = scene().await;
    let class = namespace.name();
    let parameters = json!({ "apiGroup": "example.com", "kind": "Parameters", "name": "fast" });
    let object = json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "IngressClass", "metadata": { "name": class },
        "spec": { "controller": "tidegate.dev/ingress-controller", "parameters": parameters },
    });
    let host = format!("class.{class}");
    let spec = json!({ "ingressClassName": class, "rules": [rule(&host, "/", "Prefix", "app")] });
    namespace.apply(&[ingress("class", spec)]).await.unwrap();
    tidegate.answers(&host, "/", 404).await.unwrap();

    namespace.cluster().apply(&[object]).await.unwrap();
    tidegate.problem(&Object::class(class), "spec.parameters").await.unwrap();
    tidegate.answers(&host, "/", 200).await.unwrap();

    namespace.kubectl(&["delete", "ingressclass", class]).await.unwrap();
    tidegate.answers(&host, "/", 404).await.unwrap();
}
