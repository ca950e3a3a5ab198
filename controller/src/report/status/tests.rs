//! Statuses written to an API in this process, by a clock that jumps.

use compile::{Memo, Options, compile};
use k8s_openapi::api::core::v1::Service;
use serde_json::json;
use tokio::time::{timeout, timeout_at};

use super::{round::PARALLEL, *};
use crate::source::cluster::tests::fake::Fake;

const SECOND: Duration = Duration::from_secs(1);

fn addresses() -> [IngressLoadBalancerIngress; 1] {
    [IngressLoadBalancerIngress { ip: Some("192.0.2.1".to_owned()), ..IngressLoadBalancerIngress::default() }]
}

fn many(namespace: &str, count: usize) -> Vec<(&str, String)> {
    (0..count).map(|number| (namespace, format!("i{number:04}"))).collect()
}

struct World {
    fake: Fake,
    board: Arc<Board>,
    writer: Writer,
    objects: watch::Sender<Arc<Objects>>,
    compiled: Compiled,
}

impl World {
    /// Ingresses by namespace and name. Their watch is slow: what is written does not come back.
    fn new(names: &[(&str, String)]) -> Self {
        let (fake, board) = (Fake::new(true), Board::new());
        let (metrics, _) = Metrics::new([].into(), &board, &watch::Sender::new(None)).unwrap();
        let writer = Writer::new(fake.client(), metrics, Arc::clone(&board));
        let mut world =
            Self { fake, board, writer, objects: watch::Sender::new(Arc::default()), compiled: Compiled::default() };
        world.add(names);
        world
    }

    /// Some come, and all are served.
    fn add(&mut self, names: &[(&str, String)]) {
        let mut objects = Objects::clone(&self.objects.borrow());
        for (namespace, name) in names {
            let metadata = json!({"namespace": namespace, "name": name, "resourceVersion": "1"});
            let backend = json!({"service": {"name": "s", "port": {"number": 80}}});
            let paths = json!([{"path": "/", "pathType": "Prefix", "backend": backend}]);
            let rules = json!([{"host": format!("{name}.{namespace}.example"), "http": {"paths": paths}}]);
            let ingress = json!({"metadata": metadata, "spec": {"rules": rules}});
            self.fake.put("ingresses", ingress.clone());
            let name = NamespacedName::new(namespace, name);
            objects.ingresses.insert(name, Arc::new(serde_json::from_value(ingress).unwrap()));
            let service: Service = serde_json::from_value(json!({"spec": {"ports": [{"port": 80}]}})).unwrap();
            objects.services.insert(NamespacedName::new(namespace, "s"), Arc::new(service));
        }
        let options = Options { watch_ingress_without_class: true, ..Options::default() };
        self.compiled = compile(&objects, &options, &mut Memo::default());
        self.objects.send_replace(Arc::new(objects));
    }

    fn many(count: usize) -> Self {
        Self::new(&many("a", count))
    }

    fn begin(&mut self) {
        self.writer.write(&self.objects.borrow().clone(), &self.compiled, &addresses());
    }

    /// Goes on for a time, as a leader.
    async fn lead(&mut self, time: Duration) {
        let until = Instant::now() + time;
        self.begin();
        while timeout_at(until, self.writer.ready(&self.objects)).await.is_ok() {
            self.begin();
        }
    }

    /// Lets a round end, as somebody who leads no more.
    async fn follow(&mut self) {
        let until = Instant::now() + SECOND;
        while timeout_at(until, self.writer.ready(&self.objects)).await.is_ok() {}
    }

    async fn removal(&mut self) -> Removal {
        let objects = self.objects.borrow().clone();
        self.writer.removal(&objects, &self.compiled, &addresses()).await
    }

    /// The requests so far.
    fn tried(&self, part: &str) -> usize {
        self.fake.state().requests.iter().filter(|(verb, path)| verb == "PATCH" && path.contains(part)).count()
    }

    fn written(&self) -> usize {
        let objects = self.fake.objects("ingresses");
        objects.iter().filter(|object| object["status"]["loadBalancer"]["ingress"][0]["ip"] == "192.0.2.1").count()
    }

