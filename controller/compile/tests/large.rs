//! Objects as large as the API server takes them. A compile of them ends within seconds. That is not measured here, because
//! machines differ: where its time grew with the square of what one object holds, these tests would take minutes, and be noticed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use compile::{Compiled, Memo, Objects, Options, Reason, compile};
use serde_json::{Value, json};
use snapshot::{Action, Filter, Route, RouteTable, TableId, frame::MAX_FRAME};

/// An Ingress of 1.5 MB has room for so many.
const HOSTS: usize = 20_000;

fn compiled(all: impl IntoIterator<Item = Value>) -> Compiled {
    let mut objects = Objects::default();
    all.into_iter().for_each(|object| support::add(&mut objects, object));
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

/// An Ingress, the older the smaller the number.
fn aged(number: usize, annotations: &Value, paths: impl IntoIterator<Item = Value>) -> Value {
    let paths: Vec<Value> = paths.into_iter().collect();
    let rule = json!({"host": "shared.example", "http": {"paths": paths}});
    let created = format!("20{:02}-01-01T00:00:00Z", number + 10);
    let metadata = json!({"name": format!("i{number}"), "namespace": "default", "annotations": annotations, "creationTimestamp": created});
    json!({"kind": "Ingress", "metadata": metadata, "spec": {"rules": [rule]}})
}

fn path(path: &str, path_type: &str) -> Value {
    json!({"path": path, "pathType": path_type, "backend": {"service": {"name": "s", "port": {"number": 80}}}})
}

/// How many Ingresses crowd one host: together they are more than can be sent.
const CROWD: usize = 13;

/// 1.4 MB of paths, which are twice as long in JSON.
fn crowding(number: usize) -> impl Iterator<Item = Value> {
    (0..180).map(move |at| path(&format!("/{number}-{at}/{}", "\"".repeat(8000)), "Prefix"))
}

fn crowd(restricted: Option<usize>) -> Vec<Value> {
    let restricts = json!({"nginx.ingress.kubernetes.io/auth-url": "https://auth.example"});
    let annotations = |number| if restricted == Some(number) { &restricts } else { &Value::Null };
    (0..CROWD).map(|number| aged(number, annotations(number), crowding(number))).collect()
}

fn shared(compiled: &Compiled) -> &RouteTable {
    compiled.snapshot.tables.get(&TableId::from("shared.example")).unwrap()
}

fn left_out(compiled: &Compiled) -> Vec<usize> {
    let left_out = compiled.problems.iter().filter(|problem| problem.reason == Reason::HostTooLarge);
    let mut left_out: Vec<usize> = left_out.map(|problem| problem.object.name[1..].parse().unwrap()).collect();
    left_out.sort_unstable();
    left_out
}

fn is_denied(route: &Route) -> bool {
    route.filters.iter().any(|filter| matches!(filter, Filter::Deny(_)))
}

#[test]
fn one_host_takes_no_more_than_can_be_sent() {
    let compiled = compiled(crowd(None));
    let length = serde_json::to_vec(shared(&compiled)).unwrap().len();
    let left_out = left_out(&compiled);
    let served = CROWD - left_out.len();
    assert!(length < MAX_FRAME && length / served * CROWD > MAX_FRAME, "{length} bytes of {served}");
    // The youngest.
    assert_eq!(left_out, (served..CROWD).collect::<Vec<_>>());
    assert_eq!(shared(&compiled).routes.len(), served * 180);
}

#[test]
fn one_host_takes_many_short_paths() {
    let short = |number: usize| (0..3000).map(move |at| path(&format!("/{number}-{at}"), "Prefix"));
    let compiled = compiled((0..20).map(|number| aged(number, &Value::Null, short(number))));
    assert_eq!((left_out(&compiled), shared(&compiled).routes.len()), (vec![], 60_000));
}

#[test]
fn a_restricted_path_that_is_left_out_closes_its_host() {
    let compiled = compiled(crowd(Some(CROWD - 1)));
    assert!(shared(&compiled).routes.iter().all(|route| is_denied(route)));
    let closed = compiled.problems.iter().filter(|problem| problem.reason == Reason::HostClosed);
    assert_eq!(closed.count(), CROWD);
}

/// What answers another status, for another reason, is not told to answer 503 for this one.
#[test]
fn a_host_that_is_closed_already_is_not_told_of_twice() {
    let mut all = crowd(Some(CROWD - 1));
    all[0]["metadata"]["annotations"] = json!({"nginx.ingress.kubernetes.io/auth-tls-secret": "default/none"});
    let compiled = compiled(all);
    assert!(!left_out(&compiled).is_empty());
    let told = compiled.problems.iter().find(|problem| problem.message.contains("answer 503: those of"));
    assert_eq!(told, None);
}

/// Who is left out takes no path with him: not that of somebody who restricts access to it, and not past him.
#[test]
fn who_is_left_out_takes_no_path_from_anybody() {
    let mut all = crowd(None);
    let restricts = json!({"nginx.ingress.kubernetes.io/auth-url": "https://auth.example"});
    // By its type the last one's would come first.
    all[0] = aged(0, &restricts, [path("/admin", "ImplementationSpecific")]);
    all[1] = aged(1, &Value::Null, [path("/", "Prefix")]);
    all[CROWD - 1] = aged(CROWD - 1, &Value::Null, crowding(CROWD - 1).chain([path("/admin", "Prefix")]));
    let compiled = compiled(all);
    assert!(left_out(&compiled).contains(&(CROWD - 1)));
    let admin = shared(&compiled).routes.iter().find(|route| &*route.label == "/admin").unwrap();
    assert!(is_denied(admin) && &*admin.origin.name == "i0");
    assert!(compiled.problems.iter().all(|problem| problem.reason != Reason::PathConflict));
}

/// A host may come in many rules, each of which has the default backend: they are one route.
#[test]
fn one_path_said_many_times_is_one_route() {
    let restricts = json!({"nginx.ingress.kubernetes.io/auth-url": "https://auth.example"});
    let mut many = aged(0, &restricts, []);
    many["spec"]["rules"] = vec![json!({"host": "shared.example"}); 94_000].into();
    many["spec"]["defaultBackend"] = json!({"service": {"name": "s", "port": {"number": 80}}});
    let compiled = compiled([many, aged(1, &Value::Null, [path("/open", "Prefix")])]);
    assert_eq!(left_out(&compiled), Vec::<usize>::new());
    let denied: Vec<_> = shared(&compiled).routes.iter().map(|route| (&*route.label, is_denied(route))).collect();
    assert_eq!(denied, [("/open", false), ("/", true)]);
}

/// It stands at the route, and in a problem.
#[test]
fn a_reason_is_short_whatever_it_quotes() {
    let long = "\u{1}".repeat(100_000);
    let resource = json!({"apiGroup": "a", "kind": &long, "name": &long});
    let unserved = json!({"path": "/", "pathType": "Prefix", "backend": {"resource": resource}});
    let compiled = compiled([aged(0, &Value::Null, [unserved])]);
    let [route] = shared(&compiled).routes.as_slice() else { panic!("one route") };
    assert!(matches!(route.then, Action::Respond { .. }));
    assert!(serde_json::to_vec(route).unwrap().len() < 3000);
    assert!(compiled.problems.iter().all(|problem| problem.message.len() < 1000));
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
