//! Statuses written to an API in this process, by a clock that jumps.

use compile::{Memo, Options, compile};
use k8s_openapi::api::core::v1::Service;
use serde_json::json;
use tokio::time::timeout_at;

use super::*;
use crate::source::cluster::tests::fake::Fake;

const SECOND: Duration = Duration::from_secs(1);

fn addresses() -> [IngressLoadBalancerIngress; 1] {
    [IngressLoadBalancerIngress { ip: Some("192.0.2.1".to_owned()), ..IngressLoadBalancerIngress::default() }]
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
        let (fake, board, mut objects) = (Fake::new(true), Board::new(), Objects::default());
        for (namespace, name) in names {
            let metadata = json!({"namespace": namespace, "name": name, "resourceVersion": "1"});
            let backend = json!({"service": {"name": "s", "port": {"number": 80}}});
            let paths = json!([{"path": "/", "pathType": "Prefix", "backend": backend}]);
            let rules = json!([{"host": format!("{name}.{namespace}.example"), "http": {"paths": paths}}]);
            let ingress = json!({"metadata": metadata, "spec": {"rules": rules}});
            fake.put("ingresses", ingress.clone());
            let name = NamespacedName::new(namespace, name);
            objects.ingresses.insert(name, Arc::new(serde_json::from_value(ingress).unwrap()));
            let service: Service = serde_json::from_value(json!({"spec": {"ports": [{"port": 80}]}})).unwrap();
            objects.services.insert(NamespacedName::new(namespace, "s"), Arc::new(service));
        }
        let options = Options { watch_ingress_without_class: true, ..Options::default() };
        let compiled = compile(&objects, &options, &mut Memo::default());
        let (metrics, _) = Metrics::new([].into(), &board, &watch::Sender::new(None)).unwrap();
        let writer = Writer::new(fake.client(), metrics, Arc::clone(&board));
        Self { fake, board, writer, objects: watch::Sender::new(Arc::new(objects)), compiled }
    }

    fn many(count: usize) -> Self {
        Self::new(&(0..count).map(|number| ("a", format!("i{number:04}"))).collect::<Vec<_>>())
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
    assert!(world.fails().unwrap().contains("did not answer within 10s"), "{:?}", world.fails());
    world.fake.state().hanging = None;
    world.lead(30 * SECOND).await;
    assert_eq!((world.written(), world.fails()), (200, None));
}

#[tokio::test(start_paused = true)]
async fn an_api_server_that_takes_nothing_is_asked_less_and_less_often() {
    let mut world = World::many(1000);
    world.fake.state().hanging = Some("status".to_owned());
    world.lead(11 * SECOND).await;
    assert!(world.tried("") <= PARALLEL + FAILURES, "{}", world.tried(""));
    world.lead(600 * SECOND).await;
    assert!(world.tried("") <= 8 * (PARALLEL + FAILURES), "{}", world.tried(""));
    assert!(world.fails().is_some());
    world.fake.state().hanging = None;
    world.lead(310 * SECOND).await;
    assert_eq!((world.written(), world.fails()), (1000, None));
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_for_itself_holds_nobody_else_up() {
    let mut world = World::new(&[("a", "one".to_owned()), ("a", "two".to_owned()), ("b", "three".to_owned())]);
    world.fake.state().closed.insert("a".to_owned());
    world.lead(SECOND).await;
    assert_eq!((world.written(), world.tried("/three/"), world.tried("/one/")), (1, 1, 1));
    assert!(world.fails().unwrap().contains("of namespace a cannot be written"), "{:?}", world.fails());
    world.lead(600 * SECOND).await;
    assert!((6..=9).contains(&world.tried("/one/")), "{}", world.tried("/one/"));
    world.fake.state().closed.clear();
    world.lead(300 * SECOND).await;
    assert_eq!((world.written(), world.fails()), (3, None));
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
    let objects = world.objects.borrow().clone();
    world.writer.remove(&objects, &world.compiled, &addresses()).await;
    assert!(world.tried("") <= 2 * ROUND, "{}", world.tried(""));
    assert_eq!(world.written(), 0);
}
