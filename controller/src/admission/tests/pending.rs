//! Ingresses that are written within the same moment.

use tokio::{sync::watch, time::Instant};

use super::{super::pending::Held, *};
use crate::admission::{limits, server::Reviewer};

fn create(object: &Value) -> Value {
    let mut review = request("CREATE", object);
    review["request"]["dryRun"] = json!(false);
    review
}

fn update(object: &Value) -> Value {
    let mut review = request("UPDATE", object);
    review["request"]["dryRun"] = json!(false);
    review
}

/// What comes of reviews, one after the other, of the same moment.
fn outcomes(pending: &mut Pending, basis: &Arc<Basis>, reviews: &[Value]) -> Vec<Outcome> {
    reviews.iter().map(|review| ask_with(pending, Some(basis), review).unwrap().1).collect()
}

#[test]
fn the_second_one_meets_the_first() {
    let (basis, mut pending) = (basis(&[]), Pending::default());
    ask_with(&mut pending, Some(&basis), &create(&ingress("a", "a.example", "/", 2))).unwrap();
    let (response, outcome) =
        ask_with(&mut pending, Some(&basis), &create(&ingress("b", "a.example", "/", 1))).unwrap();
    assert_eq!(outcome, Outcome::Denied);
    assert!(response["status"]["message"].as_str().unwrap().contains("Ingress default/a"), "{response}");
    // What was refused is not held: its other path is free.
    let both = [create(&ingress("c", "a.example", "/c", 1)), create(&ingress("d", "d.example", "/", 1))];
    assert_eq!(outcomes(&mut pending, &basis, &both), [Outcome::Allowed, Outcome::Allowed]);
}

#[test]
fn an_update_counts_in_place_of_what_it_replaces() {
    let (basis, mut pending) = (basis(&[ingress("a", "a.example", "/", 9)]), Pending::default());
    let reviews = [
        update(&ingress("a", "moved.example", "/", 9)),
        create(&ingress("b", "moved.example", "/", 1)),
        create(&ingress("c", "a.example", "/", 1)),
        // Twice the same is no conflict with itself.
        create(&ingress("c", "a.example", "/", 1)),
    ];
    let outcomes = outcomes(&mut pending, &basis, &reviews);
    assert_eq!(outcomes, [Outcome::Allowed, Outcome::Denied, Outcome::Allowed, Outcome::Allowed]);
}

#[test]
fn what_will_not_be_stored_is_not_held() {
    let (basis, mut pending) = (basis(&[]), Pending::default());
    let mut nameless = ingress("", "a.example", "/", 2);
    nameless["metadata"] = json!({"generateName": "web-"});
    let reviews = [
        request("CREATE", &ingress("dry", "a.example", "/", 2)),
        create(&nameless),
        create(&ingress("b", "a.example", "/", 1)),
    ];
    assert_eq!(outcomes(&mut pending, &basis, &reviews), [Outcome::Allowed; 3]);
}

#[test]
fn nothing_is_held_for_long() {
    let (basis, mut pending) = (basis(&[]), Pending::default());
    let (first, second) = (create(&ingress("a", "a.example", "/", 2)), create(&ingress("b", "a.example", "/", 1)));
    assert_eq!(outcomes(&mut pending, &basis, &[first, second.clone()]), [Outcome::Allowed, Outcome::Denied]);
    let later = Instant::now() + limits::HELD_FOR;
    pending.settle(None, later - Duration::from_secs(2));
    assert!(!Arc::ptr_eq(&pending.over(&basis, &Options::default(), Instant::now()), &basis));
    assert!(Arc::ptr_eq(&pending.over(&basis, &Options::default(), later), &basis));
    assert_eq!(outcomes(&mut pending, &basis, &[second]), [Outcome::Allowed]);
}

