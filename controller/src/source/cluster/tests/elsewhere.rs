//! Outside of the namespaces that `--watch-namespace-selector` chooses, where each of those is watched by itself.

use super::{
    namespaces::{confine, namespace, teams},
    secrets::{OTHER_CERT, OTHER_KEY, asked_by_name, held, names, opaque, secret, tls, with_identity, with_tls},
    *,
};
use crate::secrets::AFTER;

/// More than are watched each by its name.
const MANY: usize = 101;

/// `one` and `two` are chosen, and may be read, `three` is neither.
fn server() -> Fake {
    let fake = teams();
    confine(&fake, &["one", "two"]);
    fake.put(
        "configmaps",
        within(
            "system",
            &json!({
                "metadata": {"name": "settings"}, "data": {"allow-cross-namespace-resources": "true"},
            }),
        ),
    );
    fake
}

fn watching(fake: Fake, change: impl FnOnce(&mut Options)) -> World {
    World::with(fake, |config| {
        config.options.watch_namespace_selector = "team=a".to_owned();
        config.options.config_map = Some(NamespacedName::new("system", "settings"));
        change(&mut config.options);
    })
}

fn with_default_certificate(fake: Fake, namespace: &str) -> World {
    let name = NamespacedName::new(namespace, "default");
    watching(fake, |options| options.default_ssl_certificate = Some(name))
}

fn within(namespace: &str, object: &Value) -> Value {
    let mut object = object.clone();
    object["metadata"]["namespace"] = namespace.into();
    object
}

/// Ingresses of a namespace, each of which names a Secret of its own there.
fn name_many(fake: &Fake, namespace: &str) {
    for number in 0..MANY {
        let ingress = with_tls(&format!("many{number}"), &format!("many-{number}"));
        fake.put("ingresses", within(namespace, &ingress));
    }
}

/// An Ingress in `one` that names a Secret elsewhere.
fn across(name: &str, secret: &str) -> Value {
    let mut ingress = with_identity(name, "");
    ingress["metadata"]["annotations"]["nginx.ingress.kubernetes.io/proxy-ssl-secret"] = secret.into();
    within("one", &ingress)
}

/// Another certificate in a Secret is what is served from then on.
async fn is_renewed(world: &World, namespace: &str, name: &str) {
    let cert = |world: &World| {
        let snapshot = world.snapshots.borrow().clone().unwrap();
        let mut certs = snapshot.certs.iter();
        certs.find(|(id, _)| id.to_string() == format!("{namespace}/{name}")).map(|(_, cert)| cert.chain.clone())
    };
    let before = cert(world);
    assert!(before.is_some(), "{:?}", held(world));
    let renewed = secret(name, "kubernetes.io/tls", OTHER_CERT, OTHER_KEY);
    world.fake.put("secrets", within(namespace, &renewed));
    world.until("renewed", |world| cert(world).is_some_and(|cert| Some(cert) != before)).await;
}

fn others_are_watched(fake: &Fake) -> bool {
    fake.state().queries.iter().any(|(of, query)| of == "secrets" && query.contains("helm.sh"))
}

#[tokio::test]
async fn the_default_certificate_is_served_whatever_else_is_named() {
    let fake = server();
    fake.state().granted.insert("three/default".to_owned());
    fake.put("secrets", within("three", &tls("default")));
    name_many(&fake, "one");
    let world = with_default_certificate(fake, "three");
    world.until("served", |world| held(world) == names(&["three/default"])).await;
    assert!(others_are_watched(&world.fake));
    is_renewed(&world, "three", "default").await;
}

#[tokio::test]
async fn the_default_certificate_is_followed_when_many_others_come_to_be_named() {
    let fake = server();
    fake.state().granted.insert("three/default".to_owned());
    fake.put("secrets", within("three", &tls("default")));
    let world = with_default_certificate(fake, "three");
    world.until("served", |world| held(world) == names(&["three/default"])).await;
    name_many(&world.fake, "one");
    let missing = |problem: &Problem| problem.message.contains("one/many-100 does not exist");
    world.until("all asked for", |world| world.problems().iter().any(missing)).await;
    assert!(others_are_watched(&world.fake));
    is_renewed(&world, "three", "default").await;
}

#[tokio::test]
async fn the_default_certificate_stays_when_its_namespace_is_left() {
    let fake = server();
    fake.put("secrets", within("one", &tls("default")));
    let world = with_default_certificate(fake, "one");
    world.until_hosts(&["one", "two"]).await;
    assert_eq!(held(&world), names(&["one/default"]));
    // Whoever asks for it only now is not answered.
    world.fake.state().silent.insert("default".to_owned());
    world.fake.put("namespaces", namespace("one", "b"));
    world.until_hosts(&["two"]).await;
    is_renewed(&world, "one", "default").await;
    // Nor does it come and go with the label.
    world.fake.put("namespaces", namespace("one", "a"));
    world.until_hosts(&["one", "two"]).await;
    assert_eq!(held(&world), names(&["one/default"]));
}

#[tokio::test]
async fn a_namespace_with_many_secrets_is_left_without_a_question() {
    let fake = server();
    for number in 0..MANY {
        fake.put("secrets", within("one", &tls(&format!("many-{number}"))));
        fake.put("ingresses", within("one", &across(&format!("many{number}"), &format!("one/many-{number}"))));
    }
    let world = watching(fake, |_| {});
    world.until("held", |world| held(world).len() == MANY).await;
    confine(&world.fake, &["two"]);
    world.fake.put("namespaces", namespace("one", "b"));
    world.until_hosts(&["two"]).await;
    world.until("let go", |world| held(world).is_empty()).await;
    // Those that are left are asked for after this time, if something still names them.
    sleep(AFTER + Duration::from_millis(200)).await;
    assert_eq!(asked_by_name(&world.fake), names(&[]));
    assert!(!others_are_watched(&world.fake));
}

