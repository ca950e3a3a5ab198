//! Snapshots with sensible defaults.

use std::{collections::BTreeMap, net::SocketAddr, num::NonZeroU64, sync::Arc, time::Duration};

use snapshot::*;

/// What the proxy is to serve.
#[derive(Clone)]
pub struct World {
    pub snapshot: Snapshot,
}

impl World {
    /// One listener in the clear, `http`, and nothing behind it.
    pub fn new() -> Self {
        let serves = Serves::Http { hosts: BTreeMap::new(), http: Arc::new(HttpOptions::default()) };
        let listener = Listener { binds: vec![local(0)], proxy_protocol: None, serves };
        let mut snapshot = Snapshot { drain_timeout: Duration::from_secs(10), ..Snapshot::default() };
        snapshot.listeners.insert("http".into(), Arc::new(listener));
        Self { snapshot }
    }

    /// Requests for `host` (empty: any) and paths under `prefix` go to a service of its own with these endpoints.
    pub fn route(mut self, host: &str, prefix: &str, endpoints: &[SocketAddr]) -> Self {
        self.add_route(host, prefix, endpoints);
        self
    }

    pub fn add_route(&mut self, host: &str, prefix: &str, endpoints: &[SocketAddr]) {
        let service = service(host, prefix);
        let port = ServicePort::new("default", &service, 80);
        self.set_endpoints(host, prefix, endpoints);
        self.snapshot
            .upstreams
            .insert(port.as_str().into(), Arc::new(upstream(&service, Target::Endpoints(port.clone()))));
        self.add(host, forward(host, prefix, port.as_str().into()));
    }

    /// A route of any kind.
    pub fn add(&mut self, host: &str, route: Route) {
        let pattern: HostPattern = host.parse().unwrap();
        let table = TableId::from(pattern.to_string());
        let mut routes = self.snapshot.tables.get(&table).map_or_else(Arc::default, Arc::clone);
        let sorted = &mut Arc::make_mut(&mut routes).routes;
        sorted.push(Arc::new(route));
        sorted.sort_by_key(|route| match &route.path {
            PathMatch::Exact(path) => (0, usize::MAX - path.len()),
            PathMatch::Prefix(path) => (1, usize::MAX - path.len()),
        });
        self.snapshot.tables.insert(table.clone(), routes);
        for listener in self.snapshot.listeners.values_mut() {
            if let Serves::Http { hosts, .. } | Serves::Tls { hosts, .. } = &mut Arc::make_mut(listener).serves {
                hosts.insert(pattern.clone(), table.clone());
            }
        }
    }

    pub fn set_endpoints(&mut self, host: &str, prefix: &str, endpoints: &[SocketAddr]) {
        let set = EndpointSet { endpoints: endpoints.iter().map(|&address| Endpoint { address }).collect() };
        self.snapshot.endpoints.insert(ServicePort::new("default", &service(host, prefix), 80), Arc::new(set));
    }

    /// Changes how HTTP is spoken, on every listener.
    pub fn options(mut self, change: impl Fn(&mut HttpOptions)) -> Self {
        for listener in self.snapshot.listeners.values_mut() {
            if let Serves::Http { http, .. } | Serves::Tls { http, .. } = &mut Arc::make_mut(listener).serves {
                change(Arc::make_mut(http));
            }
        }
        self
    }

    /// Changes every route.
    pub fn routes(mut self, change: impl Fn(&mut Route)) -> Self {
        for table in self.snapshot.tables.values_mut() {
            Arc::make_mut(table).routes.iter_mut().for_each(|route| change(Arc::make_mut(route)));
        }
        self
    }

    /// What is spoken to every backend.
    pub fn protocol(mut self, protocol: Protocol) -> Self {
        self.snapshot.upstreams.values_mut().for_each(|upstream| Arc::make_mut(upstream).protocol = protocol);
        self
    }

    /// How TLS is spoken to every backend.
    pub fn upstream_tls(mut self, tls: &UpstreamTls) -> Self {
        let tls = Some(Arc::new(tls.clone()));
        self.snapshot.upstreams.values_mut().for_each(|upstream| Arc::make_mut(upstream).tls = tls.clone());
        self
    }

    /// Changes the time limits of every route.
    pub fn timeouts(self, change: impl Fn(&mut Timeouts)) -> Self {
        self.routes(|route| {
            if let Action::Forward(forward) = &mut route.then {
                change(&mut forward.timeouts);
            }
        })
    }

    pub fn max_body(self, limit: Option<u64>) -> Self {
        self.routes(|route| route.max_body = limit.and_then(NonZeroU64::new))
    }

    pub fn filter(self, filter: Filter) -> Self {
        self.routes(|route| route.filters.push(filter.clone()))
    }

