//! The chart with other values than those that the other tests run with: each a release of its own beside them.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::net::IpAddr;
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context;
use e2e::client::Target;
use e2e::cluster::{Cluster, Namespace, items};
use e2e::load::{Load, Plan, Protocol};
use e2e::objects::{EchoApp, ingress, rule};
use e2e::wait;
use serde_json::{Value, json};

const CHART: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../charts/tidegate");
const OLD_FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../charts/tidegate/tests/ingress-nginx.values.yaml");
/// What stands for a release of ingress-nginx.
const NGINX: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/chart/ingress-nginx");
const LIMIT: Duration = Duration::from_secs(60);

/// A release in a namespace of its own, which serves the class of its own name.
struct Release {
    namespace: Namespace,
    name: String,
}

impl Release {
    async fn install(cluster: &Cluster, prefix: &str, arguments: &[&str]) -> Self {
        let namespace = cluster.namespace(prefix).await.unwrap();
        let release = Self { name: namespace.name().to_owned(), namespace };
        release.helm("install", arguments).await;
        release
    }

    /// Anything of helm, and waits until its Pods are there.
    async fn run(&self, arguments: &[&str]) -> String {
        let place = ["--namespace", &self.name, "--wait", "--timeout", "120s"];
        self.namespace.cluster().helm(&[arguments, &place[..]].concat()).await.unwrap()
    }

    /// `install` or `upgrade` of our chart.
    async fn helm(&self, verb: &str, arguments: &[&str]) -> String {
        let class = format!("controller.ingressClassResource.name={0},controller.ingressClass={0}", self.name);
        let owner = format!("controller.ingressClassResource.controllerValue=tidegate.dev/{}", self.name);
        let image = "controller.image.repository=tidegate,controller.image.tag=e2e";
        let sets = ["--set", &class, "--set", &owner, "--set", image, "--set", "fullnameOverride=edge"];
        self.run(&[&[verb, &self.name, CHART][..], arguments, &sets].concat()).await
    }

    async fn front(&self) -> Target {
        self.service("edge-controller").await
    }

    /// A Service by the address inside of the cluster.
    async fn service(&self, name: &str) -> Target {
        let service = self.namespace.json(&["get", "service", name]).await.unwrap();
        let address: IpAddr = service["spec"]["clusterIP"].as_str().unwrap().parse().unwrap();
        Target::new(address)
    }

    /// What the controller of its only Pod has on `/problems`.
    async fn problems(&self) -> anyhow::Result<Value> {
        let selector = "app.kubernetes.io/component=controller";
        let pods = self.namespace.json(&["get", "pods", "-l", selector]).await?;
        let address = pods["items"][0]["status"]["podIP"].as_str().context("its Pod has no address")?;
        let admin = Target { http_port: 10255, ..Target::new(address.parse()?) };
        Ok(serde_json::from_str(&admin.get("admin", "/problems").await?.text())?)
    }

    fn ingress(&self, name: &str, host: &str) -> Value {
        let spec = json!({ "ingressClassName": self.name, "rules": [rule(host, "/", "Prefix", "app")] });
        ingress(name, spec)
    }
}

impl Drop for Release {
    /// Before its namespace: what belongs to none would stay.
    fn drop(&mut self) {
        let arguments = ["uninstall", &self.name, "--namespace", &self.name, "--wait=false"];
        let done = std::process::Command::new("helm").args(arguments).stdout(Stdio::null()).status();
        if !done.is_ok_and(|status| status.success()) {
            eprintln!("release {} is left behind", self.name);
        }
    }
}

async fn app(namespace: &Namespace) {
    namespace.apply(&EchoApp::new("app", 1).objects()).await.unwrap();
    namespace.endpoints_ready("app", 1).await.unwrap();
}

async fn answers(front: &Target, host: &str, status: u16) {
    let look = || async { Ok(front.get(host, "/").await?.status.as_u16()) };
    wait::until_eq(&format!("{status} of {host}"), LIMIT, status, look).await.unwrap();
}

/// A values file that was written for ingress-nginx, then the same release with both planes in one container, and back.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_ingress_nginx_installs_and_upgrades() {
    let cluster = Cluster::from_env().unwrap();
    let file = ["--values", OLD_FILE, "--set", "controller.replicaCount=2,controller.service.type=ClusterIP"];
    // Traffic policies are for addresses from outside.
    let file = [&file[..], &["--set", "controller.service.externalTrafficPolicy="]].concat();
    let release = Release::install(&cluster, "oldfile", &file).await;
    app(&release.namespace).await;
    release.namespace.apply(&[release.ingress("app", "old.example")]).await.unwrap();
    let front = release.front().await;
    answers(&front, "old.example", 200).await;
    for split in ["controller.split=false", "controller.split=true"] {
        let printed = release.helm("upgrade", &[&file[..], &["--set", split]].concat()).await;
        for name in ["controller.lifecycle", "worker-processes"] {
            assert!(printed.contains(&format!("  {name}: ")), "the notes name what means nothing here: {printed}");
        }
        answers(&front, "old.example", 200).await;
    }
}

