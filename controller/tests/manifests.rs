//! A controller over a real folder, seen from the data plane's side.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{
    fs,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use compile::{Options, Reason};
use controller::{Config, Controller, Error, PublishAddress, Source};
use snapshot::{Report, Snapshot, SnapshotId};
use tempfile::TempDir;
use tokio::{
    sync::{mpsc, watch},
    time::timeout,
};

const PATIENCE: Duration = Duration::from_secs(30);

struct World {
    dir: TempDir,
    controller: Controller,
    snapshots: watch::Receiver<Option<Arc<Snapshot>>>,
    reports: mpsc::Sender<Report>,
}

impl World {
    async fn new(files: &[(&str, String)]) -> Self {
        let dir = TempDir::new().unwrap();
        for (path, text) in files {
            fs::write(dir.path().join(path), text).unwrap();
        }
        let (sender, snapshots) = watch::channel(None);
        let (reports, inbox) = mpsc::channel(16);
        let controller = Controller::start(config(dir.path()), sender, inbox).await.unwrap();
        Self { dir, controller, snapshots, reports }
    }

    fn write(&self, path: &str, text: &str) {
        fs::write(self.dir.path().join(path), text).unwrap();
    }

    /// The first snapshot for which this holds.
    async fn until(&mut self, what: &str, holds: impl Fn(&Snapshot) -> bool) -> Arc<Snapshot> {
        let holds = |snapshot: &Option<Arc<Snapshot>>| snapshot.as_deref().is_some_and(&holds);
        let found = timeout(PATIENCE, self.snapshots.wait_for(holds)).await;
        let Ok(found) = found else { panic!("{what}; problems: {:?}", self.controller.handle().problems()) };
        found.unwrap().clone().unwrap()
    }

