//! Service → upstream: what the backends of drafts are.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use k8s_openapi::{
    api::core::v1::{Service, ServicePort as Port},
    apimachinery::pkg::util::intstr::IntOrString,
};
use snapshot::{Origin, Protocol, ServicePort, Target, Upstream, UpstreamId, UpstreamKeepAlive};

use crate::{
    EndpointSource, Family, NamespacedName, Objects, Options, Problem,
    draft::{BackendRef, Draft, Place, PortRef},
    external_name,
    notes::Notes,
};

/// What the backends of drafts are.
pub(crate) struct Backends {
    /// For each draft its routes' backends, in order.
    pub of_drafts: Vec<Vec<Resolved>>,
    /// The global default backend's (`--default-backend-service`), and its name.
    pub default: Option<(NamespacedName, Resolved)>,
    pub upstreams: BTreeMap<UpstreamId, Arc<Upstream>>,
    pub endpoint_sources: BTreeMap<ServicePort, EndpointSource>,
}

/// An upstream, or why there is none.
pub(crate) type Resolved = Result<UpstreamId, Arc<str>>;

/// Looks up all backends of `drafts` and the global default backend. What is missing is a problem of each object that
/// names it.
pub(crate) fn resolve(
    objects: &Objects,
    options: &Options,
    drafts: &[Arc<Draft>],
    keep_alive: UpstreamKeepAlive,
) -> (Backends, Vec<Problem>) {
    let mut resolver = Resolver::new(objects, options, keep_alive);
    let of_drafts = drafts.iter().map(|draft| resolver.draft(draft)).collect();
    let default = options.default_backend_service.as_ref().map(|name| (name.clone(), resolver.default_backend(name)));
    let Resolver { upstreams, endpoint_sources, problems, .. } = resolver;
    let (upstreams, endpoint_sources) = (upstreams.into_iter().collect(), endpoint_sources.into_iter().collect());
    (Backends { of_drafts, default, upstreams, endpoint_sources }, problems)
}

/// Why there is no backend.
pub(crate) struct Missing {
    reason: &'static str,
    message: Arc<str>,
}

impl Missing {
    pub fn new(reason: &'static str, message: impl Into<Arc<str>>) -> Self {
        Self { reason, message: message.into() }
    }
}

/// A backend that is there.
struct Found {
    upstream: UpstreamId,
    /// What its owner should know all the same.
    remark: Option<String>,
}

struct Resolver<'a> {
    objects: &'a Objects,
    options: &'a Options,
    keep_alive: UpstreamKeepAlive,
    known: HashMap<BackendRef, Arc<Result<Found, Missing>>>,
    upstreams: Vec<(UpstreamId, Arc<Upstream>)>,
    endpoint_sources: Vec<(ServicePort, EndpointSource)>,
    problems: Vec<Problem>,
}

impl<'a> Resolver<'a> {
    fn new(objects: &'a Objects, options: &'a Options, keep_alive: UpstreamKeepAlive) -> Self {
        let (upstreams, endpoint_sources, problems) = (Vec::new(), Vec::new(), Vec::new());
        Self { objects, options, keep_alive, known: HashMap::new(), upstreams, endpoint_sources, problems }
    }

    fn draft(&mut self, draft: &Draft) -> Vec<Resolved> {
        let mut notes = Notes::new(&draft.origin);
        // The paths of an Ingress mostly have one backend: no need to look it up for each.
        let mut previous: Option<(&BackendRef, Arc<Result<Found, Missing>>)> = None;
        let mut resolved = Vec::new();
        for route in draft.hosts.iter().flat_map(|host| &host.routes) {
            resolved.push(match &route.backend {
                Err(reason) => Err(Arc::clone(reason)),
                Ok(backend) => {
                    let known = match previous.take() {
                        Some((same, known)) if same == backend => known,
                        _ => self.look_up(backend),
                    };
                    note(&known, route.place, &mut notes);
                    previous = Some((backend, Arc::clone(&known)));
                    upstream_of(&known)
                }
            });
        }
        self.problems.extend(notes.into_problems());
        resolved
    }

    /// By its first port.
    fn default_backend(&mut self, service: &NamespacedName) -> Resolved {
        let known = self.look_up(&BackendRef { service: service.clone(), port: PortRef::First });
        if let Err(Missing { reason, message }) = &*known {
            let mut notes = Notes::new(&Arc::new(Origin::new("Service", &service.namespace, &service.name)));
            notes.error("spec", reason, format!("{message}; as --default-backend-service it answers 503"));
            self.problems.extend(notes.into_problems());
        }
        upstream_of(&known)
    }

    fn look_up(&mut self, backend: &BackendRef) -> Arc<Result<Found, Missing>> {
        if let Some(known) = self.known.get(backend) {
            return Arc::clone(known);
        }
        let found = Arc::new(self.find(backend));
        self.known.insert(backend.clone(), Arc::clone(&found));
        found
    }

