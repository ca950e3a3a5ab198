//! Ingress → draft: one Ingress by itself, nothing else looked at.

use std::sync::Arc;

use k8s_openapi::api::networking::v1::{
    HTTPIngressPath, Ingress, IngressBackend, IngressRule, IngressSpec, IngressTLS, ServiceBackendPort,
};
use snapshot::{HostPattern, Origin};

use crate::{
    NamespacedName, Options, Reason,
    draft::{
        BackendRef, Draft, HostDraft, PathClass, Patterns, Place, PortRef, RouteDraft, Seniority, Stated, TlsDraft,
        TlsHosts,
    },
    notes::{Notes, shortened},
    path::{self, RulePath},
    policy::Policy,
};

/// Drafts an Ingress.
pub(crate) fn draft(name: &NamespacedName, ingress: &Ingress, options: &Options, policy: &Arc<Policy>) -> Draft {
    let origin = Arc::new(Origin {
        kind: "Ingress".into(),
        namespace: Arc::clone(&name.namespace),
        name: Arc::clone(&name.name),
    });
    let mut drafter = Drafter { name, options, notes: Notes::new(&origin) };
    let (hosts, tls) = ingress.spec.as_ref().map(|spec| drafter.spec(spec)).unwrap_or_default();
    if hosts.is_empty() && ingress.spec.as_ref().is_none_or(is_empty) {
        drafter.notes.error("spec", Reason::NothingToServe, "has neither rules nor a defaultBackend");
    }
    Draft {
        name: name.clone(),
        origin,
        seniority: Seniority::new(ingress.metadata.creation_timestamp.as_ref(), name),
        hosts,
        tls,
        policy: Arc::clone(policy),
        passthrough: false,
        denied: None,
        host_denied: None,
        patterns: Patterns::default(),
        stated: Stated::default(),
        problems: drafter.notes.into_problems(),
    }
}

fn is_empty(spec: &IngressSpec) -> bool {
    spec.default_backend.is_none() && spec.rules.as_ref().is_none_or(Vec::is_empty)
}

struct Drafter<'a> {
    name: &'a NamespacedName,
    options: &'a Options,
    notes: Notes,
}

