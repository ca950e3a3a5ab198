//! How long a compile takes: `cargo bench -p compile`. Cold: nothing is kept from before; warm: as after the change of
//! one Ingress, which is what happens all day.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::{hint::black_box, sync::Arc};

use compile::{Memo, NamespacedName, Objects, Options, compile};
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use k8s_openapi::api::{core::v1::Service, networking::v1::Ingress};
use serde_json::json;

const PATHS: usize = 5;

fn objects(ingresses: usize) -> Objects {
    let mut objects = Objects::default();
    for index in 0..ingresses {
        let name = NamespacedName::new(&format!("team-{}", index % 50), &format!("app-{index}"));
        let service = json!({ "spec": { "ports": [{ "name": "http", "port": 80, "targetPort": 8080 }] } });
        let service: Service = serde_json::from_value(service).unwrap();
        objects.services.insert(name.clone(), Arc::new(service));
        objects.ingresses.insert(name, Arc::new(ingress(index)));
    }
    objects
}

fn ingress(index: usize) -> Ingress {
    let backend = json!({ "service": { "name": format!("app-{index}"), "port": { "number": 80 } } });
    let path = |at| json!({ "path": format!("/part-{at}"), "pathType": "Prefix", "backend": backend });
    let paths: Vec<_> = (0..PATHS).map(path).collect();
    let spec = json!({ "rules": [{ "host": format!("app-{index}.example.com"), "http": { "paths": paths } }] });
    serde_json::from_value(json!({ "spec": spec })).unwrap()
}

/// One object of very many hosts, of which `spec.tls` lists others.
fn large(hosts: usize) -> Objects {
    let backend = json!({ "service": { "name": "app", "port": { "number": 80 } } });
    let paths = json!([{ "path": "/", "pathType": "Prefix", "backend": backend }]);
    let rule = |at| json!({ "host": format!("a{at}.example.com"), "http": { "paths": paths } });
    let rules: Vec<_> = (0..hosts).map(rule).collect();
    let others: Vec<_> = (0..hosts).map(|at| format!("b{at}.example.com")).collect();
    let ingress = json!({ "spec": { "rules": rules, "tls": [{ "hosts": others }] } });
    let mut objects = Objects::default();
    let ingress: Ingress = serde_json::from_value(ingress).unwrap();
    objects.ingresses.insert(NamespacedName::new("team", "large"), Arc::new(ingress));
    objects
}

fn large_object(criterion: &mut Criterion) {
    let options = Options { watch_ingress_without_class: true, ..Options::default() };
    let objects = large(20_000);
    let mut group = criterion.benchmark_group("1 Ingress x 20000 hosts, spec.tls with as many others");
    group.sample_size(10);
    group.bench_function("cold", |bencher| {
        let compile = |mut memo| black_box(compile(&objects, &options, &mut memo));
        bencher.iter_batched(Memo::default, compile, BatchSize::PerIteration);
    });
    group.finish();
}

fn benches(criterion: &mut Criterion) {
    let options = Options { watch_ingress_without_class: true, ..Options::default() };
    for ingresses in [5_000, 20_000] {
        let objects = objects(ingresses);
        let mut group = criterion.benchmark_group(format!("{ingresses} Ingresses x {PATHS} paths"));
        group.sample_size(20);
        group.bench_function("cold", |bencher| {
            let compile = |mut memo| black_box(compile(&objects, &options, &mut memo));
            bencher.iter_batched(Memo::default, compile, BatchSize::PerIteration);
        });
        let mut memo = Memo::default();
        let previous = compile(&objects, &options, &mut memo).snapshot;
        group.bench_function("warm, shared with the one before", |bencher| {
            let one = NamespacedName::new("team-7", "app-7");
            let changed = || {
                let mut objects = objects.clone();
                objects.ingresses.insert(one.clone(), Arc::new(ingress(ingresses)));
                objects
            };
            let compile = |objects: Objects| {
                let snapshot = compile(&objects, &options, &mut memo).snapshot.share(&previous);
                (snapshot, objects)
            };
            bencher.iter_batched(changed, compile, BatchSize::PerIteration);
        });
        group.finish();
    }
}

criterion_group!(all, benches, large_object);
criterion_main!(all);
