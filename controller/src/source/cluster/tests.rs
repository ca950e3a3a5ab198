//! A controller against an API in this process. Waits are bounded; nothing is decided by how long they took.

mod elsewhere;
pub(crate) mod fake;
mod leader;
mod namespaces;
mod parameters;
mod secrets;
mod silence;
mod status;

use std::{collections::BTreeSet, time::Duration};

use compile::{Problem, Reason};
use fake::Fake;
use serde_json::{Value, json};
use snapshot::{Report, Snapshot};
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, sleep, timeout},
};

use super::*;
use crate::{Config, Controller, PublishAddress, Source};

const PATIENCE: Duration = Duration::from_secs(30);

struct World {
    fake: Fake,
    controller: Controller,
    snapshots: watch::Receiver<Option<Arc<Snapshot>>>,
    reports: mpsc::Sender<Report>,
}

impl World {
    fn new(fake: Fake) -> Self {
        Self::with(fake, |_| {})
    }

    fn with(fake: Fake, change: impl FnOnce(&mut Config)) -> Self {
        let client = fake.client();
        Self::with_client(fake, client, change)
    }

    fn with_client(fake: Fake, client: Client, change: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config {
            options: Options { watch_ingress_without_class: true, ..Options::default() },
            source: Source::Cluster { kubeconfig: None },
            publish: PublishAddress::None,
            update_status: true,
            admission: None,
            update_status_on_shutdown: false,
            shutdown_grace: Duration::ZERO,
            election: None,
            pod: Some(NamespacedName::new("system", "pod")),
            first_refusal_is_fatal: true,
            metric_labels: [("controller_pod".to_owned(), "pod".to_owned())].into(),
        };
        change(&mut config);
        let (sender, snapshots) = watch::channel(None);
        let (reports, inbox) = mpsc::channel(16);
        let controller = Controller::start_with(config, Some(client), sender, inbox).unwrap();
        Self { fake, controller, snapshots, reports }
    }

    async fn until_hosts(&self, hosts: &[&str]) -> Arc<Snapshot> {
        let hosts: BTreeSet<String> = hosts.iter().map(|host| format!("{host}.example")).collect();
        let served = |snapshot: &Option<Arc<Snapshot>>| {
            let tables = snapshot.iter().flat_map(|snapshot| snapshot.tables.keys());
            snapshot.is_some()
                && tables.map(|id| id.to_string()).filter(|id| id.contains('.')).collect::<BTreeSet<_>>() == hosts
        };
        let mut snapshots = self.snapshots.clone();
        let found = timeout(PATIENCE, snapshots.wait_for(served)).await;
        let Ok(found) = found else {
            panic!("{hosts:?}: {:?} {:?}", self.problems(), self.controller.handle().missing())
        };
        found.unwrap().clone().unwrap()
    }

    async fn until(&self, what: &str, done: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !done(self) {
            if Instant::now() >= deadline {
                let last = self.fake.state().requests.iter().rev().take(20).cloned().collect::<Vec<_>>();
                panic!("{what}: {:?}, {last:?}", self.problems());
            }
            sleep(Duration::from_millis(5)).await;
        }
    }

    async fn until_problem(&self, reason: Reason) -> Problem {
        self.until(reason.as_str(), |world| world.problems().iter().any(|problem| problem.reason == reason)).await;
        self.problems().iter().find(|problem| problem.reason == reason).unwrap().clone()
    }

    fn problems(&self) -> Arc<[Problem]> {
        self.controller.handle().problems()
    }

    async fn apply(&self) {
        let id = self.snapshots.borrow().as_ref().unwrap().id;
        self.reports.send(Report::Applied { id, rejected: Vec::new() }).await.unwrap();
    }

    fn writes(&self, prefix: &str) -> Vec<Value> {
        let state = self.fake.state();
        let writes = state.writes.iter().filter(|(request, _)| request.starts_with(prefix));
        writes.map(|(_, body)| body.clone()).collect()
    }
}

