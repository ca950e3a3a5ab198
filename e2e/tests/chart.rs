//! The chart with other values than those that the other tests run with: each a release of its own beside them.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::net::IpAddr;
use std::process::Stdio;
use std::time::Duration;

use e2e::client::Target;
use e2e::cluster::{Cluster, Namespace, items};
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

/// A release of ingress-nginx becomes one of ours, with the Service that it had, and goes back to what it was.
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

    let class = format!("controller.ingressClassResource.name={0},controller.ingressClass={0}", release.name);
    let owner = format!("controller.ingressClassResource.controllerValue=k8s.io/{}", release.name);
    let ours = "nameOverride=ingress-nginx,controller.image.repository=tidegate,controller.image.tag=e2e";
    let sets = ["--set", &class, "--set", &owner, "--set", ours, "--set", "controller.service.type=ClusterIP"];
    release.run(&[&["upgrade", &release.name, CHART][..], &sets].concat()).await;
    assert_eq!(release.service(&service).await.address, front.address);
    answers(&front, "nobody.example", 404).await;
    answers(&front, "old.example", 200).await;

    release.run(&["rollback", &release.name, "1"]).await;
    assert_eq!(release.service(&service).await.address, front.address);
    answers(&front, "nobody.example", 200).await;
}
