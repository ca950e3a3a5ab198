//! TCP and UDP services: a ConfigMap each, a port for each key, as ingress-nginx has them
//! (<https://kubernetes.github.io/ingress-nginx/user-guide/exposing-tcp-udp-services/>).

mod reference;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    sync::Arc,
};

use k8s_openapi::api::core::v1::ConfigMap;
use snapshot::{
    Listener, ListenerId, Origin, ProxyProtocol, Serves, ServicePort, Snapshot, StreamBackend, Target, TcpService,
    UdpService,
};

use crate::{
    EndpointSource, NamespacedName, Objects, Options, Problem, Reason, Transport,
    notes::Notes,
    service::{self, Stream},
    settings::Settings,
};
use reference::Reference;

/// The ports of all TCP and UDP services.
#[derive(Default)]
pub(crate) struct L4 {
    pub listeners: BTreeMap<ListenerId, Arc<Listener>>,
    pub endpoint_sources: BTreeMap<ServicePort, EndpointSource>,
    pub problems: Vec<Problem>,
}

/// Reads both ConfigMaps. A key that cannot be served is a problem of its ConfigMap, and stops no other.
pub(crate) fn services(objects: &Objects, options: &Options, settings: &Settings) -> L4 {
    let mut l4 = L4::default();
    let maps = [
        (Transport::Tcp, "--tcp-services-configmap", &options.tcp_services),
        (Transport::Udp, "--udp-services-configmap", &options.udp_services),
    ];
    for (transport, flag, name) in maps {
        let Some(name) = name else { continue };
        let origin = Arc::new(Origin::new("ConfigMap", &name.namespace, &name.name));
        let mut reader = Reader { objects, options, settings, transport, notes: Notes::new(&origin), origin, l4 };
        match objects.config_maps.get(name) {
            Some(config_map) => reader.read(config_map),
            None => reader.missing(name, flag),
        }
        l4 = reader.l4;
        l4.problems.extend(reader.notes.into_problems());
    }
    l4
}

struct Reader<'a> {
    objects: &'a Objects,
    options: &'a Options,
    settings: &'a Settings,
    transport: Transport,
    origin: Arc<Origin>,
    notes: Notes,
    l4: L4,
}

impl Reader<'_> {
    fn missing(&mut self, name: &NamespacedName, flag: &str) {
        let message = format!("{name} does not exist, though {flag} names it: no port of it is open");
        self.notes.warning("metadata.name", Reason::ConfigMapNotFound, message);
    }

    fn read(&mut self, config_map: &ConfigMap) {
        for (key, value) in config_map.data.iter().flatten() {
            if let Err((reason, message)) = self.entry(key, value.trim()) {
                self.notes.error(&field(key), reason, format!("{message}; the port is not open"));
            }
        }
        for key in config_map.binary_data.iter().flatten().map(|(key, _)| key) {
            self.notes.error(&field(key), Reason::BadService, "is binary; a service is text under `data`");
        }
    }

    fn entry(&mut self, key: &str, value: &str) -> Result<(), (Reason, String)> {
        if let Some(why) = &self.settings.stream_denied {
            return Err((Reason::PortClosed, why.trim_end_matches('.').to_owned()));
        }
        let port = port(key).map_err(|message| (Reason::BadPort, message))?;
        if let Some(whose) = self.reserved(port) {
            return Err((Reason::PortTaken, format!("port {port} is that of {whose}")));
        }
        let reference = reference::read(value).map_err(|message| (Reason::BadService, message))?;
        let found = service::stream(self.objects, self.options, &reference.backend, self.transport);
        let Stream { backend, endpoints, remark } =
            found.map_err(|missing| (missing.reason, missing.message.to_string()))?;
        if let Some(remark) = remark {
            self.notes.warning(&field(key), Reason::TargetPortNamed, remark);
        }
        self.l4.endpoint_sources.extend(endpoints);
        let serves = self.serves(key, backend, &reference);
        let proxy_protocol = if self.transport == Transport::Tcp && reference.decode {
            Some(proxy_protocol(self.settings))
        } else {
            None
        };
        let addresses: BTreeSet<_> = self.options.bind_addresses.iter().collect();
        let binds = addresses.into_iter().map(|address| SocketAddr::new(*address, port)).collect();
        let id = format!("{}:{port}", self.transport.as_str().to_ascii_lowercase());
        self.l4.listeners.insert(id.into(), Arc::new(Listener { binds, proxy_protocol, serves }));
        Ok(())
    }

    fn serves(&mut self, key: &str, backend: StreamBackend, reference: &Reference) -> Serves {
        let (origin, settings) = (Arc::clone(&self.origin), self.settings);
        match self.transport {
            Transport::Tcp => Serves::Tcp(Arc::new(tcp(origin, backend, settings, reference.encode))),
            Transport::Udp => {
                if reference.decode || reference.encode {
                    let message = "the PROXY protocol is for TCP alone; the port is served without it";
                    self.notes.warning(&field(key), Reason::NoProxyProtocol, message);
                }
                let stream = &settings.stream;
                Serves::Udp(Arc::new(UdpService { origin, backend, idle: stream.idle, replies: stream.replies }))
            }
        }
    }

    /// Whose a port is that is ours.
    fn reserved(&self, port: u16) -> Option<&'static str> {
        let options = self.options;
        let ours = [
            ("--http-port", options.http_port),
            ("--https-port", options.https_port),
            ("--healthz-port", options.healthz_port),
        ];
        // What we serve is TCP; UDP has ports of its own.
        let mut ours = ours.into_iter().filter(|_| self.transport == Transport::Tcp);
        ours.find(|(_, taken)| *taken == port).map(|(flag, _)| flag)
    }
}