fn ingress(name: &str) -> Value {
    let backend = json!({"service": {"name": "s", "port": {"number": 80}}});
    let paths = json!([{"path": "/", "pathType": "Prefix", "backend": backend}]);
    json!({
        "metadata": {"name": name, "namespace": "default", "uid": format!("uid-{name}")},
        "spec": {"rules": [{"host": format!("{name}.example"), "http": {"paths": paths}}]},
    })
}

fn broken_ingress(name: &str) -> Value {
    json!({"metadata": {"name": name, "namespace": "default"}, "spec": {"rules": 5}})
}

fn service(name: &str, spec: &Value) -> Value {
    json!({"metadata": {"name": name, "namespace": "default", "uid": format!("uid-{name}")}, "spec": spec})
}

/// A server with the Service that all Ingresses here lead to.
fn server(streaming: bool) -> Fake {
    let fake = Fake::new(streaming);
    fake.put("services", service("s", &json!({"ports": [{"port": 80}]})));
    fake
}

#[tokio::test]
async fn follows_a_server_with_streaming_lists() {
    follows(server(true)).await;
}

#[tokio::test]
async fn follows_a_server_without_streaming_lists() {
    follows(server(false)).await;
}

async fn follows(fake: Fake) {
    fake.put("ingresses", ingress("a"));
    let streaming = fake.state().streaming;
    let world = World::new(fake);
    world.until_hosts(&["a"]).await;
    assert!(world.controller.handle().missing().is_empty());
    world.fake.put("ingresses", ingress("b"));
    world.until_hosts(&["a", "b"]).await;
    world.fake.delete("ingresses", "default/a");
    world.until_hosts(&["b"]).await;
    world.fake.hang_up();
    world.fake.put("ingresses", ingress("c"));
    world.until_hosts(&["b", "c"]).await;
    let listed = world.fake.state().queries.iter().any(|(_, query)| !query.contains("watch=true"));
    assert_eq!(listed, !streaming);
    world.controller.shut_down().await;
}

#[tokio::test]
async fn lists_again_when_what_it_holds_is_too_old() {
    let fake = server(false);
    fake.put("ingresses", ingress("a"));
    fake.put("ingresses", ingress("b"));
    let world = World::new(fake);
    world.until_hosts(&["a", "b"]).await;
    world.fake.delete_silently("ingresses", "default/a");
    world.fake.put("ingresses", ingress("c"));
    world.until_hosts(&["a", "b", "c"]).await;
    world.fake.state().compacted = 1000;
    world.fake.hang_up();
    world.until_hosts(&["b", "c"]).await;
}

#[tokio::test]
async fn nothing_is_published_before_every_kind_is_listed() {
    let fake = server(false);
    fake.put("ingresses", ingress("a"));
    fake.state().forbidden.insert("secrets".to_owned());
    let world = World::new(fake);
    world
        .until("forbidden", |world| {
            let missing = world.controller.handle().missing();
            missing.len() == 1
                && missing.iter().any(|text| text.starts_with("secrets: forbidden: secrets is forbidden"))
        })
        .await;
    assert!(world.snapshots.borrow().is_none());
    world.fake.state().forbidden.clear();
    world.until_hosts(&["a"]).await;
    assert!(world.controller.handle().missing().is_empty());
}

#[tokio::test]
async fn an_object_that_cannot_be_read_harms_no_other() {
    for streaming in [true, false] {
        let fake = server(streaming);
        fake.put("ingresses", ingress("a"));
        fake.put("ingresses", broken_ingress("bad"));
        let world = World::new(fake);
        world.until_hosts(&["a"]).await;
        assert_eq!(world.until_problem(Reason::ObjectUnreadable).await.object.to_string(), "Ingress default/bad");
        // What was readable before is served as it was.
        world.fake.put("ingresses", broken_ingress("a"));
        world.fake.put("ingresses", ingress("bad"));
        world.until_hosts(&["a", "bad"]).await;
        assert_eq!(world.until_problem(Reason::ObjectUnreadable).await.object.to_string(), "Ingress default/a");
        world.fake.delete("ingresses", "default/a");
        world.until_hosts(&["bad"]).await;
        world.until("solved", |world| world.problems().is_empty()).await;
    }
}

