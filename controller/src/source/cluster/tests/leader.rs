//! Several replicas: one leads.

use std::sync::atomic::{AtomicBool, Ordering};

use super::*;
use crate::Election;

const STATUS: &str = "PATCH /apis/networking.k8s.io/v1/namespaces/default/ingresses/a/status";
const EVENTS: &str = "POST /apis/events.k8s.io/v1/namespaces/default/events";

/// A replica that can be cut off from the API.
struct Replica {
    world: World,
    connected: Arc<AtomicBool>,
}

impl Replica {
    /// Each replica writes an address of its own, which none does in a real cluster: so it is seen who wrote.
    async fn start(fake: &Fake, name: &str, address: &str) -> Self {
        let replica = Self::start_unapplied(fake, name, PublishAddress::Addresses(vec![address.to_owned()])).await;
        replica.world.apply().await;
        replica
    }

    /// One whose data plane says nothing.
    async fn start_unapplied(fake: &Fake, name: &str, publish: PublishAddress) -> Self {
        let connected = Arc::new(AtomicBool::new(true));
        let client = fake.client_while(&connected);
        let world = World::with_client(fake.clone(), client, |config| {
            config.election = Some(Election {
                name: "tidegate-leader".to_owned(),
                namespace: Some("system".to_owned()),
                identity: name.to_owned(),
                // Long enough for a busy machine to renew it in time.
                ttl: Duration::from_secs(4),
            });
            config.pod = Some(NamespacedName::new("system", name));
            config.publish = publish;
            config.update_status_on_shutdown = true;
        });
        world.until_hosts(&["a"]).await;
        Self { world, connected }
    }

    fn leads(&self) -> bool {
        let families = self.world.controller.handle().registry().gather();
        let status = families.iter().find(|family| family.name() == "nginx_ingress_controller_leader_election_status");
        let series = status.unwrap().get_metric();
        let [series] = series else { panic!("{series:?}") };
        assert_eq!(series.get_label()[0].value(), "tidegate-leader");
        series.get_gauge().get_value() > 0.5
    }
}

/// Each Event comes from a replica that had tried to hold the Lease by then: nobody does while another one holds it. All
/// of them have known the problems from the beginning.
fn assert_only_leaders_told(fake: &Fake) {
    let mut candidates = BTreeSet::new();
    for (request, body) in &fake.state().writes {
        if request.contains("/leases") {
            candidates.insert(body["spec"]["holderIdentity"].to_string());
        } else if request.starts_with(EVENTS) {
            assert!(candidates.contains(&body["reportingInstance"].to_string()), "{body}");
        }
    }
}

fn holder(fake: &Fake) -> Value {
    fake.object("leases", "system/tidegate-leader")["spec"]["holderIdentity"].clone()
}

#[tokio::test]
async fn of_three_replicas_one_writes_and_a_dead_one_is_replaced() {
    let fake = Fake::new(true); // without the Service: there is an Event to write
    fake.put("ingresses", ingress("a"));
    let first = Replica::start(&fake, "one", "192.0.2.1").await;
    first.world.until("status", |world| world.writes(STATUS).len() == 1).await;
    first.world.until("event", |world| world.writes(EVENTS).len() == 1).await;
    let second = Replica::start(&fake, "two", "192.0.2.2").await;
    let third = Replica::start(&fake, "three", "192.0.2.3").await;
    assert_eq!(holder(&fake), "one");
    assert!(first.leads() && !second.leads() && !third.leads());
    // Something that all see, and that only the leader does something about.
    fake.put("ingresses", ingress("b"));
    first.world.until("another event", |world| world.writes(EVENTS).len() == 2).await;
    assert_eq!(first.world.writes(STATUS).len(), 1);

    // It hangs, and with it the renewal of the lease.
    first.connected.store(false, Ordering::SeqCst);
    second.world.until("another leader", |_| second.leads() || third.leads()).await;
    first.world.until("it knows", |_| !first.leads()).await;
    assert_ne!(holder(&fake), "one");
    second.world.until("its status", |world| world.writes(STATUS).len() == 2).await;
    assert!(second.leads() != third.leads());
    let address = if second.leads() { "192.0.2.2" } else { "192.0.2.3" };
    assert!(second.world.writes(STATUS)[1].to_string().contains(address));
    let problem = first.world.until_problem(Reason::LeaderElectionFailed).await;
    assert!(problem.message.contains("does not answer"), "{problem}");

    assert_only_leaders_told(&fake);

    // When it is back, it follows.
    first.connected.store(true, Ordering::SeqCst);
    first
        .world
        .until("solved", |world| world.problems().iter().all(|it| it.reason != Reason::LeaderElectionFailed))
        .await;
    assert!(!first.leads());
    assert_eq!(fake.object("leases", "system/tidegate-leader")["spec"]["leaseTransitions"], 1);
}