/// How TCP is handed on to a backend.
pub(crate) fn tcp(
    origin: Arc<Origin>,
    backend: StreamBackend,
    settings: &Settings,
    send_proxy_header: bool,
) -> TcpService {
    TcpService {
        origin,
        backend,
        connect: settings.proxy_connect_timeout,
        idle: settings.stream.idle,
        retry: settings.stream.retry(),
        send_proxy_header,
    }
}

/// Who may say whose connection it is.
pub(crate) fn proxy_protocol(settings: &Settings) -> ProxyProtocol {
    ProxyProtocol { trusted: settings.proxy_real_ip_cidr.clone(), timeout: settings.proxy_protocol_header_timeout }
}

/// The TCP and UDP services of a snapshot that have no endpoint now. Apart from [`crate::compile`], which looks at no
/// endpoints.
pub fn without_endpoints(snapshot: &Snapshot) -> Vec<Problem> {
    let mut problems = Vec::new();
    for listener in snapshot.listeners.values() {
        let (origin, backend, what) = match &listener.serves {
            Serves::Tcp(service) => (&service.origin, &service.backend, "connections are closed at once"),
            Serves::Udp(service) => (&service.origin, &service.backend, "datagrams are dropped"),
            Serves::Http { .. } | Serves::Tls { .. } => continue,
        };
        let Target::Endpoints(id) = &backend.target else { continue };
        if snapshot.endpoints.get(id).is_some_and(|set| !set.endpoints.is_empty()) {
            continue;
        }
        let port = listener.binds.first().map_or(0, SocketAddr::port);
        let mut notes = Notes::new(origin);
        let message = format!(
            "port {} of Service {}/{} has no endpoint: {what}",
            backend.port, backend.namespace, backend.service
        );
        notes.warning(&field(&port.to_string()), Reason::NoEndpoints, message);
        problems.extend(notes.into_problems());
    }
    problems
}

fn field(key: &str) -> String {
    format!("data[{key}]")
}

/// A key: digits alone, and no zero in front, so that no port comes twice.
fn port(key: &str) -> Result<u16, String> {
    let port = key.parse::<u16>().ok().filter(|port| *port != 0 && port.to_string() == key);
    port.ok_or_else(|| format!("the key {key:?} is not a port between 1 and 65535"))
}

#[cfg(test)]
mod tests {
    use snapshot::{Endpoint, EndpointSet};

    use super::*;

    #[test]
    fn who_has_no_endpoint_is_told_on_the_key() {
        let origin = Arc::new(Origin::new("ConfigMap", "system", "udp"));
        let id = ServicePort::new("dns", "dns", "53/UDP");
        let target = Target::Endpoints(id.clone());
        let backend = StreamBackend { namespace: "dns".into(), service: "dns".into(), port: 53, target };
        let settings = Settings::default();
        let udp = UdpService { origin, backend, idle: settings.stream.idle, replies: settings.stream.replies };
        let binds = vec![SocketAddr::from(([0, 0, 0, 0], 5353))];
        let listener = Listener { binds, proxy_protocol: None, serves: Serves::Udp(Arc::new(udp)) };
        let mut snapshot = Snapshot::default();
        snapshot.listeners.insert("udp:5353".into(), Arc::new(listener));
        snapshot.endpoints.insert(id.clone(), Arc::default());
        let [problem] = without_endpoints(&snapshot).try_into().unwrap();
        assert_eq!(
            problem.to_string(),
            "ConfigMap system/udp: data[5353]: port 53 of Service dns/dns has no endpoint: datagrams are dropped"
        );
        let endpoints = vec![Endpoint { address: SocketAddr::from(([10, 0, 0, 1], 53)) }];
        snapshot.endpoints.insert(id, Arc::new(EndpointSet { endpoints }));
        assert!(without_endpoints(&snapshot).is_empty());
    }
}
