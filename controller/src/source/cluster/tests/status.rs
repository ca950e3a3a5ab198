//! What is written into statuses, and what is left alone.

use super::*;

const STATUS: &str = "PATCH /apis/networking.k8s.io/v1/namespaces/default/ingresses/a/status";

fn pod(name: &str, node: &str, ready: bool) -> Value {
    let conditions = json!([{"type": "Ready", "status": if ready { "True" } else { "False" }}]);
    json!({
        "metadata": {
            "namespace": "system", "name": name,
            "labels": {"app": "tidegate", "pod-template-hash": format!("hash-of-{name}")},
        },
        "spec": {"nodeName": node, "containers": []},
        "status": {"phase": "Running", "conditions": conditions},
    })
}

fn node(name: &str, address: &str) -> Value {
    json!({"metadata": {"name": name}, "status": {"addresses": [{"type": "InternalIP", "address": address}]}})
}

fn leaving(mut pod: Value) -> Value {
    pod["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z".into();
    pod
}

/// The addresses in the status of Ingress `a`.
fn addresses(fake: &Fake) -> Vec<String> {
    let ingress = fake.object("ingresses", "default/a");
    let list = ingress["status"]["loadBalancer"]["ingress"].as_array().cloned().unwrap_or_default();
    list.iter().map(|address| address["ip"].as_str().unwrap().to_owned()).collect()
}

fn one_address(config: &mut Config) {
    config.publish = PublishAddress::Addresses(vec!["192.0.2.1".to_owned()]);
    config.update_status_on_shutdown = true;
}

/// A world whose Ingress `a` has its status.
async fn with_status(fake: &Fake, change: impl FnOnce(&mut Config)) -> World {
    fake.put("ingresses", ingress("a"));
    let world = World::with(fake.clone(), |config| {
        one_address(config);
        change(config);
    });
    world.until_hosts(&["a"]).await;
    world.apply().await;
    world.until("status", |world| addresses(&world.fake) == ["192.0.2.1"]).await;
    world
}

#[tokio::test]
async fn without_a_service_the_nodes_of_our_ready_pods_count() {
    let fake = server(true);
    fake.put("ingresses", ingress("a"));
    fake.put("nodes", node("n1", "10.0.0.1"));
    fake.put("nodes", node("n2", "10.0.0.2"));
    fake.put("nodes", node("n3", "10.0.0.3"));
    fake.put("pods", pod("pod", "n1", true));
    fake.put("pods", pod("pod-2", "n2", true));
    fake.put("pods", pod("pod-3", "n3", false));
    fake.put("pods", leaving(pod("pod-4", "n3", true)));
    let mut other = pod("other", "n3", true);
    other["metadata"]["labels"]["app"] = "other".into();
    fake.put("pods", other);
    let world = World::with(fake, |config| config.publish = PublishAddress::Nodes { internal: true });
    world.until_hosts(&["a"]).await;
    world.apply().await;
    world.until("status", |world| !addresses(&world.fake).is_empty()).await;
    assert_eq!(addresses(&world.fake), ["10.0.0.1", "10.0.0.2"]);
}

#[tokio::test]
async fn nodes_are_asked_for_only_where_they_count() {
    let fake = server(true);
    fake.put("pods", pod("pod", "n1", true));
    let world = with_status(&fake, |_| {}).await;
    let asked = |collection: &str| world.fake.state().queries.iter().any(|(of, _)| of == collection);
    assert!(!asked("nodes"));
}

#[tokio::test]
async fn nodes_that_may_not_be_read_are_a_problem() {
    let fake = server(true);
    fake.put("ingresses", ingress("a"));
    fake.put("pods", pod("pod", "n1", true));
    fake.state().forbidden.insert("nodes".to_owned());
    let world = World::with(fake, |config| config.publish = PublishAddress::Nodes { internal: false });
    let problem = world.until_problem(Reason::NodeAddressesUnknown).await;
    assert!(problem.message.contains("nodes is forbidden"), "{problem}");
}

#[tokio::test]
async fn nothing_is_written_where_statuses_are_not_to_be_updated() {
    let fake = server(true);
    fake.put("ingresses", ingress("a"));
    fake.put("pods", pod("pod", "n1", true));
    let world = World::with(fake.clone(), |config| {
        one_address(config);
        config.update_status = false;
    });
    world.until_hosts(&["a"]).await;
    world.apply().await;
    world.controller.leave().await;
    assert_eq!(addresses(&fake), [""; 0]);
    assert!(fake.state().writes.is_empty());
}

#[tokio::test]
async fn the_last_replica_takes_its_addresses_away() {
    let fake = server(true);
    fake.put("ingresses", ingress("b"));
    fake.put("pods", pod("pod", "n1", true));
    fake.put("pods", leaving(pod("leaving", "n1", true)));
    let mut over = pod("over", "n1", false);
    over["status"]["phase"] = "Succeeded".into();
    fake.put("pods", over);
    fake.put("ingresses", ingress("a"));
    let world = World::with(fake.clone(), one_address);
    world.until_hosts(&["a", "b"]).await;
    world.apply().await;
    world.until("status", |world| addresses(&world.fake) == ["192.0.2.1"]).await;
    // What another controller says of an Ingress meanwhile is not ours to take away.
    let mut foreign = fake.object("ingresses", "default/b");
    foreign["status"] = json!({"loadBalancer": {"ingress": [{"ip": "198.51.100.1"}]}});
    world.until("of b", |world| !world.writes(&STATUS.replace("/a/", "/b/")).is_empty()).await;
    fake.state().read_only = true;
    fake.put("ingresses", foreign.clone());
    world.until_problem(Reason::StatusNotWritten).await;
    fake.state().read_only = false;

    world.controller.leave().await;
    assert_eq!(addresses(&fake), [""; 0]);
    assert_eq!(fake.object("ingresses", "default/b")["status"], foreign["status"]);
}

#[tokio::test]
async fn statuses_stay_where_another_replica_goes_on_or_nobody_wants_them_removed() {
    let fake = server(true);
    fake.put("pods", pod("pod", "n1", true));
    let world = with_status(&fake, |config| config.update_status_on_shutdown = false).await;
    world.controller.leave().await;
    assert_eq!(addresses(&fake), ["192.0.2.1"]);

    // One of the next revision, which is not ready yet.
    fake.put("pods", pod("next", "n1", false));
    let world = with_status(&fake, |_| {}).await;
    world.controller.leave().await;
    assert_eq!(addresses(&fake), ["192.0.2.1"]);

    fake.delete("pods", "system/next");
    fake.state().forbidden.insert("pods".to_owned());
    let world = with_status(&fake, |_| {}).await;
    let problem = world.until_problem(Reason::ReplicasUnknown).await;
    assert!(problem.message.contains("pods is forbidden"), "{problem}");
    world.controller.leave().await;
    assert_eq!(addresses(&fake), ["192.0.2.1"], "whether there is another one cannot be known");
}

#[tokio::test]
async fn a_status_that_somebody_else_keeps_replacing_is_left_to_them_for_a_while() {
    let fake = server(true);
    let world = with_status(&fake, |_| {}).await;
    let foreign = json!({"loadBalancer": {"ingress": [{"ip": "198.51.100.1"}]}});
    let replace = || {
        let mut object = fake.object("ingresses", "default/a");
        object["status"] = foreign.clone();
        fake.put("ingresses", object);
    };
    for round in 1..=5 {
        world.until("ours", |world| addresses(&world.fake) == ["192.0.2.1"]).await;
        assert_eq!(world.writes(STATUS).len(), round);
        replace();
    }
    // Written a sixth time, and then a problem.
    let began = Instant::now();
    let problem = world.until_problem(Reason::StatusContested).await;
    assert_eq!(problem.object.to_string(), "Ingress default/a");
    replace();
    // Everybody else gets theirs all the same.
    fake.put("ingresses", ingress("b"));
    world.until_hosts(&["a", "b"]).await;
    world.apply().await;
    world.until("of b", |world| !world.writes(&STATUS.replace("/a/", "/b/")).is_empty()).await;
    // A machine so slow that the hold-off is over by now proves nothing, and breaks nothing.
    if began.elapsed() < Duration::from_secs(10) {
        assert_eq!(addresses(&fake), ["198.51.100.1"]);
        assert_eq!(world.writes(STATUS).len(), 6);
    }
}

#[tokio::test]
async fn without_an_election_one_of_those_who_leave_together_takes_them_away() {
    let fake = server(true);
    let as_pod = |name: &'static str| {
        fake.put("pods", leaving(pod(name, "n1", true)));
        move |config: &mut Config| config.pod = Some(NamespacedName::new("system", name))
    };
    let first = with_status(&fake, as_pod("one")).await;
    let second = with_status(&fake, as_pod("two")).await;
    for world in [&first, &second] {
        // It says something of its own, so that it is known to have heard what is served.
        let id = world.snapshots.borrow().as_ref().unwrap().id;
        let origin = Arc::new(snapshot::Origin::new("Secret", "default", "x"));
        let rejected = vec![snapshot::Rejection { origin, field: None, reason: "no use".into() }];
        world.reports.send(Report::Applied { id, rejected }).await.unwrap();
        world.until_problem(Reason::Rejected).await;
    }
    first.until("status", |world| addresses(&world.fake) == ["192.0.2.1"]).await;
    tokio::join!(second.controller.leave(), first.controller.leave());
    assert_eq!(addresses(&fake), [""; 0]);
    let emptied =
        first.writes(STATUS).iter().filter(|body| body["status"]["loadBalancer"]["ingress"] == json!([])).count();
    assert_eq!(emptied, 1);
}