#[tokio::test]
async fn a_leader_that_is_shut_down_hands_over() {
    let fake = server(true);
    fake.put("ingresses", ingress("a"));
    for name in ["one", "two"] {
        fake.put("pods", json!({"metadata": {"namespace": "system", "name": name, "labels": {"app": "tidegate"}}}));
    }
    let first = Replica::start(&fake, "one", "192.0.2.1").await;
    first.world.until("status", |world| world.writes(STATUS).len() == 1).await;
    let second = Replica::start(&fake, "two", "192.0.2.2").await;
    first.world.controller.leave().await;
    assert_eq!(fake.object("leases", "system/tidegate-leader")["spec"]["leaseDurationSeconds"], 1, "given up");
    assert_eq!(holder(&fake), "");
    second.world.until("leader", |_| second.leads()).await;
    second.world.until("status", |world| world.writes(STATUS).len() == 2).await;
    let written = second.world.writes(STATUS);
    assert!(written[1].to_string().contains("192.0.2.2"), "the first left it for the second: {written:?}");
}

#[tokio::test]
async fn of_two_that_leave_together_one_removes_the_addresses() {
    let fake = server(true);
    fake.put("ingresses", ingress("a"));
    for name in ["one", "two"] {
        let metadata = json!({"namespace": "system", "name": name, "labels": {"app": "tidegate"},
            "deletionTimestamp": "2026-01-01T00:00:00Z"});
        fake.put("pods", json!({"metadata": metadata}));
    }
    let first = Replica::start(&fake, "one", "192.0.2.1").await;
    first.world.until("status", |world| world.writes(STATUS).len() == 1).await;
    let second = Replica::start(&fake, "two", "192.0.2.1").await;
    // It says something of its own, so that it is known to have heard what is served.
    let id = second.world.snapshots.borrow().as_ref().unwrap().id;
    let origin = Arc::new(snapshot::Origin::new("Secret", "default", "x"));
    let rejected = vec![snapshot::Rejection { origin, field: None, reason: "no use".into() }];
    second.world.reports.send(Report::Applied { id, rejected }).await.unwrap();
    second.world.until_problem(Reason::Rejected).await;
    // The one that does not lead waits for the other.
    tokio::join!(second.world.controller.leave(), first.world.controller.leave());
    let status = fake.object("ingresses", "default/a")["status"].clone();
    assert_eq!(status, json!({"loadBalancer": {"ingress": []}}));
    assert_eq!(holder(&fake), "");
    // Endpoints are followed on, but nothing is written any more.
    fake.put("ingresses", ingress("b"));
    first.world.until_hosts(&["a", "b"]).await;
    first.world.apply().await;
    assert!(first.world.writes(&STATUS.replace("/a/", "/b/")).is_empty() && !first.leads() && !second.leads());
}

#[tokio::test]
async fn without_permission_nobody_leads_and_it_is_said() {
    let fake = server(true);
    fake.put("ingresses", ingress("a"));
    fake.state().forbidden.insert("leases".to_owned());
    let replica = Replica::start(&fake, "one", "192.0.2.1").await;
    let problem = replica.world.until_problem(Reason::LeaderElectionFailed).await;
    assert!(problem.message.contains("leases is forbidden"), "{problem}");
    assert!(!replica.leads() && replica.world.writes(STATUS).is_empty());
    fake.state().forbidden.clear();
    replica.world.until("status", |world| world.writes(STATUS).len() == 1).await;
}

