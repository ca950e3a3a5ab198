//! Events against an API in this process, by a clock that jumps.

use k8s_openapi::api::networking::v1::Ingress;
use serde_json::{Value, json};
use snapshot::Origin;

use super::*;
use crate::{metrics::Metrics, source::cluster::tests::fake::Fake};

fn problem(namespace: &str, name: &str) -> Problem {
    Problem {
        object: Arc::new(Origin::new("Ingress", namespace, name)),
        severity: Severity::Error,
        field: "spec".into(),
        message: "is wrong".into(),
        reason: Reason::BadAnnotation,
    }
}

/// A teller that runs, and what it is told by.
struct World {
    fake: Fake,
    board: Arc<Board>,
    objects: watch::Sender<Arc<Objects>>,
}

impl World {
    fn new() -> Self {
        let (fake, board) = (Fake::new(true), Board::new());
        let (metrics, _) = Metrics::new([].into(), &board, &watch::Sender::new(None)).unwrap();
        let objects = watch::Sender::new(Arc::default());
        let teller = Teller::new(fake.client(), metrics, Arc::clone(&board), Leader::always(), "pod".to_owned());
        tokio::spawn(teller.run(objects.subscribe()));
        Self { fake, board, objects }
    }

    fn find(&self, finder: &str, names: &[(&str, &str)]) {
        let problems: Vec<Problem> = names.iter().map(|(namespace, name)| problem(namespace, name)).collect();
        let mut objects = Objects::clone(&self.objects.borrow());
        for problem in &problems {
            let Origin { namespace, name, .. } = &*problem.object;
            let ingress: Ingress =
                serde_json::from_value(json!({"metadata": {"namespace": namespace, "name": name}})).unwrap();
            objects.ingresses.insert(compile::NamespacedName::new(namespace, name), Arc::new(ingress));
        }
        self.objects.send_replace(Arc::new(objects));
        self.board.find(finder, problems);
    }

    /// The objects of Events, in order.
    fn tried(&self) -> Vec<String> {
        let state = self.fake.state();
        let of = |body: &Value| body["regarding"]["name"].as_str().map(str::to_owned);
        state.writes.iter().filter_map(|(_, body)| of(body)).collect()
    }

    fn told(&self, namespace: &str, name: &str) -> bool {
        let state = self.fake.state();
        let closed = state.closed.contains(namespace);
        !closed && state.writes.iter().any(|(_, body)| body["regarding"]["name"] == name)
    }

    fn fails(&self) -> Option<String> {
        let problems = self.board.problems().borrow().clone();
        problems.iter().find(|it| it.reason == Reason::EventNotWritten).map(|it| it.message.clone())
    }
}

#[tokio::test(start_paused = true)]
async fn between_two_events_there_is_a_pause() {
    let world = World::new();
    let names: Vec<String> = (0..50).map(|number| format!("i{number}")).collect();
    let all: Vec<(&str, &str)> = names.iter().map(|name| ("default", name.as_str())).collect();
    world.find("compile", &all);
    sleep(Duration::from_secs(10)).await;
    let at = world.fake.state().written_at.clone();
    assert_eq!(at.len(), 50);
    assert!(at.windows(2).all(|pair| pair[1] - pair[0] >= INTERVAL), "{at:?}");
}

#[tokio::test(start_paused = true)]
async fn a_namespace_that_takes_no_events_silences_no_other() {
    let world = World::new();
    world.fake.state().closed.insert("a".to_owned());
    world.find("compile", &[("a", "one"), ("a", "two"), ("b", "three")]);
    sleep(Duration::from_secs(1)).await;
    assert!(world.told("b", "three"), "{:?}", world.tried());
    let why = world.fails().unwrap();
    assert!(why.contains("in namespace a") && why.contains("cannot patch"), "{why}");
    // Of what is refused, one is tried, and that less and less often.
    sleep(Duration::from_secs(600)).await;
    let tried = world.tried().len();
    assert!((5..=7).contains(&tried), "{:?}", world.tried());
    world.fake.state().closed.clear();
    sleep(Duration::from_secs(301)).await;
    assert!(world.told("a", "one") && world.told("a", "two"));
    assert_eq!(world.fails(), None);
}