    async fn until_problem(&self, reason: Reason) {
        let deadline = Instant::now() + PATIENCE;
        while !self.controller.handle().problems().iter().any(|problem| problem.reason == reason) {
            assert!(Instant::now() < deadline, "{reason}: {:?}", self.controller.handle().problems());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

fn config(folder: &Path) -> Config {
    Config {
        options: Options { watch_ingress_without_class: true, ..Options::default() },
        source: Source::Manifests(folder.to_owned()),
        publish: PublishAddress::None,
        update_status: true,
        admission: None,
        update_status_on_shutdown: true,
        election: None,
        pod: None,
        shutdown_grace: Duration::ZERO,
        first_refusal_is_fatal: true,
        metric_labels: [("controller_pod".to_owned(), "pod".to_owned())].into(),
    }
}

fn app(name: &str) -> String {
    format!(
        r#"apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {{name: {name}}}
spec:
  rules:
  - host: {name}.example
    http:
      paths:
      - {{path: /, pathType: Prefix, backend: {{service: {{name: {name}, port: {{number: 80}}}}}}}}
---
apiVersion: v1
kind: Service
metadata: {{name: {name}}}
spec:
  ports: [{{port: 80}}]
"#
    )
}

fn slice(name: &str, address: &str) -> String {
    format!(
        r#"apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {{name: {name}-1, labels: {{kubernetes.io/service-name: {name}}}}}
addressType: IPv4
ports: [{{port: 8080}}]
endpoints: [{{addresses: ["{address}"]}}]
"#
    )
}

fn addresses(snapshot: &Snapshot, port: &str) -> Vec<String> {
    let set = snapshot.endpoints.get(port);
    set.iter().flat_map(|set| &set.endpoints).map(|endpoint| endpoint.address.to_string()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn serves_a_folder_and_follows_it() {
    let mut world = World::new(&[("a.yaml", app("a")), ("a-pods.yaml", slice("a", "127.0.0.1"))]).await;
    let first = world.until("first", |snapshot| snapshot.tables.contains_key("a.example")).await;
    assert_eq!(addresses(&first, "default/a:80"), ["127.0.0.1:8080"]);
    assert!(world.controller.handle().missing().is_empty());

    world.write("a-pods.yaml", &slice("a", "127.0.0.2"));
    let second = world.until("endpoints", |s| addresses(s, "default/a:80") == ["127.0.0.2:8080"]).await;
    assert!(Arc::ptr_eq(first.tables.get("a.example").unwrap(), second.tables.get("a.example").unwrap()));
    assert!(first.id.sequence < second.id.sequence && first.id.instance == second.id.instance);

    world.write("b.yaml", &app("b"));
    let third = world.until("b", |snapshot| snapshot.tables.contains_key("b.example")).await;
    assert!(Arc::ptr_eq(first.tables.get("a.example").unwrap(), third.tables.get("a.example").unwrap()));
    assert_eq!(addresses(&third, "default/a:80"), ["127.0.0.2:8080"]);

    fs::remove_file(world.dir.path().join("a.yaml")).unwrap();
    world.until("a gone", |snapshot| !snapshot.tables.contains_key("a.example")).await;
    world.controller.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_folder_has_a_snapshot() {
    World::new(&[]).await.until("any", |snapshot| !snapshot.listeners.is_empty()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn problems_and_metrics_tell_of_each_other() {
    let mut world = World::new(&[("a.yaml", app("a")), ("b.yaml", "kind: [".to_owned())]).await;
    world.until("a", |snapshot| snapshot.tables.contains_key("a.example")).await;
    world.until_problem(Reason::FileBroken).await;
    let text = metrics(&world.controller);
    for line in [
        r#"tidegate_problems{reason="FileBroken",severity="error",controller_pod="pod"} 1"#,
        r#"tidegate_source_synced{kind="manifests",controller_pod="pod"} 1"#,
        r#"nginx_ingress_controller_orphan_ingress{ingress="a",namespace="default",type="no-endpoint",controller_pod="pod"} 1"#,
    ] {
        assert!(text.contains(line), "{line} in {text}");
    }
    world.write("b.yaml", &slice("a", "127.0.0.1"));
    world.until("endpoints", |snapshot| !addresses(snapshot, "default/a:80").is_empty()).await;
    let text = metrics(&world.controller);
    assert!(!text.contains("FileBroken") && !text.contains("no-endpoint"), "{text}");
}

fn metrics(controller: &Controller) -> String {
    prometheus::TextEncoder::new().encode_to_string(&controller.handle().registry().gather()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_first_snapshot_is_fatal() {
    let world = World::new(&[]).await;
    let reason = "cannot bind 0.0.0.0:80: address in use".to_owned();
    world.reports.send(Report::Rejected { id: SnapshotId::default(), reason }).await.unwrap();
    let error = timeout(PATIENCE, world.controller.handle().failed()).await.unwrap();
    assert!(matches!(&error, Error::Dataplane(reason) if reason.contains("0.0.0.0:80")), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_work_does_not_start() {
    let start = |config| async {
        let (sender, _) = watch::channel(None);
        Controller::start(config, sender, mpsc::channel(1).1).await.err().map(|error| error.to_string())
    };
    let dir = TempDir::new().unwrap();
    let missing = start(config(Path::new("/nowhere/at/all"))).await.unwrap();
    assert!(missing.contains("/nowhere/at/all"), "{missing}");
    let mut bad = config(dir.path());
    bad.options.https_port = bad.options.http_port;
    assert!(start(bad).await.unwrap().contains("--https-port"));
    let mut bad = config(dir.path());
    bad.publish = PublishAddress::Addresses(vec!["not an address".to_owned()]);
    assert!(start(bad).await.unwrap().contains("--publish-status-address"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_class_has_settings_of_its_own_without_a_cluster() {
    let class = "\
apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: {name: tidegate, annotations: {ingressclass.kubernetes.io/is-default-class: 'true'}}
spec:
  controller: tidegate.dev/ingress-controller
  parameters: {apiGroup: tidegate.dev, kind: IngressClassParameters, name: large}
";
    let parameters = |size: &str| {
        format!(
            "apiVersion: tidegate.dev/v1alpha1\nkind: IngressClassParameters\nmetadata: {{name: large}}\n\
             spec: {{proxyBodySize: {size}}}\n"
        )
    };
    let files = [("class.yaml", class.to_owned()), ("a.yaml", app("a")), ("large.yaml", parameters("50m"))];
    let mut world = World::new(&files).await;
    let is = |bytes: u64| {
        move |snapshot: &Snapshot| {
            let mut routes = snapshot.tables.values().flat_map(|table| &table.routes);
            routes.next().is_some_and(|route| route.max_body.is_some_and(|most| most.get() == bytes))
        }
    };
    world.until("50 MiB", is(50 << 20)).await;
    world.write("large.yaml", &parameters("2m"));
    world.until("2 MiB", is(2 << 20)).await;
    world.write("large.yaml", &parameters("[]"));
    world.until_problem(Reason::BadParameter).await;
    world.until("the default", is(1 << 20)).await;
    fs::remove_file(world.dir.path().join("large.yaml")).unwrap();
    world.until_problem(Reason::ParametersNotFound).await;
}
