//! A Tidegate that watches one namespace, or those that a selector chooses, with Roles there alone.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::path::{Path, PathBuf};
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
const CONTROLLER: &str = "tidegate.dev/scoped";
/// Longer than the pause after a refusal.
const LIMIT: Duration = Duration::from_secs(60);

fn rule(group: &str, resource: &str, verbs: &[&str]) -> Value {
    json!({ "apiGroups": [group], "resources": [resource], "verbs": verbs })
}

const RBAC: &str = "rbac.authorization.k8s.io";
const READ: [&str; 2] = ["list", "watch"];

/// A role and its binding to the account of a namespace.
fn role(kind: &str, name: &str, account_of: &str, rules: &[Value]) -> Vec<Value> {
    let version = format!("{RBAC}/v1");
    let subject = json!({ "kind": "ServiceAccount", "name": CLASS, "namespace": account_of });
    vec![
        json!({ "apiVersion": version, "kind": kind, "metadata": { "name": name }, "rules": rules }),
        json!({
            "apiVersion": version, "kind": format!("{kind}Binding"), "metadata": { "name": name },
            "roleRef": { "apiGroup": RBAC, "kind": kind, "name": name }, "subjects": [subject],
        }),
    ]
}

/// What it must be allowed in a namespace that it watches.
fn rules() -> Vec<Value> {
    vec![
        rule("networking.k8s.io", "ingresses", &READ),
        rule("networking.k8s.io", "ingresses/status", &["patch"]),
        rule("", "services", &READ),
        rule("", "secrets", &READ),
        rule("discovery.k8s.io", "endpointslices", &READ),
        rule("events.k8s.io", "events", &["create", "patch"]),
    ]
}

/// Its account in a namespace, which it has its Lease in; with what else it may do there.
fn account(namespace: &str, mut rules: Vec<Value>) -> Vec<Value> {
    let account = json!({ "apiVersion": "v1", "kind": "ServiceAccount", "metadata": { "name": CLASS } });
    rules.push(rule("coordination.k8s.io", "leases", &["get", "create", "update"]));
    [vec![account], role("Role", CLASS, namespace, &rules)].concat()
}

fn of_class(mut ingress: Value) -> Value {
    ingress["spec"]["ingressClassName"] = json!(CLASS);
    ingress
}

/// Starts it with the account of a namespace, on ports of its own.
async fn start(home: &Namespace, watches: &str, folder: &Path) -> Started {
    let kubeconfig = folder.join("kubeconfig");
    fs::write(&kubeconfig, home.cluster().kubeconfig(home.name(), CLASS).await.unwrap()).unwrap();
    let log = folder.join("log");
    let child = Command::new(std::env::var_os("TIDEGATE_BINARY").expect("TIDEGATE_BINARY is not set"))
        .args(["run", &format!("--http-port={HTTP_PORT}"), "--https-port=21443"])
        .args([&format!("--healthz-port={HEALTHZ_PORT}"), &format!("--ingress-class={CLASS}")])
        .arg(format!("--controller-class={CONTROLLER}"))
        .args([watches, &format!("--publish-status-address={ADDRESS}")])
        .env("POD_NAMESPACE", home.name())
        .env("KUBECONFIG", kubeconfig)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(fs::File::create(&log).unwrap())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let local = [127, 0, 0, 1].into();
    let traffic = Target { http_port: HTTP_PORT, ..Target::new(local) };
    let admin = Target { http_port: HEALTHZ_PORT, ..Target::new(local) };
    Started { traffic, admin, log, _child: child }
}

/// One that runs until this is dropped.
struct Started {
    traffic: Target,
    admin: Target,
    log: PathBuf,
    _child: Child,
}

impl Started {
    /// Waits until the app of a namespace has its address.
    async fn serves(&self, namespace: &Namespace) {
        let address = || namespace.ingress_address("app");
        let written = wait::until_eq("the status", LIMIT, Some(ADDRESS.to_owned()), address).await;
        written.unwrap_or_else(|error| panic!("{error:#}\n{}", fs::read_to_string(&self.log).unwrap_or_default()));
        assert_eq!(self.status(&host("app", namespace)).await, 200);
    }

    async fn status(&self, host: &str) -> u16 {
        self.traffic.get(host, "/").await.unwrap().status.as_u16()
    }

    async fn problems(&self) -> Vec<Value> {
        let problems = self.admin.get("admin", "/problems").await.unwrap().text();
        serde_json::from_str(&problems).unwrap()
    }
}