#[tokio::test(start_paused = true)]
async fn a_namespace_whose_events_hang_holds_up_no_other_for_longer_than_one_write() {
    let world = World::new();
    world.fake.state().hanging = Some("/namespaces/a/".to_owned());
    world.find("compile", &[("a", "one"), ("a", "two"), ("b", "three")]);
    sleep(WRITE + Duration::from_secs(1)).await;
    assert!(world.told("b", "three"), "{:?}", world.tried());
    let why = world.fails().unwrap();
    assert!(why.contains("in namespace a") && why.contains("did not answer within 15s"), "{why}");
    // Who comes later is told first, also at the moment when the namespace is tried again.
    sleep(Duration::from_secs(2000)).await;
    for newcomer in 0..20 {
        let name = format!("newcomer-{newcomer}");
        world.find(&name, &[("b", &name)]);
        sleep(WRITE + Duration::from_secs(1)).await;
        assert!(world.told("b", &name), "{:?}", world.tried());
    }
    world.fake.state().hanging = None;
    sleep(LONGEST + Duration::from_secs(1)).await;
    assert!(world.told("a", "one") && world.told("a", "two"));
    assert_eq!(world.fails(), None);
}

#[tokio::test(start_paused = true)]
async fn an_event_that_hangs_for_itself_keeps_no_other_of_its_namespace_from_being_told() {
    let world = World::new();
    world.fake.state().hanging = Some("first".to_owned());
    world.find("compile", &[("a", "first"), ("a", "second"), ("a", "third")]);
    sleep(WRITE + PAUSE + Duration::from_secs(1)).await;
    assert!(world.told("a", "second") && world.told("a", "third"), "{:?}", world.tried());
}

/// As with a quota.
#[tokio::test(start_paused = true)]
async fn of_a_namespace_that_takes_no_events_one_is_tried_at_a_time() {
    let world = World::new();
    let names: Vec<String> = (0..50).map(|number| format!("i{number}")).collect();
    let all: Vec<(&str, &str)> = names.iter().map(|name| ("a", name.as_str())).collect();
    world.fake.state().read_only = true;
    world.find("compile", &all);
    sleep(Duration::from_secs(600)).await;
    let tried = world.tried();
    assert!((5..=7).contains(&tried.len()) && tried.iter().collect::<BTreeSet<_>>().len() == tried.len(), "{tried:?}");
}

#[tokio::test(start_paused = true)]
async fn too_many_requests_hold_up_all_events() {
    let world = World::new();
    world.fake.state().busy = 1;
    world.find("compile", &[("a", "one"), ("b", "two")]);
    sleep(PAUSE - Duration::from_secs(1)).await;
    assert_eq!(world.fake.state().requests.iter().filter(|(verb, _)| verb == "POST").count(), 1);
    assert!(world.fails().is_some());
    sleep(Duration::from_secs(2)).await;
    assert!(world.told("a", "one") && world.told("b", "two") && world.fails().is_none(), "{:?}", world.tried());
}

#[tokio::test(start_paused = true)]
async fn that_events_cannot_be_written_is_forgotten_with_what_they_were_of() {
    let world = World::new();
    world.fake.state().closed.insert("a".to_owned());
    world.find("compile", &[("a", "one")]);
    sleep(Duration::from_secs(1)).await;
    assert!(world.fails().is_some());
    world.find("compile", &[]);
    sleep(Duration::from_secs(1)).await;
    assert_eq!(world.fails(), None);
}

#[tokio::test(start_paused = true)]
async fn what_is_solved_meanwhile_is_not_told() {
    let world = World::new();
    let names: Vec<String> = (0..50).map(|number| format!("i{number}")).collect();
    let all: Vec<(&str, &str)> = names.iter().map(|name| ("default", name.as_str())).collect();
    world.find("compile", &all);
    sleep(Duration::from_secs(1)).await;
    world.find("compile", &[]);
    let told = world.tried().len();
    sleep(Duration::from_secs(60)).await;
    assert!((5..=12).contains(&told) && world.tried().len() <= told + 1, "{told} {:?}", world.tried());
}

#[tokio::test(start_paused = true)]
async fn what_was_never_told_comes_first() {
    let world = World::new();
    world.find("compile", &[("default", "a"), ("default", "b"), ("default", "c")]);
    let (metrics, _) = Metrics::new([].into(), &world.board, &watch::Sender::new(None)).unwrap();
    let board = Arc::clone(&world.board);
    let mut teller = Teller::new(world.fake.client(), metrics, board, Leader::always(), "pod".to_owned());
    teller.take(&problem("default", "a"), Ok(()));
    let standing = world.board.problems().borrow().clone();
    let names = |teller: &Teller| -> Vec<String> {
        let due = teller.due(&standing, &world.objects.borrow());
        due.into_iter().map(|problem| problem.object.name.to_string()).collect()
    };
    assert_eq!(names(&teller), ["b", "c"]);
    tokio::time::advance(Duration::from_secs(51 * 60)).await;
    assert_eq!(names(&teller), ["b", "c", "a"]);
}