    fn fails(&self) -> Option<String> {
        let problems = self.board.problems().borrow().clone();
        problems.iter().find(|it| it.reason == Reason::StatusNotWritten).map(|it| it.message.clone())
    }
}

#[tokio::test(start_paused = true)]
async fn a_write_that_hangs_does_not_keep_the_others_from_being_written() {
    let mut world = World::many(200);
    world.fake.state().hanging = Some("/i0003/".to_owned());
    world.lead(30 * SECOND).await;
    assert_eq!(world.written(), 199);
    assert!(world.fails().unwrap().contains("did not answer within 15s"), "{:?}", world.fails());
    world.fake.state().hanging = None;
    world.lead(30 * SECOND).await;
    assert_eq!((world.written(), world.fails()), (200, None));
}

#[tokio::test(start_paused = true)]
async fn an_api_server_that_takes_nothing_is_asked_less_and_less_often() {
    let mut world = World::many(1000);
    world.fake.state().hanging = Some("status".to_owned());
    world.lead(WRITE + SECOND).await;
    assert!(world.tried("") <= PARALLEL + FAILURES, "{}", world.tried(""));
    world.lead(600 * SECOND).await;
    assert!(world.tried("") <= 12 * (PARALLEL + FAILURES), "{}", world.tried(""));
    assert!(world.fails().is_some());
    world.fake.state().hanging = None;
    world.lead(310 * SECOND).await;
    assert_eq!((world.written(), world.fails()), (1000, None));
}

#[tokio::test(start_paused = true)]
async fn a_silent_api_server_is_asked_less_and_less_often_for_many_namespaces_too() {
    let namespaces: Vec<String> = (0..100).map(|number| format!("n{number:02}")).collect();
    let all: Vec<_> = namespaces.iter().flat_map(|namespace| many(namespace, 10)).collect();
    let mut world = World::new(&all);
    world.fake.state().hanging = Some("status".to_owned());
    world.lead(600 * SECOND).await;
    assert!(world.tried("") <= 12 * (PARALLEL + FAILURES), "{}", world.tried(""));
    world.fake.state().hanging = None;
    world.lead(310 * SECOND).await;
    assert_eq!((world.written(), world.fails()), (1000, None));
}

/// A webhook that hangs, say.
#[tokio::test(start_paused = true)]
async fn what_hangs_for_itself_holds_up_nobody_who_comes_later() {
    for (hanging, names) in [
        ("/namespaces/a/", vec![("a", 1)]),
        ("/namespaces/a/", vec![("a", 3)]),
        ("/namespaces/a/", vec![("a", 100)]),
        ("/namespaces/a", vec![("a", 2), ("aa", 2)]),
        ("/namespaces/a", vec![("a", 3), ("aa", 3)]),
        ("/namespaces/a", ["a0", "a1", "a2", "a3", "a4", "a5", "a6", "a7"].map(|namespace| (namespace, 1)).to_vec()),
    ] {
        let mut world = World::new(&many("b", 61));
        names.iter().for_each(|(namespace, count)| world.add(&many(namespace, *count)));
        world.fake.state().hanging = Some(hanging.to_owned());
        world.lead(1000 * SECOND).await;
        assert_eq!(world.written(), 61);
        assert!(world.fails().is_some());
        // Whenever that is: it waits for one write that hangs, not for a pause.
        for newcomer in 0..20 {
            world.add(&[("b", format!("newcomer-{newcomer}"))]);
            world.lead(WRITE + 2 * SECOND).await;
            assert_eq!(world.written(), 62 + newcomer, "{names:?}");
        }
        world.fake.state().hanging = None;
        world.lead(310 * SECOND).await;
        assert_eq!((world.written(), world.fails()), (world.objects.borrow().ingresses.len(), None));
    }
}