    fn find(&mut self, backend: &BackendRef) -> Result<Found, Missing> {
        let Some(service) = self.objects.services.get(&backend.service) else {
            return Err(Missing::new("ServiceNotFound", format!("Service {} does not exist", backend.service)));
        };
        if service.spec.as_ref().and_then(|spec| spec.type_.as_deref()) == Some("ExternalName") {
            let (port, target) = external_name::target(service, backend, self.options)?;
            let named = find_port(service, backend).ok();
            let protocol = named.map_or(Ok(Protocol::Http1), |(port, _)| protocol(port, backend))?;
            return Ok(Found { upstream: self.upstream(&backend.service, port, target, protocol), remark: None });
        }
        let (found, remark) = find_port(service, backend)?;
        let port = u16::try_from(found.port).ok().filter(|port| *port != 0);
        let port = port.ok_or_else(|| port_not_found(backend))?;
        let id = ServicePort::new(&backend.service.namespace, &backend.service.name, port);
        let source = EndpointSource {
            service: backend.service.clone(),
            port_name: found.name.as_deref().unwrap_or_default().into(),
            family: Family::first_of(service),
        };
        let protocol = protocol(found, backend)?;
        self.endpoint_sources.push((id.clone(), source));
        Ok(Found { upstream: self.upstream(&backend.service, port, Target::Endpoints(id), protocol), remark })
    }

    /// The id is that of the Service's port: nothing can differ from what the port says yet.
    fn upstream(&mut self, service: &NamespacedName, port: u16, target: Target, protocol: Protocol) -> UpstreamId {
        let NamespacedName { namespace, name } = service;
        let id = UpstreamId::from(format!("{namespace}/{name}:{port}"));
        let upstream = Upstream {
            namespace: Arc::clone(namespace),
            service: Arc::clone(name),
            port,
            target,
            protocol,
            keep_alive: self.keep_alive,
        };
        self.upstreams.push((id.clone(), Arc::new(upstream)));
        id
    }
}

fn upstream_of(known: &Result<Found, Missing>) -> Resolved {
    match known {
        Ok(found) => Ok(found.upstream.clone()),
        Err(missing) => Err(Arc::clone(&missing.message)),
    }
}

fn note(known: &Result<Found, Missing>, place: Place, notes: &mut Notes) {
    let field = || format!("{}.service", place.backend());
    match known {
        Ok(Found { remark: None, .. }) => {}
        Ok(Found { remark: Some(remark), .. }) => {
            notes.warning(&field(), "TargetPortNamed", remark.as_str());
        }
        Err(Missing { reason, message }) => {
            notes.error(&field(), reason, format!("{message}; answers 503"));
        }
    }
}

/// The port of a Service that a backend names. A number that is only a `targetPort` is taken too, with a remark:
/// ingress-nginx does so, and Ingresses in the field rely on it.
fn find_port<'a>(service: &'a Service, backend: &BackendRef) -> Result<(&'a Port, Option<String>), Missing> {
    let ports = || service.spec.iter().flat_map(|spec| spec.ports.iter().flatten()).filter(|port| is_tcp(port));
    let named = ports().find(|port| match &backend.port {
        PortRef::Number(number) => port.port == i32::from(*number),
        PortRef::Name(name) => port.name.as_deref() == Some(name),
        PortRef::First => true,
    });
    if let Some(port) = named {
        return Ok((port, None));
    }
    let by_target = ports().find(|port| match (&backend.port, &port.target_port) {
        (PortRef::Number(number), Some(IntOrString::Int(target))) => *target == i32::from(*number),
        (PortRef::Name(name), Some(IntOrString::String(target))) => **name == **target,
        _ => false,
    });
    let port = by_target.ok_or_else(|| port_not_found(backend))?;
    let remark = format!("{} is the targetPort of port {}, which should be named instead", backend.port, port.port);
    Ok((port, Some(remark)))
}

/// What a Service's port says is spoken there: `appProtocol` with the names that Kubernetes has for it (KEP-3726), and
/// `grpc`, which is in wide use. A name that says nothing of HTTP changes nothing, as everywhere.
fn protocol(port: &Port, backend: &BackendRef) -> Result<Protocol, Missing> {
    match port.app_protocol.as_deref() {
        Some("kubernetes.io/h2c" | "grpc") => Ok(Protocol::H2c),
        // In the clear it would say what was meant to be a secret.
        Some(name @ ("https" | "kubernetes.io/wss")) => Err(Missing::new(
            "ProtocolNotServed",
            format!(
                "port {} of Service {} has the appProtocol {name}, which is not served yet",
                port.port, backend.service
            ),
        )),
        _ => Ok(Protocol::Http1),
    }
}

fn is_tcp(port: &Port) -> bool {
    port.protocol.as_deref().is_none_or(|protocol| protocol.is_empty() || protocol == "TCP")
}

pub(crate) fn port_not_found(backend: &BackendRef) -> Missing {
    Missing::new("PortNotFound", format!("Service {} has no TCP port {}", backend.service, backend.port))
}
