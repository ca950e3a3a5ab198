//! A Tidegate that watches one namespace, with Roles alone.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs;
use std::process::Stdio;
use std::time::Duration;

use e2e::client::Target;
use e2e::cluster::{Cluster, Namespace};
use e2e::objects::{EchoApp, ingress_for};
use e2e::wait;
use serde_json::{Value, json};
use tokio::process::{Child, Command};

const CLASS: &str = "scoped";
const HTTP_PORT: u16 = 21080;
const HEALTHZ_PORT: u16 = 21254;
const ADDRESS: &str = "192.0.2.77";

fn rule(group: &str, resource: &str, verbs: &[&str]) -> Value {
    json!({ "apiGroups": [group], "resources": [resource], "verbs": verbs })
}

/// All that it may do, in this namespace alone.
fn account(namespace: &str) -> Vec<Value> {
    let role = json!({ "apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": CLASS });
    let subject = json!({ "kind": "ServiceAccount", "name": CLASS, "namespace": namespace });
    let (rbac, read) = ("rbac.authorization.k8s.io/v1", ["list", "watch"]);
    vec![
        json!({ "apiVersion": "v1", "kind": "ServiceAccount", "metadata": { "name": CLASS } }),
        json!({
            "apiVersion": rbac, "kind": "Role", "metadata": { "name": CLASS },
            "rules": [
                rule("networking.k8s.io", "ingresses", &read),
                rule("networking.k8s.io", "ingresses/status", &["patch"]),
                rule("", "services", &read),
                rule("", "secrets", &read),
                rule("discovery.k8s.io", "endpointslices", &read),
                rule("events.k8s.io", "events", &["create", "patch"]),
                rule("coordination.k8s.io", "leases", &["get", "create", "update"]),
            ],
        }),
        json!({
            "apiVersion": rbac, "kind": "RoleBinding", "metadata": { "name": CLASS },
            "roleRef": role, "subjects": [subject],
        }),
    ]
}

fn of_class(mut ingress: Value) -> Value {
    ingress["spec"]["ingressClassName"] = json!(CLASS);
    ingress
}

fn start(namespace: &Namespace, kubeconfig: &str, log: fs::File) -> Child {
    Command::new(std::env::var_os("TIDEGATE_BINARY").expect("TIDEGATE_BINARY is not set"))
        .args(["run", &format!("--http-port={HTTP_PORT}"), "--https-port=21443"])
        .args([&format!("--healthz-port={HEALTHZ_PORT}"), &format!("--ingress-class={CLASS}")])
        .args([&format!("--watch-namespace={}", namespace.name()), &format!("--publish-status-address={ADDRESS}")])
        .env("POD_NAMESPACE", namespace.name())
        .env("KUBECONFIG", kubeconfig)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .kill_on_drop(true)
        .spawn()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn one_namespace_takes_no_cluster_role() {
    let cluster = Cluster::from_env().unwrap();
    let (inside, outside) = (cluster.namespace("scope").await.unwrap(), cluster.namespace("outside").await.unwrap());
    inside.apply(&account(inside.name())).await.unwrap();
    for namespace in [&inside, &outside] {
        namespace.apply(&EchoApp::new("app", 1).objects()).await.unwrap();
        let host = format!("app.{}", namespace.name());
        namespace.apply(&[of_class(ingress_for("app", &host, "app"))]).await.unwrap();
        namespace.endpoints_ready("app", 1).await.unwrap();
    }
    // Another class of the same namespace is somebody else's.
    let mut other = ingress_for("other", &format!("other.{}", inside.name()), "app");
    other["spec"]["ingressClassName"] = json!("another-class");
    inside.apply(&[other]).await.unwrap();

    let folder = tempfile::tempdir().unwrap();
    let (kubeconfig, log) = (folder.path().join("kubeconfig"), folder.path().join("log"));
    fs::write(&kubeconfig, cluster.kubeconfig(inside.name(), CLASS).await.unwrap()).unwrap();
    let _tidegate = start(&inside, kubeconfig.to_str().unwrap(), fs::File::create(&log).unwrap());
    let local = [127, 0, 0, 1].into();
    let traffic = Target { http_port: HTTP_PORT, ..Target::new(local) };
    let admin = Target { http_port: HEALTHZ_PORT, ..Target::new(local) };

    let limit = Duration::from_secs(20);
    let address = || inside.ingress_address("app");
    let written = wait::until_eq("the status", limit, Some(ADDRESS.to_owned()), address).await;
    written.unwrap_or_else(|error| panic!("{error:#}\n{}", fs::read_to_string(&log).unwrap_or_default()));
    let status = |host: String| {
        let traffic = &traffic;
        async move { traffic.get(&host, "/").await.unwrap().status.as_u16() }
    };
    assert_eq!(status(format!("app.{}", inside.name())).await, 200);
    assert_eq!(status(format!("other.{}", inside.name())).await, 404);
    assert_eq!(status(format!("app.{}", outside.name())).await, 404);
    assert_eq!(outside.ingress_address("app").await.unwrap(), None);

    // What is missing is told, and nothing else is.
    let problems: Value = serde_json::from_str(&admin.get("admin", "/problems").await.unwrap().text()).unwrap();
    let reasons: Vec<_> = problems.as_array().unwrap().iter().map(|problem| problem["reason"].clone()).collect();
    assert_eq!(reasons, [json!("NotPermitted")], "{problems}");
}
