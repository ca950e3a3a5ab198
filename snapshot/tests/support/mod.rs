//! A snapshot with something of each kind in it.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::{collections::BTreeMap, num::NonZeroU32, sync::Arc, time::Duration};

use snapshot::*;

pub fn origin(name: &str) -> Arc<Origin> {
    Arc::new(Origin::new("Secret", "default", name))
}

fn ca() -> Arc<CaBundle> {
    Arc::new(CaBundle {
        origin: origin("ca"),
        certs: vec![vec![1, 2, 3], vec![4; 300]],
        crls: vec![vec![0xff; 10]],
        fingerprint: "c0ffee".into(),
        tell_names: true,
    })
}

fn client_auth() -> Arc<ClientAuth> {
    Arc::new(ClientAuth { ca: ca(), verify: VerifyClient::Required, depth: 1 })
}

pub fn route(path: &str, then: Action) -> Arc<Route> {
    let filters = vec![
        Filter::Deny(Deny { status: 503, reason: "x".into() }),
        Filter::HttpsRedirect(HttpsRedirect { status: 308, preserve_trailing_slash: true }),
    ];
    Arc::new(Route {
        origin: Arc::new(Origin::new("Ingress", "default", "i")),
        path: PathMatch::Prefix(path.into()),
        label: path.into(),
        max_body: None,
        filters,
        then,
    })
}

fn forward() -> Action {
    let seconds = Duration::from_secs;
    Action::Forward(Forward {
        upstream: "default/a:80".into(),
        timeouts: Timeouts { connect: seconds(5), read: seconds(60), send: Duration::from_millis(1500) },
        retry: Retry { tries: 3, timeout: Duration::ZERO },
    })
}

fn listener(serves: Serves) -> Arc<Listener> {
    let proxy_protocol =
        Some(ProxyProtocol { trusted: vec!["10.0.0.0/8".parse().unwrap()], timeout: Duration::from_secs(5) });
    let binds = vec!["127.0.0.1:80".parse().unwrap(), "[::1]:80".parse().unwrap()];
    Arc::new(Listener { binds, proxy_protocol, serves })
}

fn backend() -> StreamBackend {
    let target = Target::Endpoints(ServicePort::new("default", "a", 80));
    StreamBackend { namespace: "default".into(), service: "a".into(), port: 80, target }
}

fn tcp() -> Arc<TcpService> {
    let (connect, idle) = (Duration::from_secs(5), Duration::from_secs(600));
    let retry = Retry { tries: 3, timeout: Duration::from_secs(1) };
    Arc::new(TcpService { origin: origin("tcp"), backend: backend(), connect, idle, retry, send_proxy_header: true })
}

fn upstream(tls: Option<Arc<UpstreamTls>>, target: Target) -> Arc<Upstream> {
    Arc::new(Upstream {
        namespace: "default".into(),
        service: "a".into(),
        port: 80,
        target,
        protocol: Protocol::Http2,
        tls,
        keep_alive: UpstreamKeepAlive {
            connections: 320,
            idle: Duration::from_secs(60),
            requests: 10_000,
            lifetime: Duration::from_secs(3600),
        },
    })
}

fn upstream_tls() -> Arc<UpstreamTls> {
    let anchors =
        Arc::new(TrustAnchors { origin: origin("anchors"), certificates: vec![vec![9; 50]], fingerprint: "f".into() });
    Arc::new(UpstreamTls {
        when: TlsWhen::Always,
        name: "a.example".into(),
        send_name: true,
        versions: TlsVersions::Both,
        suites: Tls12Suite::ALL.to_vec(),
        verify: Some(Verification { anchors, depth: 1 }),
        identity: Some("default/id".into()),
    })
}

