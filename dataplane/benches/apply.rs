//! How long the data plane takes to make what it serves out of a snapshot: 5,000 hosts of five paths, a Service each.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc, time::Duration};

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use dataplane::measured::Applying;
use snapshot::{
    Action, Endpoint, EndpointSet, Forward, HostPattern, Listener, Origin, PathMatch, Protocol, Retry, Route,
    RouteTable, Serves, ServicePort, Snapshot, TableId, Target, Timeouts, Upstream, UpstreamKeepAlive,
};

const HOSTS: usize = 5_000;
const PATHS: [&str; 5] = ["/api/v1/users", "/api/v1", "/static", "/login", ""];
/// What changes is in the middle.
const CHANGED: usize = HOSTS / 2;

fn host(n: usize) -> String {
    format!("app-{n}.example.com")
}

fn port(n: usize) -> ServicePort {
    ServicePort::new("default", &format!("app-{n}"), 80)
}

fn endpoints(address: [u8; 4]) -> Arc<EndpointSet> {
    Arc::new(EndpointSet { endpoints: [Endpoint { address: SocketAddr::from((address, 8080)) }].into_iter().collect() })
}

fn upstream(n: usize) -> Arc<Upstream> {
    Arc::new(Upstream {
        namespace: "default".into(),
        service: format!("app-{n}").into(),
        port: 80,
        target: Target::Endpoints(port(n)),
        protocol: Protocol::Http1,
        tls: None,
        keep_alive: UpstreamKeepAlive {
            connections: 320,
            idle: Duration::from_secs(60),
            requests: 10_000,
            lifetime: Duration::from_secs(3600),
        },
    })
}

fn table(n: usize, tries: u32) -> Arc<RouteTable> {
    let route = |path: &&str| {
        let forward = Forward {
            upstream: port(n).as_str().into(),
            timeouts: Timeouts {
                connect: Duration::from_secs(5),
                read: Duration::from_secs(60),
                send: Duration::from_secs(60),
            },
            retry: Retry { tries, timeout: Duration::ZERO },
        };
        Arc::new(Route {
            origin: Arc::new(Origin::new("Ingress", "default", &host(n))),
            path: PathMatch::Prefix((*path).into()),
            label: (*path).into(),
            max_body: None,
            filters: Vec::new(),
            then: Action::Forward(forward),
        })
    };
    Arc::new(RouteTable { routes: PATHS.iter().map(route).collect(), client_cert: None, hsts: None })
}

fn listener(hosts: BTreeMap<HostPattern, TableId>) -> Listener {
    Listener { binds: Vec::new(), proxy_protocol: None, serves: Serves::Http { hosts, http: Arc::default() } }
}

fn snapshot() -> Snapshot {
    let mut snapshot = Snapshot::default();
    let mut hosts = BTreeMap::new();
    for n in 0..HOSTS {
        hosts.insert(host(n).parse().unwrap(), TableId::from(host(n)));
        snapshot.tables.insert(host(n).into(), table(n, 3));
        snapshot.upstreams.insert(port(n).as_str().into(), upstream(n));
        snapshot.endpoints.insert(port(n), endpoints([10, 0, 0, 1]));
    }
    snapshot.listeners.insert("http".into(), Arc::new(listener(hosts)));
    snapshot
}

/// As the controller publishes them: all that is the same is shared with the one before.
fn changed(before: &Arc<Snapshot>, change: impl Fn(&mut Snapshot)) -> Arc<Snapshot> {
    let mut after = Snapshot::clone(before);
    change(&mut after);
    Arc::new(after)
}

fn bench(c: &mut Criterion) {
    let side = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let _entered = side.enter();
    let one = Arc::new(snapshot());
    let table = changed(&one, |it| drop(it.tables.insert(host(CHANGED).into(), table(CHANGED, 2))));
    let moved = changed(&one, |it| drop(it.endpoints.insert(port(CHANGED), endpoints([10, 0, 0, 2]))));
    let mut group = c.benchmark_group(format!("{HOSTS} hosts x {} paths", PATHS.len()));
    group.sample_size(20);
    group.bench_function("all of it", |b| {
        let apply = |mut applying: Applying| {
            assert!(applying.apply(&one));
            applying
        };
        b.iter_batched(|| Applying::new().unwrap(), apply, BatchSize::PerIteration);
    });
    for (name, other, rebuilds) in [("one table", &table, true), ("endpoints of one Service", &moved, false)] {
        let mut applying = Applying::new().unwrap();
        applying.apply(&one);
        let mut turns = [other, &one].into_iter().cycle();
        group.bench_function(name, |b| b.iter(|| assert_eq!(applying.apply(turns.next().unwrap()), rebuilds)));
    }
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