fn host(name: &str, namespace: &Namespace) -> String {
    format!("{name}.{}", namespace.name())
}

/// An app with an Ingress of our class.
async fn put_app(namespace: &Namespace) {
    namespace.apply(&EchoApp::new("app", 1).objects()).await.unwrap();
    namespace.apply(&[of_class(ingress_for("app", &host("app", namespace), "app"))]).await.unwrap();
    namespace.endpoints_ready("app", 1).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn one_namespace_takes_no_cluster_role() {
    let cluster = Cluster::from_env().unwrap();
    let (inside, outside) = (cluster.namespace("scope").await.unwrap(), cluster.namespace("outside").await.unwrap());
    inside.apply(&account(inside.name(), rules())).await.unwrap();
    put_app(&inside).await;
    put_app(&outside).await;
    // Another class of the same namespace is somebody else's.
    let mut other = ingress_for("other", &host("other", &inside), "app");
    other["spec"]["ingressClassName"] = json!("another-class");
    inside.apply(&[other]).await.unwrap();

    let folder = tempfile::tempdir().unwrap();
    let tidegate = start(&inside, &format!("--watch-namespace={}", inside.name()), folder.path()).await;
    tidegate.serves(&inside).await;
    assert_eq!(tidegate.status(&host("other", &inside)).await, 404);
    assert_eq!(tidegate.status(&host("app", &outside)).await, 404);
    assert_eq!(outside.ingress_address("app").await.unwrap(), None);

    // What is missing is told, and nothing else is.
    let problems = tidegate.problems().await;
    let reasons: Vec<_> = problems.iter().map(|problem| problem["reason"].clone()).collect();
    assert_eq!(reasons, [json!("NotPermitted")], "{problems:?}");
}

/// Namespaces are known by a ClusterRole for nothing else; what is in them by a Role in each.
#[tokio::test(flavor = "multi_thread")]
async fn chosen_namespaces_take_a_role_each() {
    let cluster = Cluster::from_env().unwrap();
    let [home, first, second] = ["home", "first", "second"].map(|prefix| cluster.namespace(prefix));
    let [home, first, second] = [home.await.unwrap(), first.await.unwrap(), second.await.unwrap()];
    let read = [rule("", "namespaces", &READ), rule("networking.k8s.io", "ingressclasses", &READ)];
    cluster.apply(&role("ClusterRole", home.name(), home.name(), &read)).await.unwrap();
    home.apply(&account(home.name(), Vec::new())).await.unwrap();
    let class = json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "IngressClass", "metadata": { "name": CLASS },
        "spec": { "controller": CONTROLLER },
    });
    cluster.apply(&[class]).await.unwrap();
    let label = format!("ingress={}", home.name());
    for namespace in [&first, &second] {
        cluster.kubectl(&["label", "namespace", namespace.name(), &label]).await.unwrap();
        put_app(namespace).await;
    }
    first.apply(&role("Role", CLASS, home.name(), &rules())).await.unwrap();

    let folder = tempfile::tempdir().unwrap();
    let tidegate = start(&home, &format!("--watch-namespace-selector={label}"), folder.path()).await;
    tidegate.serves(&first).await;
    // The one that it may not read harms nobody, and is told of.
    assert_eq!(tidegate.status(&host("app", &second)).await, 404);
    let is_told = |problem: &Value| {
        let is_there = problem["field"].as_str().is_some_and(|field| field.ends_with(second.name()));
        is_there && problem["reason"] == "NotPermitted"
    };
    let told = || async { Ok(tidegate.problems().await.iter().any(is_told).then_some(())) };
    wait::until("a problem of the namespace", LIMIT, told).await.unwrap();
    second.apply(&role("Role", CLASS, home.name(), &rules())).await.unwrap();
    tidegate.serves(&second).await;
    // One that is not chosen any more is not served any more.
    cluster.kubectl(&["label", "namespace", first.name(), "ingress-"]).await.unwrap();
    let gone = || async { Ok(tidegate.status(&host("app", &first)).await) };
    wait::until_eq("404 for a namespace that was left", LIMIT, 404, gone).await.unwrap();

    let leave = ["delete", "--ignore-not-found", "--wait=false"];
    for (kind, name) in [("clusterrole", home.name()), ("clusterrolebinding", home.name()), ("ingressclass", CLASS)] {
        cluster.kubectl(&[&leave[..], &[kind, name]].concat()).await.unwrap();
    }
}