#[tokio::test]
async fn a_watch_that_fails_is_a_problem_and_traffic_goes_on() {
    let fake = server(false);
    fake.put("ingresses", ingress("a"));
    let world = World::new(fake);
    world.until_hosts(&["a"]).await;
    world.fake.state().forbidden.insert("ingresses".to_owned());
    world.fake.hang_up();
    let problem = world.until_problem(Reason::WatchFailed).await;
    assert!(problem.field == "ingresses" && problem.message.contains("forbidden"), "{problem}");
    assert!(world.snapshots.borrow().is_some());
    world.fake.state().forbidden.clear();
    world.fake.put("ingresses", ingress("b"));
    world.until_hosts(&["a", "b"]).await;
    world.until("solved", |world| world.problems().is_empty()).await;
}

#[tokio::test]
async fn an_ingress_gets_its_address_once_it_is_served() {
    let fake = server(true);
    fake.put("ingresses", ingress("a"));
    let balancer = json!({"type": "LoadBalancer", "externalIPs": ["192.0.2.9"], "ports": [{"port": 80}]});
    fake.put("services", service("lb", &balancer));
    let name = NamespacedName::new("default", "lb");
    let world = World::with(fake, |config| config.publish = PublishAddress::Service(name));
    world.until_hosts(&["a"]).await;
    world
        .until("the Service", |world| world.fake.state().queries.iter().any(|(_, q)| q.contains("metadata.name%3Dlb")))
        .await;
    sleep(Duration::from_millis(100)).await;
    assert_eq!(world.writes("PATCH"), Vec::<Value>::new(), "nobody serves it yet");

    world.apply().await;
    let path = "PATCH /apis/networking.k8s.io/v1/namespaces/default/ingresses/a/status";
    world.until("status", |world| !world.writes(path).is_empty()).await;
    assert_eq!(world.writes(path), [json!({"status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.9"}]}}})]);

    let balancer = json!({"type": "LoadBalancer", "externalIPs": ["192.0.2.10"], "ports": [{"port": 80}]});
    world.fake.put("services", service("lb", &balancer));
    world.until("new status", |world| world.writes(path).len() == 2).await;
    assert!(world.writes(path)[1].to_string().contains("192.0.2.10"));
    // Our own write comes back as a change and leads to nothing more.
    sleep(Duration::from_millis(200)).await;
    assert_eq!(world.writes(path).len(), 2);
    world.fake.delete("services", "default/lb");
    world.until_problem(Reason::PublishServiceNotFound).await;
    assert_eq!(world.writes(path).len(), 2);
}

#[tokio::test]
async fn writes_that_are_refused_are_problems() {
    let fake = Fake::new(true);
    fake.state().read_only = true;
    fake.put("ingresses", ingress("a"));
    let world = World::with(fake, |config| config.publish = PublishAddress::Addresses(vec!["192.0.2.1".to_owned()]));
    world.until_hosts(&["a"]).await;
    world.apply().await;
    let problem = world.until_problem(Reason::StatusNotWritten).await;
    assert!(problem.message.contains("default/a") && problem.message.contains("may not write"), "{problem}");
    world.until_problem(Reason::EventNotWritten).await;
    world.fake.state().read_only = false;
    world
        .until("status", |world| {
            let problems = world.problems();
            problems.iter().all(|problem| problem.reason != Reason::StatusNotWritten)
        })
        .await;
}

#[tokio::test]
async fn a_problem_is_told_by_one_event() {
    let fake = Fake::new(true);
    fake.put("ingresses", ingress("a"));
    let world = World::new(fake.clone());
    world.until_hosts(&["a"]).await;
    let path = "POST /apis/events.k8s.io/v1/namespaces/default/events";
    world.until("event", |world| !world.writes(path).is_empty()).await;
    let events = world.writes(path);
    let [event] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!((&event["reason"], &event["type"]), (&json!("ServiceNotFound"), &json!("Warning")));
    assert_eq!(event["regarding"]["uid"], "uid-a");
    assert_eq!(event["reportingInstance"], "pod");
    world.fake.put("ingresses", ingress("b"));
    world.until("another", |world| world.writes(path).len() == 2).await;
    world.controller.shut_down().await;

    // A controller that starts again counts its Event up.
    let again = World::new(fake);
    let path = "PATCH /apis/events.k8s.io/v1/namespaces/default/events/a.";
    again.until("series", |world| !world.writes(path).is_empty()).await;
    assert_eq!(again.writes(path)[0]["series"]["count"], 2);
}

