//! Ingresses that are written within the same moment.

use tokio::time::Instant;

use super::{super::pending::Held, *};
use crate::admission::limits;

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
    pending.expire(later - Duration::from_secs(2));
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

#[test]
fn there_is_a_bound() {
    let (empty, mut pending) = (basis(&[]), Pending::default());
    let until = Instant::now() + Duration::from_secs(3600);
    let mut hold = |name: &str, bytes| {
        let held = read::<Ingress>(ingress(name, &format!("{name}.example"), "/", 1));
        let held = Held { name: NamespacedName::of(&held.metadata), ingress: held, bytes, until };
        let before = pending.over(&empty, &Options::default(), Instant::now());
        let with = before.with([(held.name.clone(), Arc::clone(&held.ingress))], &Options::default()).basis;
        pending.hold(held, &empty, with);
        pending.over(&empty, &Options::default(), Instant::now()).objects.ingresses.len()
    };
    for at in 0..limits::HELD {
        assert_eq!(hold(&format!("i{at}"), 1), at + 1);
    }
    assert_eq!(hold("one-more", 1), limits::HELD);
    assert_eq!(hold("large", limits::HELD_BYTES - 1), 2);
    assert_eq!(hold("larger", limits::HELD_BYTES + 1), 0);
}
