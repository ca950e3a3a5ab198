//! `--watch-namespace-selector`, with a ClusterRole and with Roles alone.

use super::*;

pub(super) fn namespace(name: &str, team: &str) -> Value {
    json!({"metadata": {"name": name, "labels": {"team": team}}})
}

/// An Ingress of this name in a namespace, with its Service there.
fn put(fake: &Fake, namespace: &str, name: &str) {
    let mut service = service("s", &json!({"ports": [{"port": 80}]}));
    let mut ingress = ingress(name);
    for object in [&mut service, &mut ingress] {
        object["metadata"]["namespace"] = namespace.into();
    }
    fake.put("services", service);
    fake.put("ingresses", ingress);
}

/// Three namespaces with an Ingress each, of which two are chosen.
pub(super) fn teams() -> Fake {
    let fake = Fake::new(true);
    for (name, team) in [("one", "a"), ("two", "a"), ("three", "b")] {
        fake.put("namespaces", namespace(name, team));
        put(&fake, name, name);
    }
    fake
}

fn watching(fake: Fake) -> World {
    World::with(fake, |config| config.options.watch_namespace_selector = "team=a".to_owned())
}

pub(super) fn confine(fake: &Fake, namespaces: &[&str]) {
    fake.state().confined = Some(namespaces.iter().map(ToString::to_string).collect());
}

/// The paths that were read of a collection.
fn read(world: &World, collection: &str) -> BTreeSet<String> {
    let state = world.fake.state();
    let read = state.requests.iter().filter(|(method, path)| method == "GET" && path.ends_with(collection));
    read.map(|(_, path)| path.trim_start_matches("/apis/networking.k8s.io/v1/").to_owned()).collect()
}

#[tokio::test]
async fn who_may_read_everything_needs_one_watch_for_a_kind() {
    let world = watching(teams());
    world.until_hosts(&["one", "two"]).await;
    assert_eq!(read(&world, "ingresses"), ["ingresses".to_owned()].into());
    world.fake.put("namespaces", namespace("three", "a"));
    world.until_hosts(&["one", "two", "three"]).await;
    world.fake.put("namespaces", namespace("one", "b"));
    world.until_hosts(&["two", "three"]).await;
}

#[tokio::test]
async fn roles_in_the_chosen_namespaces_are_enough() {
    let fake = teams();
    confine(&fake, &["one", "two", "three"]);
    let world = watching(fake);
    world.until_hosts(&["one", "two"]).await;
    assert!(world.controller.handle().missing().is_empty());
    let chosen = ["one", "two"].map(|name| format!("namespaces/{name}/ingresses"));
    assert_eq!(read(&world, "ingresses"), chosen.into());
    assert!(!read(&world, "secrets").iter().any(|path| path.contains("three") || path == "/api/v1/secrets"));

    // Namespaces come and go with their labels, and what is in them with them.
    world.fake.put("namespaces", namespace("three", "a"));
    world.until_hosts(&["one", "two", "three"]).await;
    put(&world.fake, "three", "late");
    world.until_hosts(&["one", "two", "three", "late"]).await;
    world.fake.put("namespaces", namespace("one", "b"));
    let snapshot = world.until_hosts(&["two", "three", "late"]).await;
    assert!(!snapshot.upstreams.keys().any(|id| id.to_string().starts_with("one/")));
    world.fake.put("namespaces", namespace("one", "a"));
    world.until_hosts(&["one", "two", "three", "late"]).await;
    world.fake.delete("namespaces", "/two");
    world.until_hosts(&["one", "three", "late"]).await;
}

/// An account that may not even ask what it may do.
#[tokio::test]
async fn roles_are_enough_where_nobody_says_what_may_be_read() {
    let fake = teams();
    confine(&fake, &["one", "two"]);
    fake.state().read_only = true;
    let world = watching(fake);
    world.until_hosts(&["one", "two"]).await;
    assert!(world.controller.handle().missing().is_empty());
}

#[tokio::test]
async fn a_chosen_namespace_without_a_role_holds_nobody_up() {
    let fake = teams();
    confine(&fake, &["one"]);
    let world = watching(fake);
    world.until_hosts(&["one"]).await;
    let problem = world.until_problem(Reason::NotPermitted).await;
    assert!(problem.field.ends_with(" in two") && problem.message.contains("forbidden"), "{problem}");
    assert!(world.controller.handle().missing().is_empty());
    confine(&world.fake, &["one", "two"]);
    world.until_hosts(&["one", "two"]).await;
    world.until("solved", |world| world.problems().is_empty()).await;
}

#[tokio::test]
async fn where_nothing_is_chosen_nothing_is_waited_for() {
    let fake = Fake::new(true);
    fake.put("namespaces", namespace("three", "b"));
    put(&fake, "three", "three");
    confine(&fake, &[]);
    let world = watching(fake);
    world.until_hosts(&[]).await;
    assert!(world.controller.handle().missing().is_empty() && read(&world, "ingresses").is_empty());
}
