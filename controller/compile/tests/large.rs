//! Objects as large as the API server takes them: a compile of them must end. Where its time grew with the square of what
//! one object holds, it would take minutes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use compile::{Compiled, Memo, Objects, Options, Reason, compile};
use serde_json::{Value, json};
use snapshot::{Filter, TableId, frame::MAX_FRAME};

/// An Ingress of 1.5 MB has room for so many.
const HOSTS: usize = 20_000;

fn compiled(ingresses: impl IntoIterator<Item = Value>) -> Compiled {
    let mut objects = Objects::default();
    ingresses.into_iter().for_each(|ingress| support::add(&mut objects, ingress));
    let options = Options { watch_ingress_without_class: true, enable_ssl_passthrough: true, ..Options::default() };
    compile(&objects, &options, &mut Memo::default())
}

fn rules() -> Vec<Value> {
    let paths =
        json!([{"path": "/", "pathType": "Prefix", "backend": {"service": {"name": "s", "port": {"number": 80}}}}]);
    (0..HOSTS).map(|at| json!({"host": format!("a{at}.example"), "http": {"paths": paths}})).collect()
}

fn ingress(tls: &Value, annotations: &Value) -> Value {
    let metadata = json!({"name": "large", "namespace": "default", "annotations": annotations});
    json!({"kind": "Ingress", "metadata": metadata, "spec": {"rules": rules(), "tls": tls}})
}

#[test]
fn many_rules_and_one_entry_of_as_many_other_hosts() {
    let others: Vec<String> = (0..HOSTS).map(|at| format!("b{at}.example")).collect();
    let compiled = compiled([ingress(&json!([{"hosts": others}]), &json!({}))]);
    assert_eq!(compiled.snapshot.tables.len(), HOSTS);
}

#[test]
fn many_rules_and_as_many_entries() {
    let entries: Vec<Value> =
        (0..HOSTS).map(|at| json!({"hosts": [format!("b{at}.example")], "secretName": "s"})).collect();
    let compiled = compiled([ingress(&json!(entries), &json!({}))]);
    assert_eq!(compiled.snapshot.tables.len(), HOSTS);
}

#[test]
fn many_rules_that_are_handed_on() {
    let annotations = json!({"nginx.ingress.kubernetes.io/ssl-passthrough": "true"});
    let compiled = compiled([ingress(&json!([]), &annotations)]);
    assert_eq!(compiled.snapshot.tables.len(), HOSTS);
}

/// An Ingress of 1.4 MB of paths, those of `shared.example`, the older the smaller the number.
fn crowding(number: usize, annotations: &Value) -> Value {
    let backend = json!({"service": {"name": "s", "port": {"number": 80}}});
    let path = |at: usize| {
        let path = format!("/{number}-{at}/{}", "a".repeat(8000));
        json!({"path": path, "pathType": "Prefix", "backend": backend})
    };
    let rule = json!({"host": "shared.example", "http": {"paths": (0..180).map(path).collect::<Vec<_>>()}});
    let created = format!("20{:02}-01-01T00:00:00Z", number + 10);
    let metadata = json!({"name": format!("i{number}"), "namespace": "default", "annotations": annotations, "creationTimestamp": created});
    json!({"kind": "Ingress", "metadata": metadata, "spec": {"rules": [rule]}})
}

#[test]
fn one_host_takes_no_more_than_can_be_sent() {
    let compiled = compiled((0..8).map(|number| crowding(number, &json!({}))));
    let table = compiled.snapshot.tables.get(&TableId::from("shared.example")).unwrap();
    assert!(serde_json::to_vec(table).unwrap().len() < MAX_FRAME);
    let left_out = compiled.problems.iter().filter(|problem| problem.reason == Reason::HostTooLarge);
    let mut left_out: Vec<usize> = left_out.map(|problem| problem.object.name[1..].parse().unwrap()).collect();
    left_out.sort_unstable();
    // The youngest.
    assert!(!left_out.is_empty() && left_out.len() < 8);
    assert_eq!(left_out, (8 - left_out.len()..8).collect::<Vec<_>>());
    assert_eq!(table.routes.len(), (8 - left_out.len()) * 180);
}

#[test]
fn a_restricted_path_that_is_left_out_closes_its_host() {
    let restricted = json!({"nginx.ingress.kubernetes.io/auth-url": "https://auth.example"});
    let compiled =
        compiled((0..8).map(|number| crowding(number, if number == 7 { &restricted } else { &Value::Null })));
    let table = compiled.snapshot.tables.get(&TableId::from("shared.example")).unwrap();
    let is_denied = |filters: &[Filter]| filters.iter().any(|filter| matches!(filter, Filter::Deny(_)));
    assert!(table.routes.iter().all(|route| is_denied(&route.filters)));
    let closed = compiled.problems.iter().filter(|problem| problem.reason == Reason::HostClosed);
    assert_eq!(closed.count(), 8);
}

#[test]
fn a_path_longer_than_any_target_is_left_out() {
    let compiled = compiled([json!({
        "kind": "Ingress",
        "metadata": {"name": "long", "namespace": "default"},
        "spec": {"rules": [{"host": "a.example", "http": {"paths": [{
            "path": format!("/{}", "a".repeat(8192)),
            "pathType": "Prefix",
            "backend": {"service": {"name": "s", "port": {"number": 80}}},
        }]}}]},
    })]);
    let [problem] = compiled.problems.as_slice() else { panic!("{} problems", compiled.problems.len()) };
    assert_eq!((problem.reason, problem.message.len() < 200), (Reason::InvalidPath, true));
}
