//! Routing as a large cluster has it: 10,000 hosts with 5 paths each.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::{hint::black_box, sync::Arc};

use criterion::{Criterion, criterion_group, criterion_main};
use dataplane::route::{HostTable, PathTable, host_of, normalize};
use snapshot::{Action, Origin, PathMatch, Route};

const HOSTS: usize = 10_000;

fn route(path: PathMatch) -> Arc<Route> {
    Arc::new(Route {
        origin: Arc::new(Origin::new("Ingress", "default", "bench")),
        path,
        label: "/".into(),
        max_body: None,
        filters: Vec::new(),
        then: Action::Respond { status: 200, reason: "bench".into() },
    })
}

fn paths() -> PathTable {
    PathTable::new(&[
        route(PathMatch::Exact("/login".into())),
        route(PathMatch::Prefix("/api/v1/users".into())),
        route(PathMatch::Prefix("/api/v1".into())),
        route(PathMatch::Prefix("/static".into())),
        route(PathMatch::Prefix("".into())),
    ])
}

fn hosts() -> HostTable<PathTable> {
    (0..HOSTS).map(|n| (format!("app-{n}.team-{}.example.com", n % 97).parse().unwrap(), paths())).collect()
}

fn find(hosts: &HostTable<PathTable>, authority: &str, target: &str) -> Option<usize> {
    hosts.find(&host_of(authority).ok()?)?.find(&normalize(target).ok()?)
}

fn bench(c: &mut Criterion) {
    let hosts = hosts();
    let authorities: Vec<String> = (0..HOSTS).map(|n| format!("app-{n}.team-{}.example.com:8080", n % 97)).collect();
    let mut turn = 0;
    for (name, target) in [
        ("exact", "/login"),
        ("long prefix", "/api/v1/users/42/orders"),
        ("catch-all", "/some/other/page.html"),
        ("encoded", "/api/v1/%75sers/../users/a%2Fb"),
    ] {
        c.bench_function(&format!("{name}, one host"), |b| {
            b.iter(|| find(&hosts, black_box("app-5.team-5.example.com:8080"), black_box(target)).unwrap());
        });
        c.bench_function(&format!("{name}, all hosts"), |b| {
            b.iter(|| {
                // A prime step: neighbours in time are strangers in memory.
                turn = (turn + 7919) % HOSTS;
                find(&hosts, black_box(&authorities[turn]), black_box(target)).unwrap()
            });
        });
    }
}

criterion_group!(benches, bench);
criterion_main!(benches);