    /// A second listener, `https`, with the same routes.
    pub fn tls(mut self, sni: &[(&str, &str)], default_cert: Option<&str>) -> Self {
        let serves = &self.snapshot.listeners.get("http").unwrap().serves;
        let serves = Serves::Tls {
            sni: sni.iter().map(|(host, cert)| (host.parse().unwrap(), CertId::from(*cert))).collect(),
            default_cert: default_cert.map(CertId::from),
            hosts: serves.hosts().unwrap().clone(),
            http: Arc::clone(serves.http().unwrap()),
            tls: Arc::default(),
            by_host: BTreeMap::new(),
            passthrough: BTreeMap::new(),
        };
        self.snapshot
            .listeners
            .insert("https".into(), Arc::new(Listener { binds: vec![local(0)], proxy_protocol: None, serves }));
        self
    }

    /// Changes how TLS is spoken.
    pub fn tls_options(mut self, change: impl Fn(&mut TlsOptions)) -> Self {
        for listener in self.snapshot.listeners.values_mut() {
            if let Serves::Tls { tls, .. } = &mut Arc::make_mut(listener).serves {
                change(Arc::make_mut(tls));
            }
        }
        self
    }

    /// How TLS is spoken on one host.
    pub fn host_tls(mut self, host: &str, own: HostTls) -> Self {
        let own = Arc::new(own);
        for listener in self.snapshot.listeners.values_mut() {
            if let Serves::Tls { by_host, .. } = &mut Arc::make_mut(listener).serves {
                by_host.insert(host.parse().unwrap(), Arc::clone(&own));
            }
        }
        self
    }

    /// `Strict-Transport-Security` of a host.
    pub fn hsts(mut self, host: &str, hsts: HostHsts) -> Self {
        let table = self.snapshot.tables.get_mut(host).unwrap();
        Arc::make_mut(table).hsts = Some(hsts);
        self
    }

    /// A rule about clients' certificates on a host.
    pub fn client_cert(mut self, host: &str, rule: ClientCertRule) -> Self {
        let client_auth = rule.auth.clone();
        let table = self.snapshot.tables.get_mut(host).unwrap();
        Arc::make_mut(table).client_cert = Some(Arc::new(rule));
        match client_auth {
            None => self,
            Some(_) => self.host_tls(host, HostTls { ciphers: None, client_auth }),
        }
    }

    /// A self-made certificate for these names.
    pub fn cert(mut self, id: &str, names: &[&str]) -> Self {
        self.set_cert(id, names);
        self
    }

    pub fn set_cert(&mut self, id: &str, names: &[&str]) {
        let key = rcgen::KeyPair::generate().unwrap();
        let params = rcgen::CertificateParams::new(names.iter().map(ToString::to_string).collect::<Vec<_>>()).unwrap();
        let der = params.self_signed(&key).unwrap().der().to_vec();
        self.put_cert(id, names, der, key.serialize_der());
    }

    pub fn put_cert(&mut self, id: &str, names: &[&str], der: Vec<u8>, key: Vec<u8>) {
        self.put_chain(id, names, vec![der], key);
    }

    pub fn put_chain(&mut self, id: &str, names: &[&str], chain: Vec<Vec<u8>>, key: Vec<u8>) {
        let bytes = chain.iter().flatten();
        let cert = Cert {
            origin: Arc::new(Origin::new("Secret", "default", id)),
            fingerprint: format!("{:x}", bytes.fold(0u64, |hash, b| hash.rotate_left(5) ^ u64::from(*b))).into(),
            chain,
            names: names.iter().map(|&name| name.into()).collect(),
            info: CertInfo::default(),
            not_after: 0,
        };
        self.snapshot.certs.insert(id.into(), Arc::new(cert));
        self.snapshot.keys.insert(id.into(), Arc::new(PrivateKey::new(KeyFormat::Pkcs8, key)));
    }
}

pub fn local(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

fn service(host: &str, prefix: &str) -> String {
    format!("{host}{prefix}").replace(['.', '/', '*'], "-")
}

pub fn upstream(service: &str, target: Target) -> Upstream {
    Upstream {
        namespace: "default".into(),
        service: service.into(),
        port: 80,
        target,
        protocol: Protocol::Http1,
        tls: None,
        keep_alive: UpstreamKeepAlive {
            connections: 320,
            idle: Duration::from_secs(60),
            requests: 10_000,
            lifetime: Duration::from_secs(3600),
        },
    }
}

pub fn forward(host: &str, prefix: &str, upstream: UpstreamId) -> Route {
    let seconds = Duration::from_secs;
    Route {
        origin: Arc::new(Origin::new("Ingress", "default", host)),
        path: PathMatch::Prefix(prefix.trim_end_matches('/').into()),
        label: prefix.into(),
        max_body: NonZeroU64::new(1 << 20),
        filters: Vec::new(),
        then: Action::Forward(Forward {
            upstream,
            timeouts: Timeouts { connect: seconds(5), read: seconds(60), send: seconds(60) },
            retry: Retry { tries: 3, timeout: Duration::ZERO },
        }),
    }
}
