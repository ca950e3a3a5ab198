//! `ssl-passthrough`: hosts whose connections are handed on with TLS as it is, by their server name.
//!
//! As in ingress-nginx, the path `/` of such a host names its backend over TLS, and http is served as of any other
//! Ingress.

use std::{collections::BTreeMap, sync::Arc};

use snapshot::{HostPattern, ServicePort, TcpService};

use crate::{
    EndpointSource, Objects, Options, Problem, Reason, Transport,
    draft::{BackendRef, Draft, PathClass, RouteDraft},
    l4,
    notes::Notes,
    service::{self, Stream},
    settings::Settings,
};

/// The hosts that are handed on.
#[derive(Default)]
pub(crate) struct Passthrough {
    pub hosts: BTreeMap<HostPattern, Arc<TcpService>>,
    pub endpoint_sources: BTreeMap<ServicePort, EndpointSource>,
    pub problems: Vec<Problem>,
}

/// Of each host the most senior draft (they come first) decides whether it is handed on; the others get a problem.
pub(crate) fn resolve(objects: &Objects, options: &Options, settings: &Settings, drafts: &[Arc<Draft>]) -> Passthrough {
    let mut resolver = Resolver { objects, options, settings, found: Passthrough::default() };
    if drafts.iter().any(|draft| draft.passthrough) {
        let owners = owners(drafts);
        drafts.iter().for_each(|draft| resolver.draft(draft, &owners));
    }
    resolver.found
}

/// Whose each host is.
fn owners(drafts: &[Arc<Draft>]) -> BTreeMap<&HostPattern, &Draft> {
    let mut owners = BTreeMap::new();
    for draft in drafts {
        for host in &draft.hosts {
            owners.entry(&host.host).or_insert(&**draft);
        }
    }
    owners
}

struct Resolver<'a> {
    objects: &'a Objects,
    options: &'a Options,
    settings: &'a Settings,
    found: Passthrough,
}

impl Resolver<'_> {
    fn draft(&mut self, draft: &Draft, owners: &BTreeMap<&HostPattern, &Draft>) {
        let mut notes = Notes::new(&draft.origin);
        for (host, routes) in routes_by_host(draft) {
            let owner = owners.get(host).copied().unwrap_or(draft);
            if owner.name != draft.name {
                conflict(draft, owner, host, &mut notes);
            } else if draft.passthrough {
                self.host(draft, host, &routes, &mut notes);
            }
        }
        self.found.problems.extend(notes.into_problems());
    }

    fn host(&mut self, draft: &Draft, host: &HostPattern, routes: &[&RouteDraft], notes: &mut Notes) {
        if *host == HostPattern::Any {
            let message = "TLS is handed on by the name of a host, and a rule names none: its TLS ends here";
            return notes.error("spec.rules", Reason::PassthroughWithoutHost, message);
        }
        let Some(route) = root(host, routes, notes) else {
            let message = format!("no rule of host {host} has the path /, by which TLS is handed on: it ends here");
            return notes.error("spec.rules", Reason::PassthroughWithoutRoot, message);
        };
        // A backend that cannot be read is a problem of its route already.
        let Ok(backend) = &route.backend else { return };
        if let Err(missing) = self.serve(draft, host, backend) {
            let message = format!("{}; TLS of host {host} ends here meanwhile", missing.message);
            notes.error(&format!("{}.service", route.place.backend()), missing.reason, message);
        }
    }

    fn serve(&mut self, draft: &Draft, host: &HostPattern, backend: &BackendRef) -> Result<(), service::Missing> {
        // The remark about its port is one of the route already.
        let Stream { backend, endpoints, remark: _ } =
            service::stream(self.objects, self.options, backend, Transport::Tcp)?;
        let service = l4::tcp(Arc::clone(&draft.origin), backend, self.settings, false);
        self.found.hosts.insert(host.clone(), Arc::new(service));
        self.found.endpoint_sources.extend(endpoints);
        Ok(())
    }
}

/// A host may come twice in an object.
fn routes_by_host(draft: &Draft) -> BTreeMap<&HostPattern, Vec<&RouteDraft>> {
    let mut by_host: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for host in &draft.hosts {
        by_host.entry(&host.host).or_default().extend(&host.routes);
    }
    by_host
}

/// The route of the path `/`. The other ones do not count over TLS.
fn root<'a>(host: &HostPattern, routes: &[&'a RouteDraft], notes: &mut Notes) -> Option<&'a RouteDraft> {
    let is_root = |route: &RouteDraft| match route.class {
        PathClass::Exact => &*route.path == "/",
        PathClass::Prefix | PathClass::ImplementationSpecific | PathClass::Default => route.path.is_empty(),
    };
    for route in routes.iter().filter(|route| !is_root(route)) {
        let message = format!("over TLS the path {} does not count: host {host} is handed on", route.label);
        notes.warning(&route.place.to_string(), Reason::PathNotPassed, message);
    }
    routes.iter().copied().filter(|route| is_root(route)).min_by_key(|route| route.class)
}

/// Two drafts of one host of which one at least wants it to be handed on.
fn conflict(draft: &Draft, owner: &Draft, host: &HostPattern, notes: &mut Notes) {
    let first = format!("host {host} is that of {} too, which comes first", owner.origin);
    let message = match (owner.passthrough, draft.passthrough) {
        (false, false) => return,
        (false, true) => format!("{first} and ends TLS here: nothing is handed on"),
        (true, true) => format!("{first} and is handed on to its backend"),
        (true, false) => format!("{first} and is handed on: over TLS no path of this Ingress is reached"),
    };
    notes.error("spec.rules", Reason::PassthroughConflict, message);
}