#[tokio::test]
async fn without_an_election_there_is_no_series() {
    let world = World::new(server(true));
    world.until_hosts(&[]).await;
    let families = world.controller.handle().registry().gather();
    assert!(families.iter().all(|family| !family.name().contains("leader_election")));
    assert!(world.fake.state().requests.iter().all(|(_, path)| !path.contains("leases")));
}

#[tokio::test]
async fn only_a_replica_whose_data_plane_serves_what_it_publishes_leads() {
    let fake = server(true);
    fake.put("ingresses", ingress("a"));
    let address = |address: &str| PublishAddress::Addresses(vec![address.to_owned()]);
    let first = Replica::start_unapplied(&fake, "one", address("192.0.2.1")).await;
    let id = first.world.snapshots.borrow().as_ref().unwrap().id;
    first.world.reports.send(Report::Rejected { id, reason: "no".to_owned() }).await.unwrap();
    let second = Replica::start(&fake, "two", "192.0.2.2").await;
    second.world.until("status", |world| world.writes(STATUS).len() == 1).await;
    assert!(second.leads() && !first.leads() && holder(&fake) == "two");
}

/// What the nodes were in an earlier term is not written in a later one.
#[tokio::test]
async fn who_leads_again_looks_at_nodes_again() {
    let fake = server(true);
    fake.put("ingresses", ingress("a"));
    let node = |name: &str, address: &str| {
        let addresses = json!([{"type": "InternalIP", "address": address}]);
        fake.put("nodes", json!({"metadata": {"name": name}, "status": {"addresses": addresses}}));
    };
    let pod = |name: &str, node: &str| {
        let metadata = json!({"namespace": "system", "name": name, "labels": {"app": "tidegate"}});
        let status = json!({"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]});
        let pod = json!({"metadata": metadata, "spec": {"nodeName": node, "containers": []}, "status": status});
        fake.put("pods", pod);
    };
    node("n1", "10.0.0.1");
    node("n2", "10.0.0.2");
    pod("one", "n1");
    let replica = Replica::start_unapplied(&fake, "one", PublishAddress::Nodes { internal: true }).await;
    replica.world.apply().await;
    replica.world.until("status", |world| world.writes(STATUS).len() == 1).await;
    replica.connected.store(false, Ordering::SeqCst);
    replica.world.until("it follows", |_| !replica.leads()).await;
    // Elsewhere by now; what somebody else wrote meanwhile says so too.
    pod("one", "n2");
    let mut changed = fake.object("ingresses", "default/a");
    changed["status"] = json!({"loadBalancer": {"ingress": [{"ip": "10.0.0.2"}]}});
    fake.put("ingresses", changed);
    replica.connected.store(true, Ordering::SeqCst);
    replica.world.until("it leads", |_| replica.leads()).await;
    // What is written of another one comes after anything that would be written of this one.
    fake.put("ingresses", ingress("b"));
    replica.world.until_hosts(&["a", "b"]).await;
    replica.world.apply().await;
    replica.world.until("status of b", |world| !world.writes(&STATUS.replace("/a/", "/b/")).is_empty()).await;
    let written = replica.world.writes("PATCH /apis/networking.k8s.io/v1/namespaces/default/ingresses/");
    assert!(written.iter().skip(1).all(|body| !body.to_string().contains("10.0.0.1")), "{written:?}");
}

#[tokio::test]
async fn what_only_a_leader_finds_is_not_said_by_others() {
    let fake = server(true);
    fake.put("ingresses", ingress("a"));
    fake.state().forbidden.insert("pods".to_owned());
    fake.state().closed.insert("default".to_owned());
    let replica = Replica::start(&fake, "one", "192.0.2.1").await;
    for reason in [Reason::ReplicasUnknown, Reason::StatusNotWritten] {
        replica.world.until_problem(reason).await;
    }
    replica.connected.store(false, Ordering::SeqCst);
    replica.world.until("it follows", |_| !replica.leads()).await;
    let is_of_a_leader = |problem: &Problem| {
        matches!(problem.reason, Reason::ReplicasUnknown | Reason::StatusNotWritten | Reason::EventNotWritten)
    };
    replica.world.until("nothing of it", |world| !world.problems().iter().any(is_of_a_leader)).await;
}
