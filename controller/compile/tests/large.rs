//! Objects as large as the API server takes them: a compile of them must end. Where its time grew with the square of what
//! one object holds, it would take minutes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use compile::{Compiled, Memo, Objects, Options, compile};
use serde_json::{Value, json};

/// An Ingress of 1.5 MB has room for so many.
const HOSTS: usize = 20_000;

fn compiled(ingress: Value) -> Compiled {
    let mut objects = Objects::default();
    support::add(&mut objects, ingress);
    let options = Options { watch_ingress_without_class: true, enable_ssl_passthrough: true, ..Options::default() };
    compile(&objects, &options, &mut Memo::default())
}

fn rules() -> Vec<Value> {
    let paths = json!([{"path": "/", "pathType": "Prefix", "backend": {"service": {"name": "s", "port": {"number": 80}}}}]);
    (0..HOSTS).map(|at| json!({"host": format!("a{at}.example"), "http": {"paths": paths}})).collect()
}

fn ingress(tls: &Value, annotations: &Value) -> Value {
    let metadata = json!({"name": "large", "namespace": "default", "annotations": annotations});
    json!({"kind": "Ingress", "metadata": metadata, "spec": {"rules": rules(), "tls": tls}})
}

#[test]
fn many_rules_and_one_entry_of_as_many_other_hosts() {
    let others: Vec<String> = (0..HOSTS).map(|at| format!("b{at}.example")).collect();
    let compiled = compiled(ingress(&json!([{"hosts": others}]), &json!({})));
    assert_eq!(compiled.snapshot.tables.len(), HOSTS);
}

#[test]
fn many_rules_and_as_many_entries() {
    let entries: Vec<Value> = (0..HOSTS).map(|at| json!({"hosts": [format!("b{at}.example")], "secretName": "s"})).collect();
    let compiled = compiled(ingress(&json!(entries), &json!({})));
    assert_eq!(compiled.snapshot.tables.len(), HOSTS);
}

#[test]
fn many_rules_that_are_handed_on() {
    let annotations = json!({"nginx.ingress.kubernetes.io/ssl-passthrough": "true"});
    let compiled = compiled(ingress(&json!([]), &annotations));
    assert_eq!(compiled.snapshot.tables.len(), HOSTS);
}