/// One namespace, Roles only: an Ingress of the class in another namespace is not seen.
#[tokio::test(flavor = "multi_thread")]
async fn a_scoped_release_sees_its_namespace_only() {
    let cluster = Cluster::from_env().unwrap();
    let values = "controller.scope.enabled=true,rbac.scope=true,controller.service.type=ClusterIP";
    let release = Release::install(&cluster, "scoped", &["--set", values]).await;
    let selector = format!("app.kubernetes.io/instance={}", release.name);
    let roles = cluster.json(&["get", "clusterroles,clusterrolebindings", "-l", &selector]).await.unwrap();
    assert_eq!(items(&roles["items"]).count(), 0, "{roles}");

    let elsewhere = cluster.namespace("elsewhere").await.unwrap();
    app(&elsewhere).await;
    elsewhere.apply(&[release.ingress("app", "elsewhere.example")]).await.unwrap();
    app(&release.namespace).await;
    release.namespace.apply(&[release.ingress("app", "inside.example")]).await.unwrap();
    let front = release.front().await;
    // It came later, so by now the other one would be served too.
    answers(&front, "inside.example", 200).await;
    assert_eq!(front.get("elsewhere.example", "/").await.unwrap().status, 404);
}

/// Namespaces by a label, of which the account may read those where the command of the notes was run, and no others.
#[tokio::test(flavor = "multi_thread")]
async fn chosen_namespaces_are_bound_as_the_notes_say() {
    let cluster = Cluster::from_env().unwrap();
    let (bound, unbound) = (cluster.namespace("bound").await.unwrap(), cluster.namespace("unbound").await.unwrap());
    let label = format!("ingress={}", bound.name());
    for namespace in [&bound, &unbound] {
        cluster.kubectl(&["label", "namespace", namespace.name(), &label]).await.unwrap();
        app(namespace).await;
    }
    let namespace = cluster.namespace("chosen").await.unwrap();
    let release = Release { name: namespace.name().to_owned(), namespace };
    let selector = format!("controller.scope.namespaceSelector={label}");
    let values = ["--set", "rbac.scope=true,controller.service.type=ClusterIP", "--set", &selector];
    let printed = release.helm("install", &values).await;
    bound.apply(&[release.ingress("app", "bound.example")]).await.unwrap();
    unbound.apply(&[release.ingress("app", "unbound.example")]).await.unwrap();

    let is_binding = |line: &&str| line.starts_with("create rolebinding ");
    let command = printed.lines().filter_map(|line| line.trim().strip_prefix("kubectl ")).find(is_binding).unwrap();
    let command = command.replace("NAMESPACE", bound.name());
    cluster.kubectl(&command.split_whitespace().collect::<Vec<_>>()).await.unwrap();
    let front = release.front().await;
    answers(&front, "bound.example", 200).await;
    assert_eq!(front.get("unbound.example", "/").await.unwrap().status, 404);
    let is_told = |problem: &Value| {
        let is_there = problem["field"].as_str().is_some_and(|field| field.ends_with(unbound.name()));
        is_there && problem["reason"] == "NotPermitted"
    };
    let told = || async { Ok(items(&release.problems().await?).any(is_told).then_some(())) };
    wait::until("a problem of the namespace that is not bound", LIMIT, told).await.unwrap();
}

/// On the node's own network, ports below 1024 without root and without a sysctl; the status has the node's address.
#[tokio::test(flavor = "multi_thread")]
async fn low_ports_of_the_node_need_no_root() {
    let cluster = Cluster::from_env().unwrap();
    let values = "controller.kind=DaemonSet,controller.hostNetwork=true,controller.reportNodeInternalIp=true";
    let ports = "controller.containerPort.http=81,controller.containerPort.https=444";
    let admin = "controller.metrics.port=11254,controller.metrics.controllerPort=11255";
    let services = "controller.service.enabled=false,controller.publishService.enabled=false";
    let arguments = [values, ports, admin, services].map(|set| ["--set", set]).concat();
    let release = Release::install(&cluster, "onnode", &arguments).await;
    app(&release.namespace).await;
    release.namespace.apply(&[release.ingress("app", "node.example")]).await.unwrap();

    let nodes = cluster.json(&["get", "nodes"]).await.unwrap();
    let addresses = items(&nodes["items"]).flat_map(|node| items(&node["status"]["addresses"]));
    let node = addresses.filter(|one| one["type"] == "InternalIP").find_map(|one| one["address"].as_str()).unwrap();
    let front = Target { http_port: 81, ..Target::new(node.parse().unwrap()) };
    answers(&front, "node.example", 200).await;
    let status = || release.namespace.ingress_address("app");
    wait::until_eq("the node's address", LIMIT, Some(node.to_owned()), status).await.unwrap();
}

