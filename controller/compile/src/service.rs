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
    draft::{BackendRef, Draft, PortRef},
    external_name,
    notes::Notes,
};

/// Every backend that a draft names, looked up once.
#[derive(Default)]
pub(crate) struct Backends {
    by_ref: HashMap<BackendRef, Result<Found, Missing>>,
    pub upstreams: BTreeMap<UpstreamId, Arc<Upstream>>,
    pub endpoint_sources: BTreeMap<ServicePort, EndpointSource>,
}

/// A backend that is there.
struct Found {
    upstream: UpstreamId,
    /// What its owner should know all the same.
    remark: Option<String>,
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

impl Backends {
    /// The upstream of a backend, or why there is none.
    pub fn find(&self, backend: &BackendRef) -> Result<&UpstreamId, Arc<str>> {
        match self.by_ref.get(backend) {
            Some(Ok(found)) => Ok(&found.upstream),
            Some(Err(missing)) => Err(Arc::clone(&missing.message)),
            None => Err("was not looked up".into()),
        }
    }
}

/// Looks up all backends of `drafts` and the global default backend. What is missing is a problem of each object that
/// names it.
pub(crate) fn resolve(
    objects: &Objects,
    options: &Options,
    drafts: &[Arc<Draft>],
    keep_alive: UpstreamKeepAlive,
) -> (Backends, Vec<Problem>) {
    let mut resolver = Resolver { objects, options, keep_alive, backends: Backends::default() };
    for backend in drafts.iter().flat_map(|draft| references(draft)).map(|(_, backend)| backend) {
        resolver.look_up(backend);
    }
    let mut problems: Vec<Problem> =
        drafts.iter().flat_map(|draft| draft_problems(draft, &resolver.backends)).collect();
    if let Some(backend) = default_backend(options) {
        resolver.look_up(&backend);
        problems.extend(default_backend_problem(&backend, &resolver.backends));
    }
    (resolver.backends, problems)
}

/// The global default backend (`--default-backend-service`), by its first port.
pub(crate) fn default_backend(options: &Options) -> Option<BackendRef> {
    options.default_backend_service.clone().map(|service| BackendRef { service, port: PortRef::First })
}

/// The backends that a draft names and where it does.
fn references(draft: &Draft) -> impl Iterator<Item = (&str, &BackendRef)> {
    let routes = draft.hosts.iter().flat_map(|host| &host.routes);
    routes.filter_map(|route| route.backend.as_ref().ok().map(|backend| (&*route.field, backend)))
}

fn draft_problems(draft: &Draft, backends: &Backends) -> Vec<Problem> {
    let mut notes = Notes::new(&draft.origin);
    for (field, backend) in references(draft) {
        match backends.by_ref.get(backend) {
            Some(Ok(Found { remark: None, .. })) | None => {}
            Some(Ok(Found { remark: Some(remark), .. })) => {
                notes.warning(&backend_field(field), "TargetPortNamed", remark.as_str());
            }
            Some(Err(Missing { reason, message })) => {
                notes.error(&backend_field(field), reason, format!("{message}; answers 503"));
            }
        }
    }
    notes.into_problems()
}

fn backend_field(route: &str) -> String {
    if route == "spec.defaultBackend" { format!("{route}.service") } else { format!("{route}.backend.service") }
}

fn default_backend_problem(backend: &BackendRef, backends: &Backends) -> Vec<Problem> {
    let NamespacedName { namespace, name } = &backend.service;
    let mut notes = Notes::new(&Arc::new(Origin::new("Service", namespace, name)));
    if let Some(Err(Missing { reason, message })) = backends.by_ref.get(backend) {
        notes.error("spec", reason, format!("{message}; as --default-backend-service it answers 503"));
    }
    notes.into_problems()
}

struct Resolver<'a> {
    objects: &'a Objects,
    options: &'a Options,
    keep_alive: UpstreamKeepAlive,
    backends: Backends,
}

impl Resolver<'_> {
    fn look_up(&mut self, backend: &BackendRef) {
        if !self.backends.by_ref.contains_key(backend) {
            let found = self.find(backend);
            self.backends.by_ref.insert(backend.clone(), found);
        }
    }

    fn find(&mut self, backend: &BackendRef) -> Result<Found, Missing> {
        let Some(service) = self.objects.services.get(&backend.service) else {
            return Err(Missing::new("ServiceNotFound", format!("Service {} does not exist", backend.service)));
        };
        if service.spec.as_ref().and_then(|spec| spec.type_.as_deref()) == Some("ExternalName") {
            let (port, target) = external_name::target(service, backend, self.options)?;
            return Ok(Found { upstream: self.upstream(&backend.service, port, target), remark: None });
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
        self.backends.endpoint_sources.insert(id.clone(), source);
        Ok(Found { upstream: self.upstream(&backend.service, port, Target::Endpoints(id)), remark })
    }

    /// The id is that of the Service's port: nothing can differ from the defaults yet.
    fn upstream(&mut self, service: &NamespacedName, port: u16, target: Target) -> UpstreamId {
        let NamespacedName { namespace, name } = service;
        let id = UpstreamId::from(format!("{service}:{port}"));
        let upstream = Upstream {
            namespace: Arc::clone(namespace),
            service: Arc::clone(name),
            port,
            target,
            protocol: Protocol::Http1,
            keep_alive: self.keep_alive,
        };
        self.backends.upstreams.insert(id.clone(), Arc::new(upstream));
        id
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

fn is_tcp(port: &Port) -> bool {
    port.protocol.as_deref().is_none_or(|protocol| protocol.is_empty() || protocol == "TCP")
}

pub(crate) fn port_not_found(backend: &BackendRef) -> Missing {
    Missing::new("PortNotFound", format!("Service {} has no TCP port {}", backend.service, backend.port))
}
