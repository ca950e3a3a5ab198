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

criterion_group!(all, benches);
criterion_main!(all);