/// With the certificate that the chart makes, also after an upgrade, which keeps it: the API server trusts no other.
#[tokio::test(flavor = "multi_thread")]
async fn the_webhook_refuses_what_could_not_be_served() {
    let cluster = Cluster::from_env().unwrap();
    // Nobody else's Ingresses wait for this webhook.
    let scope = "controller.scope.enabled=true,controller.service.type=ClusterIP";
    let arguments = ["--set", scope, "--set", "controller.admissionWebhooks.enabled=true"];
    let release = Release::install(&cluster, "webhook", &arguments).await;
    let namespace = &release.namespace;
    app(namespace).await;
    namespace.apply(&[release.ingress("first", "taken.example")]).await.unwrap();
    answers(&release.front().await, "taken.example", 200).await;

    let second = release.ingress("second", "taken.example");
    let refused = || async {
        match namespace.apply(std::slice::from_ref(&second)).await {
            // The API server learns of a new webhook a moment late.
            Ok(()) => namespace.kubectl(&["delete", "ingress", "second"]).await.map(|_| None),
            Err(error) if error.to_string().contains("could not be served") => Ok(Some(())),
            Err(error) => Err(error),
        }
    };
    wait::until("a refusal", LIMIT, refused).await.unwrap();
    let secret = || namespace.json(&["get", "secret", "edge-controller-admission"]);
    let before = secret().await.unwrap()["data"].clone();
    release.helm("upgrade", &[&arguments[..], &["--set", "controller.podLabels.round=second"]].concat()).await;
    assert_eq!(secret().await.unwrap()["data"], before, "the certificate is another one");
    wait::until("a refusal after the upgrade", LIMIT, refused).await.unwrap();
}

/// A release of ingress-nginx becomes one of ours, with the Service that it had, and goes back to what it was; no request
/// fails meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn a_release_of_ingress_nginx_is_replaced_and_comes_back() {
    let cluster = Cluster::from_env().unwrap();
    let namespace = cluster.namespace("inplace").await.unwrap();
    let release = Release { name: namespace.name().to_owned(), namespace };
    release.run(&["install", &release.name, NGINX]).await;
    app(&release.namespace).await;
    release.namespace.apply(&[release.ingress("app", "old.example")]).await.unwrap();
    let service = format!("{}-ingress-nginx-controller", release.name);
    let front = release.service(&service).await;
    // What stands for nginx answers whatever it is asked.
    answers(&front, "nobody.example", 200).await;
    // Each request on a new connection, so that it goes to whom the Service has at the moment.
    let host = "old.example".to_owned();
    let plan = Plan { target: front.clone(), host, rate: 50, connections: 4, protocol: Protocol::Http1, keep: false };
    let load = Load::start(&plan);

    let class = format!("controller.ingressClassResource.name={0},controller.ingressClass={0}", release.name);
    let owner = format!("controller.ingressClassResource.controllerValue=k8s.io/{}", release.name);
    let ours = "nameOverride=ingress-nginx,controller.image.repository=tidegate,controller.image.tag=e2e";
    let sets = ["--set", &class, "--set", &owner, "--set", ours, "--set", "controller.service.type=ClusterIP"];
    release.run(&[&["upgrade", &release.name, CHART][..], &sets].concat()).await;
    assert_eq!(release.service(&service).await.address, front.address);
    answers(&front, "nobody.example", 404).await;
    answers(&front, "old.example", 200).await;

    release.run(&["upgrade", &release.name, NGINX, "--reset-values"]).await;
    assert_eq!(release.service(&service).await.address, front.address);
    answers(&front, "nobody.example", 200).await;
    // Our Pod is leaving now.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let report = load.stop().await;
    assert!(report.sent() > 100 && report.failed() == 0, "{report:?}");
    assert!(report.pods.len() >= 3, "nginx's Pods and the app's answered: {report:?}");
}