fn tls_listener() -> Arc<Listener> {
    let own = HostTls { ciphers: Some(Ciphers::default()), client_auth: Some(client_auth()) };
    let host = || HostPattern::Exact("a.example".into());
    let hsts = Some(Hsts { max_age: 31_536_000, include_subdomains: true, preload: false });
    listener(Serves::Tls {
        sni: BTreeMap::from([(host(), CertId::from("default/tls"))]),
        default_cert: Some("default/tls".into()),
        hosts: BTreeMap::from([(host(), "a.example".into()), (HostPattern::Any, "*".into())]),
        http: Arc::new(HttpOptions { hsts, trusted_proxies: vec!["::/0".parse().unwrap()], ..HttpOptions::default() }),
        tls: Arc::default(),
        by_host: BTreeMap::from([(host(), Arc::new(own))]),
        passthrough: BTreeMap::from([(HostPattern::Wildcard("p.example".into()), tcp())]),
    })
}

pub fn cert(id: &str, byte: u8) -> (CertId, Arc<Cert>, Arc<PrivateKey>) {
    let cert = Cert {
        origin: origin(id),
        chain: vec![vec![byte; 700], vec![byte; 20]],
        names: vec!["a.example".into()],
        info: CertInfo::default(),
        not_after: 4_000_000_000,
        fingerprint: format!("{byte:02x}").into(),
    };
    (id.into(), Arc::new(cert), Arc::new(PrivateKey::new(KeyFormat::Sec1, vec![byte; 33])))
}

pub fn put_cert(snapshot: &mut Snapshot, id: &str, byte: u8) {
    let (id, cert, key) = cert(id, byte);
    snapshot.certs.insert(id.clone(), cert);
    snapshot.keys.insert(id, key);
}

pub fn endpoints(ports: &[u16]) -> Arc<EndpointSet> {
    let endpoint = |port: &u16| Endpoint { address: ([10, 0, 0, 1], *port).into() };
    Arc::new(EndpointSet { endpoints: ports.iter().map(endpoint).collect() })
}

/// Every kind of piece, every nested bundle, every way a key is held.
pub fn full(sequence: u64) -> Snapshot {
    let rule = ClientCertRule {
        origin: origin("i"),
        auth: Some(client_auth()),
        subject: Some("CN=x".into()),
        pass_certificate: true,
        error_page: Some("https://x/".into()),
    };
    let routes = vec![route("/a", forward()), route("", Action::Respond { status: 404, reason: "no".into() })];
    let name = Target::Name { host: "b.example".into(), port: 443, allow_local: false };
    let udp = UdpService {
        origin: origin("udp"),
        backend: backend(),
        idle: Duration::from_secs(10),
        replies: NonZeroU32::new(1),
    };
    let hsts = HostHsts::On(Hsts { max_age: 5, include_subdomains: true, preload: false });
    let http = Serves::Http { hosts: BTreeMap::new(), http: Arc::default() };
    let mut full = Snapshot {
        id: SnapshotId { instance: u64::MAX, sequence },
        listeners: Map::from([
            ("http".into(), listener(http)),
            ("https".into(), tls_listener()),
            ("tcp:9000".into(), listener(Serves::Tcp(tcp()))),
            ("udp:53".into(), listener(Serves::Udp(Arc::new(udp)))),
        ]),
        tables: Map::from([
            ("a.example".into(), Arc::new(RouteTable { routes, client_cert: Some(Arc::new(rule)), hsts: Some(hsts) })),
            ("*".into(), Arc::default()),
        ]),
        upstreams: Map::from([
            ("default/a:80".into(), upstream(Some(upstream_tls()), backend().target)),
            ("default/b:443".into(), upstream(None, name)),
        ]),
        endpoints: Map::from([(ServicePort::new("default", "a", 80), endpoints(&[8080, 8081]))]),
        certs: Map::default(),
        keys: Map::default(),
        ticket_key: Some(TicketKey::new(vec![5; 48])),
        drain_timeout: Duration::from_secs(240),
        connections: ConnectionLimits { per_worker: NonZeroU32::new(100), per_client: None },
    };
    put_cert(&mut full, "default/tls", 1);
    put_cert(&mut full, "default/id", 2);
    full
}
