//! Service → upstream: what the backends of drafts are.

mod protocol;
mod shared_host;
mod stream;

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use k8s_openapi::{
    api::core::v1::{Service, ServicePort as Port},
    apimachinery::pkg::util::intstr::IntOrString,
};
use snapshot::{Cert, CertId, Origin, PrivateKey, ServicePort, Target, Upstream, UpstreamId, UpstreamKeepAlive};

use crate::{
    EndpointSource, Family, NamespacedName, Objects, Options, Problem, Reason, Transport,
    credentials::AllCredentials,
    draft::{BackendProtocol, BackendRef, Draft, Place, PortRef, UpstreamDraft},
    external_name,
    notes::Notes,
};
use protocol::Use;

pub(crate) use stream::{Stream, stream};

/// What the backends of drafts are.
pub(crate) struct Backends {
    /// For each draft its routes' backends, in order.
    pub of_drafts: Vec<Vec<Resolved>>,
    /// The global default backend's (`--default-backend-service`), and its name.
    pub default: Option<(NamespacedName, Resolved)>,
    pub upstreams: BTreeMap<UpstreamId, Arc<Upstream>>,
    pub endpoint_sources: BTreeMap<ServicePort, EndpointSource>,
    /// The certificates that backends are shown.
    pub identities: BTreeMap<CertId, (Arc<Cert>, Arc<PrivateKey>)>,
}

/// An upstream, or why there is none.
pub(crate) type Resolved = Result<UpstreamId, Arc<str>>;

/// Why there is no backend.
pub(crate) struct Missing {
    pub reason: Reason,
    pub message: Arc<str>,
}

impl Missing {
    pub fn new(reason: Reason, message: impl Into<Arc<str>>) -> Self {
        Self { reason, message: message.into() }
    }
}

/// Why the backends of a draft cannot be spoken to.
struct Refused {
    reason: Reason,
    /// The annotation that is wrong.
    key: &'static str,
    why: String,
}

/// A backend that is there.
struct Found {
    upstream: UpstreamId,
    /// What its owner should know all the same.
    remark: Option<String>,
}

/// Looks backends up.
pub(crate) struct Resolver<'a> {
    objects: &'a Objects,
    options: &'a Options,
    credentials: &'a AllCredentials,
    keep_alive: UpstreamKeepAlive,
    known: HashMap<(BackendRef, Option<Arc<UpstreamDraft>>), Known>,
    upstreams: Vec<(UpstreamId, Arc<Upstream>)>,
    endpoint_sources: Vec<(ServicePort, EndpointSource)>,
    identities: BTreeMap<CertId, (Arc<Cert>, Arc<PrivateKey>)>,
    problems: Vec<Problem>,
}

type Known = Arc<Result<Found, Missing>>;

impl<'a> Resolver<'a> {
    /// Knows nothing yet.
    pub fn new(
        objects: &'a Objects,
        options: &'a Options,
        credentials: &'a AllCredentials,
        keep_alive: UpstreamKeepAlive,
    ) -> Self {
        Self {
            objects,
            options,
            credentials,
            keep_alive,
            known: HashMap::new(),
            upstreams: Vec::new(),
            endpoint_sources: Vec::new(),
            identities: BTreeMap::new(),
            problems: Vec::new(),
        }
    }

    /// Looks up all backends of `drafts` and the global default backend. What is missing is a problem of each object
    /// that names it.
    pub fn resolve(mut self, drafts: &[Arc<Draft>]) -> (Backends, Vec<Problem>) {
        self.problems.extend(shared_host::problems(drafts, &self.options.annotations_prefix));
        let of_drafts = drafts.iter().map(|draft| self.draft(draft)).collect();
        let service = self.options.default_backend_service.as_ref();
        let default = service.map(|name| (name.clone(), self.default_backend(name)));
        let Self { upstreams, endpoint_sources, identities, problems, .. } = self;
        let (upstreams, endpoint_sources) = (upstreams.into_iter().collect(), endpoint_sources.into_iter().collect());
        (Backends { of_drafts, default, upstreams, endpoint_sources, identities }, problems)
    }