#[tokio::test]
async fn a_secret_that_may_not_be_read_keeps_nobody_waiting() {
    let fake = server();
    fake.put("secrets", within("three", &tls("x")));
    fake.put("ingresses", across("across", "three/x"));
    let world = watching(fake, |_| {});
    world.until_hosts(&["one", "two", "across"]).await;
    let problems = world.problems();
    assert!(problems.iter().all(|problem| problem.reason != Reason::WatchFailed), "{problems:?}");
    assert!(problems.iter().any(|problem| problem.message.contains("three/x does not exist")), "{problems:?}");
    // A Role for it alone is enough, and may come later.
    world.fake.state().granted.insert("three/x".to_owned());
    world.until("granted", |world| held(world) == names(&["three/x"])).await;
    is_renewed(&world, "three", "x").await;
}

#[tokio::test]
async fn what_is_still_named_when_its_namespace_is_left_is_followed_by_its_name() {
    let fake = server();
    fake.put("secrets", within("two", &tls("x")));
    fake.put("ingresses", across("across", "two/x"));
    let world = watching(fake, |_| {});
    world.until("held", |world| held(world) == names(&["two/x"])).await;
    world.fake.put("namespaces", namespace("two", "b"));
    world.until_hosts(&["one", "across"]).await;
    world.until("by name", |world| world.fake.watched_by_name("secrets") == names(&["x"])).await;
    is_renewed(&world, "two", "x").await;
    world.fake.put("namespaces", namespace("two", "a"));
    world.until("by its type", |world| world.fake.watched_by_name("secrets").is_empty()).await;
    assert_eq!(held(&world), names(&["two/x"]));
    // Where it may not be read any more, it is as good as gone.
    confine(&world.fake, &["one"]);
    world.fake.put("namespaces", namespace("two", "b"));
    world.until("gone", |world| held(world).is_empty()).await;
}

#[tokio::test]
async fn a_secret_that_only_its_own_watch_tells_of_goes_with_its_namespace_too() {
    let fake = server();
    fake.put("secrets", within("two", &opaque("x")));
    fake.put("ingresses", across("across", "two/x"));
    let world = watching(fake, |_| {});
    world.until("held", |world| held(world) == names(&["two/x"])).await;
    confine(&world.fake, &["one"]);
    world.fake.put("namespaces", namespace("two", "b"));
    world.until("gone", |world| held(world).is_empty()).await;
    let problems = world.problems();
    assert!(problems.iter().all(|problem| problem.reason != Reason::WatchFailed), "{problems:?}");
}

#[tokio::test]
async fn no_more_are_asked_for_outside_than_there_is_room() {
    let fake = server();
    for number in 0..MANY {
        fake.put("ingresses", across(&format!("many{number}"), &format!("three/many-{number:03}")));
    }
    let world = watching(fake, |_| {});
    let missing = |problem: &Problem| problem.message.contains("three/many-100 does not exist");
    world.until("all in use", |world| world.problems().iter().any(missing)).await;
    let asked = asked_by_name(&world.fake);
    assert!(asked.len() == MANY - 1 && !asked.contains("many-100"), "{asked:?}");
    assert!(!others_are_watched(&world.fake));
    world.fake.delete("ingresses", "one/many0");
    world.until("room", |world| asked_by_name(&world.fake).contains("many-100")).await;
}

#[tokio::test]
async fn of_a_namespace_that_is_left_only_the_endpoints_of_the_default_backend_stay() {
    let fake = server();
    let slice = |service: &str, address: &str| {
        within(
            "one",
            &json!({
                "metadata": {"name": format!("{service}-1"), "labels": {SERVICE_LABEL: service}},
                "addressType": "IPv4", "ports": [{"port": 8080}], "endpoints": [{"addresses": [address]}],
            }),
        )
    };
    fake.put("services", within("one", &service("fallback", &json!({"ports": [{"port": 80}]}))));
    fake.put("endpointslices", slice("s", "192.0.2.1"));
    fake.put("endpointslices", slice("fallback", "192.0.2.2"));
    let fallback = NamespacedName::new("one", "fallback");
    let world = watching(fake, |options| options.default_backend_service = Some(fallback));
    let endpoints = |world: &World, port: &str| {
        let snapshot = world.snapshots.borrow().clone().unwrap();
        snapshot.endpoints.get(port).map_or(0, |set| set.endpoints.len())
    };
    world.until_hosts(&["one", "two"]).await;
    world
        .until("endpoints", |world| endpoints(world, "one/s:80") == 1 && endpoints(world, "one/fallback:80") == 1)
        .await;
    world.fake.put("namespaces", namespace("one", "b"));
    world.until_hosts(&["two"]).await;
    assert_eq!(endpoints(&world, "one/fallback:80"), 1);
    // Nobody tells of it.
    world.fake.delete_silently("endpointslices", "one/s-1");
    world.fake.put("namespaces", namespace("one", "a"));
    world.until_hosts(&["one", "two"]).await;
    world.until("an address of nobody", |world| endpoints(world, "one/s:80") == 0).await;
    assert_eq!(endpoints(&world, "one/fallback:80"), 1);
}