#[tokio::test]
async fn only_what_is_needed_is_asked_for() {
    let world = World::new(server(false));
    world.until_hosts(&[]).await;
    let paths: BTreeSet<String> = world.fake.state().requests.iter().map(|(_, path)| path.clone()).collect();
    let expected = [
        "/api/v1/secrets",
        "/api/v1/services",
        "/apis/discovery.k8s.io/v1/endpointslices",
        "/apis/networking.k8s.io/v1/ingressclasses",
        "/apis/networking.k8s.io/v1/ingresses",
        "/apis/tidegate.dev/v1alpha1/ingressclassparameters",
    ];
    assert_eq!(paths, expected.map(str::to_owned).into());
    let queries = world.fake.state().queries.clone();
    assert!(
        queries.iter().filter(|(of, _)| of == "secrets").all(|(_, query)| query.contains("type%3Dkubernetes.io%2Ftls"))
    );
}

#[tokio::test]
async fn with_roles_alone_the_name_of_our_class_is_enough() {
    let fake = Fake::new(true);
    let mut service = service("s", &json!({"ports": [{"port": 80}]}));
    service["metadata"]["namespace"] = "team".into();
    fake.put("services", service);
    for (name, class) in [("a", "tidegate"), ("b", "other")] {
        let mut ingress = ingress(name);
        ingress["metadata"]["namespace"] = "team".into();
        ingress["spec"]["ingressClassName"] = class.into();
        fake.put("ingresses", ingress);
    }
    fake.state().forbidden.insert("ingressclasses".to_owned());
    let world = World::with(fake, |config| config.options.watch_namespace = Some("team".to_owned()));
    world.until_hosts(&["a"]).await;
    let problem = world.until_problem(Reason::NotPermitted).await;
    assert!(problem.field == "ingressclasses" && problem.message.contains("forbidden"), "{problem}");
    assert!(world.controller.handle().missing().is_empty());
    // Once classes can be read, it is their controller that counts.
    world.fake.put(
        "ingressclasses",
        json!({
            "metadata": {"name": "other"}, "spec": {"controller": "tidegate.dev/ingress-controller"},
        }),
    );
    world.fake.state().forbidden.clear();
    world.until_hosts(&["b"]).await;
    world.until("permitted", |world| world.problems().is_empty()).await;
}

#[tokio::test]
async fn one_namespace_is_watched_apart_from_what_flags_name() {
    let world = World::with(server(false), |config| {
        config.options.watch_namespace = Some("team".to_owned());
        config.options.config_map = Some(NamespacedName::new("system", "settings"));
        config.options.default_ssl_certificate = Some(NamespacedName::new("system", "tls"));
        config.options.tcp_services = Some(NamespacedName::new("system", "settings"));
        config.options.udp_services = Some(NamespacedName::new("network", "udp"));
    });
    world.until_hosts(&[]).await;
    let paths: BTreeSet<String> = world.fake.state().requests.iter().map(|(_, path)| path.clone()).collect();
    let expected = [
        "/api/v1/namespaces/network/configmaps",
        "/api/v1/namespaces/system/configmaps",
        "/api/v1/namespaces/system/secrets",
        "/api/v1/namespaces/team/secrets",
        "/api/v1/namespaces/team/services",
        "/apis/discovery.k8s.io/v1/namespaces/team/endpointslices",
        "/apis/networking.k8s.io/v1/ingressclasses",
        "/apis/networking.k8s.io/v1/namespaces/team/ingresses",
        "/apis/tidegate.dev/v1alpha1/ingressclassparameters",
    ];
    assert_eq!(paths, expected.map(str::to_owned).into());
}