    fn draft(&mut self, draft: &Draft) -> Vec<Resolved> {
        let mut notes = Notes::new(&draft.origin);
        let routes = || draft.hosts.iter().flat_map(|host| &host.routes);
        if let Err(Refused { reason, key, why }) = self.check(draft) {
            let field = format!("metadata.annotations[{}/{key}]", self.options.annotations_prefix);
            notes.error(&field, reason, format!("{why}: the paths of the Ingress answer 503"));
            self.problems.extend(notes.into_problems());
            let reason = Arc::from(format!("`{key}`: {why}"));
            return routes().map(|_| Err(Arc::clone(&reason))).collect();
        }
        // The paths of an Ingress mostly have one backend: no need to look it up for each.
        let mut previous: Option<(&BackendRef, Known)> = None;
        let mut resolved = Vec::new();
        for route in routes() {
            resolved.push(match &route.backend {
                Err(reason) => Err(Arc::clone(reason)),
                Ok(backend) => {
                    let known = match previous.take() {
                        Some((same, known)) if same == backend => known,
                        _ => self.look_up(backend, &draft.stated.upstream),
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

    /// Whether backends can be spoken to as a draft asks for.
    fn check(&self, draft: &Draft) -> Result<(), Refused> {
        let refused = |key, why| Refused { reason: Reason::BackendRefused, key, why };
        let unusable = |why| Refused { reason: Reason::SecretUnusable, key: "proxy-ssl-secret", why };
        let Some(asked) = &draft.stated.upstream else { return Ok(()) };
        let UpstreamDraft { protocol, tls } = &**asked;
        if *protocol == Some(BackendProtocol::FastCgi) {
            let why = "FastCGI is not spoken here; put a web server that speaks it before the application";
            return Err(refused("backend-protocol", why.to_owned()));
        }
        let Some(secret) = &tls.secret else {
            let why = "wants the CA of a `proxy-ssl-secret`, and there is none";
            return if tls.verify { Err(refused("proxy-ssl-verify", why.to_owned())) } else { Ok(()) };
        };
        if !draft.may_name(secret) {
            let why =
                format!("names Secret {secret} of another namespace, which `allow-cross-namespace-resources` forbids");
            return Err(refused("proxy-ssl-secret", why));
        }
        let credentials = self.credentials.find(secret).map_err(unusable)?;
        if tls.verify && credentials.anchors.is_none() {
            let why = format!("Secret {secret}: ca.crt is missing, which `proxy-ssl-verify` needs");
            return Err(unusable(why));
        }
        Ok(())
    }

    /// By its first port.
    fn default_backend(&mut self, service: &NamespacedName) -> Resolved {
        let known = self.look_up(&BackendRef { service: service.clone(), port: PortRef::First }, &None);
        if let Err(Missing { reason, message }) = &*known {
            let mut notes = Notes::new(&Arc::new(Origin::new("Service", &service.namespace, &service.name)));
            notes.error("spec", *reason, format!("{message}; as --default-backend-service it answers 503"));
            self.problems.extend(notes.into_problems());
        }
        upstream_of(&known)
    }

    fn look_up(&mut self, backend: &BackendRef, asked: &Option<Arc<UpstreamDraft>>) -> Known {
        let key = (backend.clone(), asked.clone());
        if let Some(known) = self.known.get(&key) {
            return Arc::clone(known);
        }
        let asked = asked.as_deref().cloned().unwrap_or_default();
        let found = Arc::new(self.find(backend, &asked));
        self.known.insert(key, Arc::clone(&found));
        found
    }

    fn find(&mut self, backend: &BackendRef, asked: &UpstreamDraft) -> Result<Found, Missing> {
        let Some(service) = self.objects.services.get(&backend.service) else {
            return Err(Missing::new(Reason::ServiceNotFound, format!("Service {} does not exist", backend.service)));
        };
        if service.spec.as_ref().and_then(|spec| spec.type_.as_deref()) == Some("ExternalName") {
            let (port, target) = external_name::target(service, backend, self.options)?;
            let named = find_port(service, backend, Transport::Tcp).ok();
            let of_port = named.map_or(BackendProtocol::Http, |(port, _)| BackendProtocol::of_port(port));
            let upstream = self.upstream((&backend.service, port), target, of_port, asked)?;
            return Ok(Found { upstream, remark: None });
        }
        let (found, remark) = find_port(service, backend, Transport::Tcp)?;
        let port = u16::try_from(found.port).ok().filter(|port| *port != 0);
        let port = port.ok_or_else(|| port_not_found(backend, Transport::Tcp))?;
        let id = ServicePort::new(&backend.service.namespace, &backend.service.name, port);
        let source = EndpointSource {
            service: backend.service.clone(),
            port_name: found.name.as_deref().unwrap_or_default().into(),
            family: Family::first_of(service),
            transport: Transport::Tcp,
        };
        self.endpoint_sources.push((id.clone(), source));
        let of_port = BackendProtocol::of_port(found);
        let upstream = self.upstream((&backend.service, port), Target::Endpoints(id), of_port, asked)?;
        Ok(Found { upstream, remark })
    }

    fn upstream(
        &mut self,
        (service, port): (&NamespacedName, u16),
        target: Target,
        of_port: BackendProtocol,
        asked: &UpstreamDraft,
    ) -> Result<UpstreamId, Missing> {
        let NamespacedName { namespace, name } = service;
        let refused = |reason: String| Missing::new(Reason::SecretUnusable, reason);
        let credentials = match &asked.tls.secret {
            Some(secret) => Some(self.credentials.find(secret).map_err(refused)?),
            None => None,
        };
        let used = Use { of_port, asked, credentials };
        let id = used.id(&format!("{namespace}/{name}:{port}"));
        let tls = used.tls(&target, &format!("{name}.{namespace}.svc")).map_err(refused)?;
        if tls.is_some()
            && let Some(pair) = credentials.and_then(|credentials| credentials.identity.as_ref())
        {
            self.identities.insert(pair.id.clone(), (Arc::clone(&pair.cert), Arc::clone(&pair.key.0)));
        }
        let upstream = Upstream {
            namespace: Arc::clone(namespace),
            service: Arc::clone(name),
            port,
            target,
            protocol: used.protocol().version(),
            tls: tls.map(Arc::new),
            keep_alive: self.keep_alive,
        };
        self.upstreams.push((id.clone(), Arc::new(upstream)));
        Ok(id)
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
            notes.warning(&field(), Reason::TargetPortNamed, remark.as_str());
        }
        Err(Missing { reason, message }) => {
            notes.error(&field(), *reason, format!("{message}; answers 503"));
        }
    }
}

/// The port of a Service that a backend names. A number that is only a `targetPort` is taken too, with a remark:
/// ingress-nginx does so, and Ingresses in the field rely on it.
fn find_port<'a>(
    service: &'a Service,
    backend: &BackendRef,
    transport: Transport,
) -> Result<(&'a Port, Option<String>), Missing> {
    let all = || service.spec.iter().flat_map(|spec| spec.ports.iter().flatten());
    let ports = || all().filter(|port| transport.is(port.protocol.as_deref()));
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
    let port = by_target.ok_or_else(|| port_not_found(backend, transport))?;
    let remark = format!("{} is the targetPort of port {}, which should be named instead", backend.port, port.port);
    Ok((port, Some(remark)))
}

pub(crate) fn port_not_found(backend: &BackendRef, transport: Transport) -> Missing {
    let message = format!("Service {} has no {} port {}", backend.service, transport.as_str(), backend.port);
    Missing::new(Reason::PortNotFound, message)
}
