//! IngressClassParameters: a kind that a cluster may not have.

use super::*;

fn class(parameters: &Value) -> Value {
    json!({
        "metadata": {"name": "tidegate", "uid": "uid-tidegate"},
        "spec": {"controller": "tidegate.dev/ingress-controller", "parameters": parameters},
    })
}

fn parameters(spec: &Value, generation: i64) -> Value {
    json!({"metadata": {"name": "large", "uid": "uid-large", "generation": generation}, "spec": spec})
}

/// A cluster with a class that names parameters, and an Ingress of it.
fn cluster(streaming: bool) -> Fake {
    let fake = server(streaming);
    let reference = json!({"apiGroup": "tidegate.dev", "kind": "IngressClassParameters", "name": "large"});
    fake.put("ingressclasses", class(&reference));
    let mut ingress = ingress("a");
    ingress["spec"]["ingressClassName"] = json!("tidegate");
    fake.put("ingresses", ingress);
    fake
}

fn max_body(snapshot: &Snapshot) -> Option<u64> {
    snapshot.tables.values().flat_map(|table| &table.routes).next()?.max_body.map(Into::into)
}

impl World {
    async fn until_max_body(&self, bytes: u64) {
        let served = |snapshot: &Option<Arc<Snapshot>>| snapshot.as_deref().and_then(max_body) == Some(bytes);
        let mut snapshots = self.snapshots.clone();
        timeout(PATIENCE, snapshots.wait_for(served)).await.expect("another size").unwrap();
    }
}

#[tokio::test]
async fn nobody_waits_for_a_kind_that_is_not_there() {
    for streaming in [true, false] {
        let fake = cluster(streaming);
        fake.state().absent.insert("ingressclassparameters".to_owned());
        let world = World::new(fake);
        world.until_hosts(&["a"]).await;
        let problem = world.until_problem(Reason::ParametersNotFound).await;
        assert_eq!(problem.object.to_string(), "IngressClass tidegate");
        assert!(world.problems().iter().all(|problem| problem.reason != Reason::WatchFailed), "{:?}", world.problems());
        // It may be installed later.
        world.fake.put("ingressclassparameters", parameters(&json!({"proxyBodySize": "50m"}), 1));
        world.fake.state().absent.clear();
        world.until_max_body(50 << 20).await;
        world.until("solved", |world| world.problems().is_empty()).await;
        world.fake.put("ingressclassparameters", parameters(&json!({"proxyBodySize": "2m"}), 2));
        world.until_max_body(2 << 20).await;
        world.fake.delete("ingressclassparameters", "/large");
        world.until_max_body(1 << 20).await;
    }
}

#[tokio::test]
async fn nor_for_one_that_we_may_not_read() {
    let fake = cluster(false);
    fake.put("ingressclassparameters", parameters(&json!({"proxyBodySize": "50m"}), 1));
    fake.state().forbidden.insert("ingressclassparameters".to_owned());
    let world = World::new(fake);
    world.until_hosts(&["a"]).await;
    assert!(world.until_problem(Reason::ParametersNotFound).await.message.contains("permission"));
    world.fake.state().forbidden.clear();
    world.until_max_body(50 << 20).await;
    // Once it was read, it is a watch like any other.
    world.fake.state().forbidden.insert("ingressclassparameters".to_owned());
    world.fake.hang_up();
    assert_eq!(world.until_problem(Reason::WatchFailed).await.field, "ingressclassparameters");
}

#[tokio::test]
async fn the_condition_says_whether_they_are_accepted() {
    let fake = cluster(true);
    fake.put("ingressclassparameters", parameters(&json!({"proxyBodySize": "large"}), 7));
    let world = World::new(fake);
    world.until_max_body(1 << 20).await;
    world.until_problem(Reason::BadParameter).await;
    world.apply().await;
    let path = "PATCH /apis/tidegate.dev/v1alpha1/ingressclassparameters/large/status";
    world.until("a condition", |world| !world.writes(path).is_empty()).await;
    let condition = |at: usize| world.writes(path)[at]["status"]["conditions"][0].clone();
    let refused = condition(0);
    assert_eq!((&refused["type"], &refused["status"]), (&json!("Accepted"), &json!("False")));
    assert_eq!((&refused["reason"], &refused["observedGeneration"]), (&json!("Invalid"), &json!(7)));
    assert!(refused["message"].as_str().unwrap().starts_with("spec.proxyBodySize: "), "{refused}");

    let mut repaired = parameters(&json!({"proxyBodySize": "50m"}), 8);
    repaired["status"] = json!({"conditions": [refused]});
    world.fake.put("ingressclassparameters", repaired);
    world.until_max_body(50 << 20).await;
    world.apply().await;
    world.until("another condition", |world| world.writes(path).len() >= 2).await;
    let accepted = condition(1);
    assert_eq!((&accepted["status"], &accepted["reason"]), (&json!("True"), &json!("Accepted")));
    assert_eq!(accepted["observedGeneration"], 8);
    // Our own write comes back as a change and leads to nothing more.
    world.fake.put("ingresses", ingress("b"));
    sleep(Duration::from_millis(200)).await;
    world.apply().await;
    sleep(Duration::from_millis(200)).await;
    assert_eq!(world.writes(path).len(), 2);
}
