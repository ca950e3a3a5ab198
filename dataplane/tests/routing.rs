//! Which backend answers.
#![allow(missing_docs)]

mod support;

use snapshot::{Action, Filter, PathMatch};
use std::time::Duration;

use snapshot::{Report, Target};
use support::{Backend, Client, Proxy, World, get};

#[tokio::test(flavor = "multi_thread")]
async fn host_and_path_choose_the_backend() {
    let (a, b, any) = (Backend::named("a").await, Backend::named("b").await, Backend::named("any").await);
    let world = World::new()
        .route("a.example", "/", &[a.address])
        .route("a.example", "/b", &[b.address])
        .route("*.wild.example", "/", &[b.address])
        .route("", "/", &[any.address]);
    let proxy = Proxy::start(&world).await;
    for (host, path, expected) in [
        ("a.example", "/", "a"),
        ("A.Example:8080", "/x?y", "a"),
        ("a.example", "/b", "b"),
        ("a.example", "/b/c", "b"),
        ("a.example", "/x/../b", "b"),
        ("a.example", "/bc", "a"),
        ("x.wild.example", "/", "b"),
        ("x.y.wild.example", "/", "any"),
        ("other.example", "/", "any"),
    ] {
        let answer = get(proxy.http(), host, path).await;
        assert_eq!((answer.status, answer.text()), (200, expected), "{host}{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_serves_is_404_and_what_has_no_endpoint_503() {
    let world = World::new().route("a.example", "/x", &[]);
    let proxy = Proxy::start(&world).await;
    assert_eq!(get(proxy.http(), "b.example", "/x").await.status, 404);
    assert_eq!(get(proxy.http(), "a.example", "/").await.status, 404);
    let answer = get(proxy.http(), "a.example", "/x").await;
    assert_eq!((answer.status, answer.text()), (503, "503 Service Unavailable\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_health_check_is_for_hosts_that_no_rule_names() {
    let backend = Backend::named("app").await;
    let world = World::new().route("a.example", "/", &[backend.address]);
    let proxy = Proxy::start(&world).await;
    assert_eq!(get(proxy.http(), "10.0.0.1", "/healthz").await.status, 200);
    assert_eq!(get(proxy.http(), "10.0.0.1", "/healthz/x").await.status, 404);
    assert_eq!(get(proxy.http(), "a.example", "/healthz").await.text(), "app");
}

#[tokio::test(flavor = "multi_thread")]
async fn endpoints_take_turns_and_change_at_once() {
    let backends = [Backend::named("0").await, Backend::named("1").await, Backend::named("2").await];
    let all: Vec<_> = backends.iter().map(|backend| backend.address).collect();
    let mut world = World::new().route("a.example", "/", &all[..2]);
    let mut proxy = Proxy::start(&world).await;
    let mut client = proxy.client().await;
    let mut seen = Vec::new();
    for _ in 0..10 {
        seen.push(client.get("a.example", "/").await.text().to_owned());
    }
    assert_eq!(seen.iter().filter(|name| *name == "0").count(), 5, "{seen:?}");
    assert_eq!(seen.iter().filter(|name| *name == "1").count(), 5, "{seen:?}");
    world.set_endpoints("a.example", "/", &all[2..]);
    proxy.apply(&world).await;
    for _ in 0..4 {
        assert_eq!(client.get("a.example", "/").await.text(), "2");
    }
    world.set_endpoints("a.example", "/", &[]);
    proxy.apply(&world).await;
    assert_eq!(client.get("a.example", "/").await.status, 503);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_routes_holds_for_open_connections() {
    let (a, b) = (Backend::named("a").await, Backend::named("b").await);
    let mut world = World::new().route("a.example", "/", &[a.address]);
    let mut proxy = Proxy::start(&world).await;
    let mut client: Client = proxy.client().await;
    assert_eq!(client.get("a.example", "/b").await.text(), "a");
    world.add_route("a.example", "/b", &[b.address]);
    proxy.apply(&world).await;
    assert_eq!(client.get("a.example", "/b").await.text(), "b");
    world.snapshot.tables = snapshot::Map::default();
    world = World { snapshot: snapshot::Snapshot { upstreams: Default::default(), ..world.snapshot } };
    proxy.apply(&world).await;
    assert_eq!(client.get("a.example", "/b").await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn endpoints_come_after_their_upstream_and_together_with_routes() {
    let (a, b) = (Backend::named("a").await, Backend::named("b").await);
    let mut world = World::new().route("a.example", "/", &[a.address]);
    world.snapshot.endpoints = snapshot::Map::default();
    let mut proxy = Proxy::start(&world).await;
    let mut client = proxy.client().await;
    assert_eq!(client.get("a.example", "/").await.status, 503);
    world.set_endpoints("a.example", "/", &[a.address]);
    proxy.apply(&world).await;
    assert_eq!(client.get("a.example", "/").await.text(), "a");
    world.set_endpoints("a.example", "/", &[b.address]);
    world.add_route("b.example", "/", &[a.address]);
    proxy.apply(&world).await;
    assert_eq!(client.get("a.example", "/").await.text(), "b");
    assert_eq!(client.get("b.example", "/").await.text(), "a");
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_of_our_own() {
    let mut world = World::new();
    let mut route =
        World::new().route("a.example", "/", &[]).snapshot.tables.get("a.example").unwrap().routes[0].as_ref().clone();
    route.then = Action::Respond { status: 404, reason: "no backend".into() };
    world.add("a.example", route.clone());
    route.path = PathMatch::Prefix("/denied".into());
    route.filters = vec![Filter::Deny(snapshot::Deny { status: 503, reason: "auth-url".into() })];
    world.add("a.example", route);
    let proxy = Proxy::start(&world).await;
    assert_eq!(get(proxy.http(), "a.example", "/").await.status, 404);
    let denied = get(proxy.http(), "a.example", "/denied").await;
    assert_eq!((denied.status, denied.text()), (503, "503 Service Unavailable\n"));
}

/// A route to a name instead of a service.
fn named(host: &str, port: u16, allow_local: bool) -> World {
    let mut world = World::new().route("a.example", "/", &[]);
    for upstream in world.snapshot.upstreams.values_mut() {
        std::sync::Arc::make_mut(upstream).target = Target::Name { host: host.into(), port, allow_local };
    }
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn an_external_name_is_a_backend() {
    let backend = Backend::named("outside").await;
    for host in ["127.0.0.1", "localhost"] {
        let proxy = Proxy::start(&named(host, backend.address.port(), true)).await;
        assert_eq!(get(proxy.http(), "a.example", "/").await.text(), "outside", "{host}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_for_ourselves_is_refused() {
    let backend = Backend::named("inside").await;
    let mut proxy = Proxy::idle(Duration::ZERO);
    let report = proxy.apply(&named("127.0.0.1", backend.address.port(), false)).await;
    let Report::Applied { rejected, .. } = report else { panic!("rejected as a whole") };
    assert_eq!(rejected[0].origin.to_string(), "Service default/a-example-");
    assert_eq!(get(proxy.http(), "a.example", "/").await.status, 503);
    proxy.apply(&named("localhost", backend.address.port(), false)).await;
    assert_eq!(get(proxy.http(), "a.example", "/").await.status, 503);
    assert!(backend.requests().is_empty());
}
