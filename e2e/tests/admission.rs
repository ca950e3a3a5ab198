//! The webhook as a real API server asks it: a second Tidegate, outside of any Pod, is asked about one namespace.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::fs;
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context;
use base64::{Engine, engine::general_purpose::STANDARD};
use e2e::cluster::{Cluster, Namespace};
use e2e::objects::{EchoApp, annotated, ingress, rule};
use e2e::wait;
use rcgen::{CertificateParams, KeyPair, SanType};
use serde_json::{Value, json};
use tokio::process::{Child, Command};

const CLASS: &str = "admission-probe";
const CONTROLLER: &str = "tidegate.dev/admission-probe";
const PORT: u16 = 28443;

/// Starts it with a certificate of its own; the certificate comes back.
fn start(folder: &std::path::Path) -> anyhow::Result<(Child, String)> {
    let binary = std::env::var_os("TIDEGATE_BINARY").context("TIDEGATE_BINARY is not set")?;
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::default();
    params.subject_alt_names.push(SanType::IpAddress([127, 0, 0, 1].into()));
    let certificate = params.self_signed(&key)?.pem();
    fs::write(folder.join("cert"), &certificate)?;
    fs::write(folder.join("key"), key.serialize_pem())?;
    let file = |name: &str| folder.join(name).display().to_string();
    let child = Command::new(binary)
        .arg("run")
        .args(["--http-port=28080", "--https-port=28444", "--healthz-port=28254", "--update-status=false"])
        .args([&format!("--controller-class={CONTROLLER}"), &format!("--ingress-class={CLASS}")])
        .arg(format!("--validating-webhook=127.0.0.1:{PORT}"))
        .arg(format!("--validating-webhook-certificate={}", file("cert")))
        .arg(format!("--validating-webhook-key={}", file("key")))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .context("starting Tidegate")?;
    Ok((child, certificate))
}

fn configuration(namespace: &Namespace, ca_bundle: &str) -> Value {
    json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration",
        "metadata": { "name": CLASS },
        "webhooks": [{
            "name": "validate.ingress.tidegate.dev",
            "rules": [{
                "apiGroups": ["networking.k8s.io"], "apiVersions": ["v1"], "resources": ["ingresses"],
                "operations": ["CREATE", "UPDATE"],
            }],
            "namespaceSelector": { "matchLabels": { "kubernetes.io/metadata.name": namespace.name() } },
            "clientConfig": {
                "url": format!("https://127.0.0.1:{PORT}/networking/v1/ingresses"), "caBundle": ca_bundle,
            },
            "admissionReviewVersions": ["v1"], "sideEffects": "None", "failurePolicy": "Fail",
        }],
    })
}

fn probe(name: &str, host: &str) -> Value {
    ingress(name, json!({ "ingressClassName": CLASS, "rules": [rule(host, "/", "Prefix", "app")] }))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_api_server_refuses_what_could_not_be_served() {
    let cluster = Cluster::from_env().unwrap();
    let namespace = cluster.namespace("admission").await.unwrap();
    namespace.apply(&EchoApp::new("app", 1).objects()).await.unwrap();
    let class = json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "IngressClass", "metadata": { "name": CLASS },
        "spec": { "controller": CONTROLLER },
    });
    cluster.apply(&[class]).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (mut tidegate, certificate) = start(folder.path()).unwrap();
    let ca_bundle = STANDARD.encode(&certificate);
    cluster.apply(&[configuration(&namespace, &ca_bundle)]).await.unwrap();

    // The API server takes the configuration up in its own time, and Tidegate lists first: until both did, what is
    // wrong is let in or what is right is not.
    let wrong = annotated(probe("wrong", "wrong.example"), "nginx.ingress.kubernetes.io/auth-url", "http://x.example/");
    let refused = || async {
        let answer = namespace.apply(std::slice::from_ref(&wrong)).await;
        if answer.is_ok() {
            namespace.kubectl(&["delete", "ingress", "wrong"]).await?;
        }
        Ok(answer.err().map(|error| format!("{error:#}")).filter(|error| error.contains("auth-url")).is_some())
    };
    wait::until_eq("a refusal", Duration::from_secs(60), true, refused).await.unwrap();

    namespace.apply(&[probe("first", "first.example")]).await.unwrap();
    let taken = || async {
        let error = namespace.apply(&[probe("second", "first.example")]).await.err();
        if error.is_none() {
            namespace.kubectl(&["delete", "ingress", "second"]).await?;
        }
        Ok(error.is_some_and(|error| format!("{error:#}").contains("has it already")))
    };
    wait::until_eq("a path that is taken", Duration::from_secs(20), true, taken).await.unwrap();
    // Of another class it is none of its business.
    let foreign = ingress("foreign", json!({ "ingressClassName": "x", "rules": [rule("a_b", "/", "Prefix", "app")] }));
    let said = namespace.apply(&[foreign]).await.err().map(|error| format!("{error:#}")).unwrap_or_default();
    assert!(!said.contains("could not be served"), "{said}");

    namespace.kubectl(&["delete", "validatingwebhookconfiguration", CLASS]).await.unwrap();
    namespace.kubectl(&["delete", "ingressclass", CLASS]).await.unwrap();
    tidegate.kill().await.unwrap();
}