impl Drafter<'_> {
    fn spec(&mut self, spec: &IngressSpec) -> (Vec<HostDraft>, Vec<TlsDraft>) {
        let fallback = spec.default_backend.as_ref().map(|backend| self.backend(backend, Place::DefaultBackend));
        let rules = spec.rules.as_deref().unwrap_or_default();
        if fallback.is_none() {
            self.note_empty_rules(rules);
        }
        let mut hosts: Vec<HostDraft> =
            rules.iter().enumerate().filter_map(|(index, rule)| self.rule(index, rule)).collect();
        if rules.is_empty() && fallback.is_some() && self.may_catch_all("spec.defaultBackend") {
            hosts.push(HostDraft { host: HostPattern::Any, routes: Vec::new(), has_unread: false });
        }
        if let Some(backend) = fallback {
            hosts.iter_mut().for_each(|host| host.routes.push(default_route(&backend)));
        }
        let tls = spec.tls.iter().flatten().enumerate().map(|(index, tls)| self.tls(index, tls)).collect();
        (hosts, tls)
    }

    fn note_empty_rules(&mut self, rules: &[IngressRule]) {
        let is_empty = |rule: &IngressRule| rule.http.as_ref().is_none_or(|http| http.paths.is_empty());
        for (index, _) in rules.iter().enumerate().filter(|(_, rule)| is_empty(rule)) {
            let message =
                "has no paths, and the Ingress has no defaultBackend: it takes its host and serves nothing there";
            self.notes.warning(&format!("spec.rules[{index}]"), Reason::NothingToServe, message);
        }
    }

    /// A rule with an invalid host is left out. One whose paths are all invalid, or that has none, still claims its host.
    fn rule(&mut self, index: usize, rule: &IngressRule) -> Option<HostDraft> {
        let field = format!("spec.rules[{index}]");
        let host = match rule.host.as_deref().unwrap_or_default().parse::<HostPattern>() {
            Ok(host) => host,
            Err(error) => {
                let message = format!("host {:?} is not valid: {error}", rule.host.as_deref().unwrap_or_default());
                self.notes.error(
                    &format!("{field}.host"),
                    Reason::InvalidHost,
                    format!("{message}; the rule is left out"),
                );
                return None;
            }
        };
        if host == HostPattern::Any && !self.may_catch_all(&format!("{field}.host")) {
            return None;
        }
        let paths = rule.http.as_ref().map(|http| http.paths.as_slice()).unwrap_or_default();
        let routes = paths.iter().enumerate();
        let routes = routes.filter_map(|(at, path)| self.route(Place::Path { rule: index, path: at }, path));
        let routes: Vec<RouteDraft> = routes.collect();
        Some(HostDraft { has_unread: routes.len() < paths.len(), routes, host })
    }

    fn may_catch_all(&mut self, field: &str) -> bool {
        if self.options.disable_catch_all {
            let message = "claims every host, which --disable-catch-all forbids; it is left out";
            self.notes.error(field, Reason::CatchAllDisabled, message);
        }
        !self.options.disable_catch_all
    }

    fn route(&mut self, place: Place, path: &HTTPIngressPath) -> Option<RouteDraft> {
        match path::parse(path.path.as_deref(), &path.path_type) {
            Ok(RulePath { class, path: text, label }) => {
                let backend = self.backend(&path.backend, place);
                Some(RouteDraft { place, class, path: text, label, backend })
            }
            Err(error) => {
                self.notes.error(&place.to_string(), Reason::InvalidPath, format!("{error}; the path is left out"));
                None
            }
        }
    }

    fn backend(&mut self, backend: &IngressBackend, place: Place) -> Result<BackendRef, Arc<str>> {
        parse_backend(self.name, backend).map_err(|(reason, message)| {
            // It stands at the route, and may quote a name of any length.
            let message = shortened(&message);
            self.notes.error(&place.backend(), reason, format!("{message}; answers 503"));
            message.into()
        })
    }

    fn tls(&mut self, index: usize, tls: &IngressTLS) -> TlsDraft {
        let field = format!("spec.tls[{index}]");
        let names = tls.hosts.as_deref().unwrap_or_default();
        let mut hosts = Vec::with_capacity(names.len());
        for (at, name) in names.iter().enumerate() {
            match name.parse::<HostPattern>() {
                Ok(HostPattern::Any) | Err(_) => {
                    let message = format!("host {name:?} is not valid; it is left out");
                    self.notes.error(&format!("{field}.hosts[{at}]"), Reason::InvalidHost, message);
                }
                Ok(host) => hosts.push(host),
            }
        }
        let hosts = if names.is_empty() { TlsHosts::All } else { TlsHosts::Listed(hosts) };
        let secret = tls.secret_name.as_deref().filter(|name| !name.is_empty());
        let secret =
            secret.map(|secret| NamespacedName { namespace: Arc::clone(&self.name.namespace), name: secret.into() });
        TlsDraft { field, hosts, secret }
    }
}

fn default_route(backend: &Result<BackendRef, Arc<str>>) -> RouteDraft {
    RouteDraft {
        place: Place::DefaultBackend,
        class: PathClass::Default,
        path: "".into(),
        label: "/".into(),
        backend: backend.clone(),
    }
}

fn parse_backend(owner: &NamespacedName, backend: &IngressBackend) -> Result<BackendRef, (Reason, String)> {
    if let Some(resource) = &backend.resource {
        let message = format!("a resource as backend ({} {:?}) is not supported", resource.kind, resource.name);
        return Err((Reason::ResourceBackend, message));
    }
    let invalid = |message: &str| (Reason::InvalidBackend, message.to_owned());
    let service = backend.service.as_ref().ok_or_else(|| invalid("names no Service"))?;
    if service.name.is_empty() {
        return Err(invalid("the Service's name is empty"));
    }
    let port = parse_port(service.port.as_ref()).map_err(|message| (Reason::InvalidBackend, message))?;
    let service = NamespacedName { namespace: Arc::clone(&owner.namespace), name: service.name.as_str().into() };
    Ok(BackendRef { service, port })
}

/// Kubernetes wants a name or a number, and not both.
fn parse_port(port: Option<&ServiceBackendPort>) -> Result<PortRef, String> {
    let name = port.and_then(|port| port.name.as_deref()).filter(|name| !name.is_empty());
    let number = port.and_then(|port| port.number).filter(|number| *number != 0);
    match (name, number) {
        (Some(_), Some(_)) => Err("names its port both by name and by number".to_owned()),
        (Some(name), None) => Ok(PortRef::Name(name.into())),
        (None, Some(number)) => match u16::try_from(number) {
            Ok(number) => Ok(PortRef::Number(number)),
            Err(_) => Err(format!("port {number} is not between 1 and 65535")),
        },
        (None, None) => Err("names no port".to_owned()),
    }
}
