//! Outside of the namespaces that `--watch-namespace-selector` chooses, where each of those is watched by itself.

use super::{
    namespaces::{confine, namespace, teams},
    *,
};

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

fn within(namespace: &str, object: &Value) -> Value {
    let mut object = object.clone();
    object["metadata"]["namespace"] = namespace.into();
    object
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
