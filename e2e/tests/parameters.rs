//! Settings of one class: the kind that the chart installs, as the API server takes it.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::time::Duration;

use e2e::cluster::{Cluster, Namespace};
use e2e::objects::{EchoApp, ingress, rule};
use e2e::tidegate::{Object, Tidegate};
use e2e::wait;
use serde_json::{Value, json};

fn class(name: &str) -> Value {
    let parameters = json!({ "apiGroup": "tidegate.dev", "kind": "IngressClassParameters", "name": name });
    json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "IngressClass", "metadata": { "name": name },
        "spec": { "controller": "tidegate.dev/ingress-controller", "parameters": parameters },
    })
}

fn parameters(name: &str, spec: &Value) -> Value {
    json!({
        "apiVersion": "tidegate.dev/v1alpha1", "kind": "IngressClassParameters", "metadata": { "name": name }, "spec": spec,
    })
}

/// What the condition `Accepted` says: of which generation, and what.
async fn accepted(namespace: &Namespace, name: &str) -> anyhow::Result<(i64, String)> {
    let object = namespace.cluster().json(&["get", "ingressclassparameters", name]).await?;
    let condition = &object["status"]["conditions"][0];
    let status = condition["status"].as_str().unwrap_or_default().to_owned();
    Ok((condition["observedGeneration"].as_i64().unwrap_or_default(), status))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_class_has_settings_of_its_own() {
    let cluster = Cluster::from_env().unwrap();
    let tidegate = Tidegate::find(&cluster).await.unwrap();
    let namespace = cluster.namespace("parameters").await.unwrap();
    let name = namespace.name();
    namespace.apply(&EchoApp::new("app", 1).objects()).await.unwrap();
    namespace.endpoints_ready("app", 1).await.unwrap();
    cluster.apply(&[class(name)]).await.unwrap();
    let host = format!("app.{name}");
    let spec = json!({ "ingressClassName": name, "rules": [rule(&host, "/", "Prefix", "app")] });
    namespace.apply(&[ingress("app", spec)]).await.unwrap();

    tidegate.answers(&host, "/", 200).await.unwrap();
    let problem = tidegate.problem(&Object::class(name), "spec.parameters.name").await.unwrap();
    assert_eq!(problem.reason, "ParametersNotFound");

    cluster.apply(&[parameters(name, &json!({ "forceSslRedirect": true, "httpRedirectCode": 307 }))]).await.unwrap();
    tidegate.answers(&host, "/", 307).await.unwrap();
    let limit = Duration::from_secs(20);
    let condition = || accepted(&namespace, name);
    wait::until_eq("the condition", limit, (1, "True".to_owned()), condition).await.unwrap();

    // The API server refuses what is of no right type, and takes what only we can tell.
    let refused = cluster.apply(&[parameters(name, &json!({ "proxyReadTimeout": 5 }))]).await.unwrap_err();
    assert!(format!("{refused:#}").contains("proxyReadTimeout"), "{refused:#}");
    cluster.apply(&[parameters(name, &json!({ "noTlsRedirectLocations": ["no-slash"] }))]).await.unwrap();
    tidegate.answers(&host, "/", 200).await.unwrap();
    wait::until_eq("the other condition", limit, (2, "False".to_owned()), condition).await.unwrap();

    // A field that nobody knows is kept, and denies what it was likely meant to keep out.
    cluster.apply(&[parameters(name, &json!({ "whitelistSourceRange": "10.0.0.0/8" }))]).await.unwrap();
    tidegate.answers(&host, "/", 503).await.unwrap();

    namespace.kubectl(&["delete", "ingressclass", name]).await.unwrap();
    namespace.kubectl(&["delete", "ingressclassparameters", name]).await.unwrap();
}