/// What has come is known, so that it may go again at once.
#[test]
fn what_a_watch_has_brought_is_not_held_any_more() {
    let (empty, mut pending) = (basis(&[]), Pending::default());
    let mut applied = ingress("a", "a.example", "/", 2);
    applied["metadata"]["annotations"] = json!({"kubectl.kubernetes.io/last-applied-configuration": "{}"});
    assert_eq!(outcomes(&mut pending, &empty, &[create(&applied)]), [Outcome::Allowed]);
    let mut stored = ingress("a", "a.example", "/", 2);
    stored["metadata"]["annotations"] = json!({});
    stored["status"] = json!({"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}});
    let rival = create(&ingress("b", "a.example", "/", 1));
    assert_eq!(outcomes(&mut pending, &basis(&[stored]), std::slice::from_ref(&rival)), [Outcome::Denied]);
    assert_eq!(outcomes(&mut pending, &empty, &[rival]), [Outcome::Allowed]);
}

/// Nobody asks between its coming and its going.
#[test]
fn what_has_come_and_gone_is_not_held_any_more() {
    let (empty, mut pending) = (basis(&[]), Pending::default());
    let allowed = ingress("a", "a.example", "/", 2);
    assert_eq!(outcomes(&mut pending, &empty, &[create(&allowed)]), [Outcome::Allowed]);
    pending.settle(Some(&empty), Instant::now());
    let rival = create(&ingress("b", "a.example", "/", 1));
    assert_eq!(outcomes(&mut pending, &empty, std::slice::from_ref(&rival)), [Outcome::Denied], "it may still come");
    pending.settle(Some(&basis(&[allowed])), Instant::now());
    assert_eq!(outcomes(&mut pending, &empty, &[rival]), [Outcome::Allowed]);
}

#[tokio::test(start_paused = true)]
async fn each_new_base_is_looked_at() {
    let empty = basis(&[]);
    let bases = watch::Sender::new(Some(Arc::clone(&empty)));
    let metrics = Metrics::new(&Registry::new()).unwrap();
    let reviewer = Arc::new(Reviewer::new(Arc::default(), bases.subscribe(), metrics, limits::REVIEW));
    let (allowed, rival) = (ingress("a", "a.example", "/", 2), create(&ingress("b", "a.example", "/", 1)));
    assert_eq!(outcomes(&mut *reviewer.pending.lock().await, &empty, &[create(&allowed)]), [Outcome::Allowed]);
    let task = tokio::spawn({
        let reviewer = Arc::clone(&reviewer);
        async move { reviewer.expire().await }
    });
    for base in [basis(&[allowed]), Arc::clone(&empty)] {
        bases.send_replace(Some(base));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(outcomes(&mut *reviewer.pending.lock().await, &empty, &[rival]), [Outcome::Allowed]);
    task.abort();
}

#[test]
fn what_came_in_another_version_or_went_instead_is_not_held_any_more() {
    let old = basis(&[ingress("a", "a.example", "/", 9)]);
    let allowed = update(&ingress("a", "moved.example", "/", 9));
    let rival = create(&ingress("b", "moved.example", "/", 1));
    for (now, outcome) in [
        (Arc::clone(&old), Outcome::Denied),
        (basis(&[ingress("a", "other.example", "/", 9)]), Outcome::Allowed),
        (basis(&[]), Outcome::Allowed),
    ] {
        let mut pending = Pending::default();
        assert_eq!(outcomes(&mut pending, &old, std::slice::from_ref(&allowed)), [Outcome::Allowed]);
        pending.settle(Some(&now), Instant::now());
        assert_eq!(outcomes(&mut pending, &old, std::slice::from_ref(&rival)), [outcome]);
    }
}

/// What comes first is no reason to forget what comes after it.
#[test]
fn of_two_quick_writes_the_second_one_counts_until_it_comes() {
    let (empty, mut pending) = (basis(&[]), Pending::default());
    let created = ingress("a", "a.example", "/", 9);
    let rival = create(&ingress("b", "moved.example", "/", 1));
    let moved = update(&ingress("a", "moved.example", "/", 9));
    assert_eq!(outcomes(&mut pending, &empty, &[create(&created), moved]), [Outcome::Allowed; 2]);
    pending.settle(Some(&empty), Instant::now());
    assert_eq!(outcomes(&mut pending, &empty, std::slice::from_ref(&rival)), [Outcome::Denied], "none has come");
    let first = basis(&[created]);
    pending.settle(Some(&first), Instant::now());
    assert_eq!(outcomes(&mut pending, &first, std::slice::from_ref(&rival)), [Outcome::Denied], "one has come");
    let both = basis(&[ingress("a", "moved.example", "/", 9)]);
    pending.settle(Some(&both), Instant::now());
    assert_eq!(outcomes(&mut pending, &empty, &[rival]), [Outcome::Allowed], "it has come and gone");
}

#[test]
fn of_many_quick_updates_the_last_one_counts_until_it_comes() {
    let version = |number: usize| ingress("a", &format!("v{number}.example"), "/", 9);
    for last in [2, 3, 40] {
        let (old, mut pending) = (basis(&[version(0)]), Pending::default());
        let updates: Vec<Value> = (1..=last).map(|number| update(&version(number))).collect();
        assert_eq!(outcomes(&mut pending, &old, &updates), vec![Outcome::Allowed; last]);
        let rival = create(&ingress("b", &format!("v{last}.example"), "/", 1));
        for seen in [0, last - 1] {
            let seen = basis(&[version(seen)]);
            pending.settle(Some(&seen), Instant::now());
            assert_eq!(outcomes(&mut pending, &seen, std::slice::from_ref(&rival)), [Outcome::Denied], "{last}");
        }
        assert_eq!(outcomes(&mut pending, &basis(&[]), &[rival]), [Outcome::Allowed], "deleted");
    }
}

/// What has been seen again may be the first one, or the last.
#[test]
fn what_is_undone_at_once_counts_when_it_is_stored() {
    let (old, moved) = (ingress("a", "a.example", "/", 9), ingress("a", "moved.example", "/", 9));
    let (base, mut pending) = (basis(std::slice::from_ref(&old)), Pending::default());
    assert_eq!(outcomes(&mut pending, &base, &[update(&moved), update(&old)]), [Outcome::Allowed; 2]);
    let between = basis(&[moved]);
    let rival = create(&ingress("b", "a.example", "/", 1));
    assert_eq!(outcomes(&mut pending, &between, std::slice::from_ref(&rival)), [Outcome::Denied]);
    // That it has come is seen now: when it goes, it is gone.
    pending.settle(Some(&base), Instant::now());
    assert_eq!(outcomes(&mut pending, &basis(&[]), &[rival]), [Outcome::Allowed]);
}

#[test]
fn what_is_written_as_it_is_is_not_held() {
    let (base, mut pending) = (basis(&[ingress("a", "a.example", "/", 9)]), Pending::default());
    assert_eq!(outcomes(&mut pending, &base, &[update(&ingress("a", "a.example", "/", 9))]), [Outcome::Allowed]);
    assert!(Arc::ptr_eq(&pending.over(&base, &Options::default(), Instant::now()), &base));
}

#[test]
fn there_is_a_bound() {
    // Nothing is over, however slow the machine is.
    let (empty, mut pending, now) = (basis(&[]), Pending::default(), Instant::now());
    let mut hold = |name: &str, bytes| {
        let held = read::<Ingress>(ingress(name, &format!("{name}.example"), "/", 1));
        let name = NamespacedName::of(&held.metadata);
        let before = pending.over(&empty, &Options::default(), now);
        let with = before.with([(name.clone(), Arc::clone(&held))], &Options::default()).basis;
        pending.hold(Held::new(name, held, false, bytes, &empty.objects), &empty, with);
        pending.over(&empty, &Options::default(), now).objects.ingresses.len()
    };
    for at in 0..limits::HELD {
        assert_eq!(hold(&format!("i{at}"), 1), at + 1);
    }
    assert_eq!(hold("one-more", 1), limits::HELD);
    assert_eq!(hold("large", limits::HELD_BYTES - 1), 2);
    assert_eq!(hold("larger", limits::HELD_BYTES + 1), 0);
}