/// As after an election: all others were written by who led before, and nothing tells that the API server is well.
#[tokio::test(start_paused = true)]
async fn who_comes_where_nothing_but_what_hangs_was_tried_waits_for_one_write_and_a_short_pause() {
    let names = ["a", "b", "c"].map(|namespace| (namespace, "hangs".to_owned()));
    let mut world = World::new(&names);
    world.fake.state().hanging = Some("/hangs/".to_owned());
    world.lead(SECOND).await;
    for newcomer in 0..5 {
        world.add(&[("d", format!("newcomer-{newcomer}"))]);
        world.lead(WRITE + PAUSE + SECOND).await;
        assert_eq!(world.written(), 1 + newcomer);
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_for_itself_holds_nobody_else_up() {
    let mut world = World::new(&[("a", "one".to_owned()), ("a", "two".to_owned()), ("b", "three".to_owned())]);
    world.fake.state().closed.insert("a".to_owned());
    world.lead(SECOND).await;
    assert_eq!((world.written(), world.tried("/three/"), world.tried("/one/")), (1, 1, 1));
    // Others of the namespace are not tried for it.
    world.add(&[("a", "four".to_owned())]);
    world.lead(SECOND).await;
    assert_eq!(world.tried("/four/"), 0);
    assert!(world.fails().unwrap().contains("of namespace a cannot be written"), "{:?}", world.fails());
    world.lead(600 * SECOND).await;
    assert!((6..=9).contains(&world.tried("/one/")), "{}", world.tried("/one/"));
    world.fake.state().closed.clear();
    world.lead(300 * SECOND).await;
    assert_eq!((world.written(), world.fails()), (4, None));
}

#[tokio::test(start_paused = true)]
async fn a_round_ends_soon_after_the_lead() {
    let mut world = World::many(1000);
    world.begin();
    world.writer.stop();
    world.follow().await;
    assert!(world.tried("") <= PARALLEL, "{}", world.tried(""));
    // Also where nobody says so: the rest is not begun by itself.
    world.begin();
    world.follow().await;
    assert!(world.tried("") <= PARALLEL + ROUND, "{}", world.tried(""));
}

#[tokio::test(start_paused = true)]
async fn what_keeps_statuses_from_being_written_is_forgotten_with_the_lead_and_with_the_ingresses() {
    let mut world = World::new(&[("a", "one".to_owned())]);
    world.fake.state().closed.insert("a".to_owned());
    world.lead(SECOND).await;
    assert!(world.fails().is_some());
    world.writer.stop();
    assert_eq!(world.fails(), None);

    world.lead(SECOND).await;
    assert!(world.fails().is_some());
    world.objects.send_replace(Arc::default());
    world.lead(SECOND).await;
    assert_eq!(world.fails(), None);
}

#[tokio::test(start_paused = true)]
async fn the_last_one_does_not_wait_for_a_round() {
    let mut world = World::many(1000);
    world.begin();
    tokio::task::yield_now().await;
    let mut removal = world.removal().await;
    removal.run().await;
    assert!(world.tried("") <= 2 * ROUND, "{}", world.tried(""));
    assert_eq!(world.written(), 0);
}

#[tokio::test(start_paused = true)]
async fn the_last_one_goes_on_where_the_api_server_has_too_many_requests() {
    let mut world = World::many(200);
    world.lead(SECOND).await;
    assert_eq!(world.written(), 200);
    world.fake.state().busy = 7;
    let mut removal = world.removal().await;
    removal.run().await;
    assert_eq!((world.written(), removal.counts()), (0, (200, 0)));
}

#[tokio::test(start_paused = true)]
async fn a_namespace_that_hangs_keeps_the_last_one_from_no_other() {
    let mut world = World::new(&[many("a", 20), many("b", 200)].concat());
    world.lead(5 * SECOND).await;
    assert_eq!(world.written(), 220);
    world.fake.state().hanging = Some("/namespaces/a/".to_owned());
    let mut removal = world.removal().await;
    assert!(timeout(5 * SECOND, removal.run()).await.is_err());
    assert_eq!(world.written(), 20);
}

#[tokio::test(start_paused = true)]
async fn what_the_last_one_had_no_time_for_is_known() {
    let mut world = World::many(200);
    world.add(&[("b", "refused".to_owned())]);
    world.lead(SECOND).await;
    let before = world.tried("");
    world.fake.state().closed.insert("b".to_owned());
    world.fake.state().hanging = Some("/i0003/".to_owned());
    let mut removal = world.removal().await;
    assert!(timeout(10 * SECOND, removal.run()).await.is_err());
    assert_eq!((world.written(), removal.counts()), (2, (199, 1)));
    assert!(world.tried("") - before <= 201 + 5, "{}", world.tried(""));
}
