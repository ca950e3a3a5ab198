//! Drafts → route tables: merged by host, in precedence order, one winner for each path.

mod client_cert;
mod closed;
mod host;
mod precedence;
mod share;
mod tls;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use snapshot::{
    Action, Cert, CertId, Deny, Filter, Forward, HostPattern, HostTls, Origin, PathMatch, PrivateKey, Route,
    RouteTable, TableId,
};

use crate::{
    NamespacedName, Problem,
    cert::Certs,
    client_ca::ClientCas,
    draft::{Draft, PathClass, Redirect},
    policy::Policy,
    service::{Backends, Resolved},
};
use precedence::Claim;

/// What routes are made of, besides drafts.
pub(crate) struct Parts<'a> {
    pub backends: &'a Backends,
    pub certs: &'a Certs,
    pub client_cas: &'a ClientCas,
    /// `--annotations-prefix`.
    pub annotations_prefix: &'a str,
    /// Of the ConfigMap: where it is of no class.
    pub policy: &'a Policy,
}

/// The routes and certificates of all hosts.
pub(crate) struct Assembled {
    pub names: Names,
    pub tables: BTreeMap<TableId, Arc<RouteTable>>,
    pub certs: BTreeMap<CertId, Arc<Cert>>,
    pub keys: BTreeMap<CertId, Arc<PrivateKey>>,
    pub problems: Vec<Problem>,
}

/// What each name is served with.
pub(crate) struct Names {
    /// Routes, by the host of a request.
    pub hosts: BTreeMap<HostPattern, TableId>,
    /// Certificates, by the server name of a handshake.
    pub sni: BTreeMap<HostPattern, CertId>,
    /// The certificate for all other server names.
    pub default_cert: Option<CertId>,
    /// How TLS is spoken where a host wants it otherwise than the settings.
    pub by_host: BTreeMap<HostPattern, Arc<HostTls>>,
}

/// Merges drafts, the most senior first.
pub(crate) fn assemble(drafts: &[Arc<Draft>], parts: &Parts<'_>) -> Assembled {
    let mut claims = by_host(drafts, parts.backends);
    if parts.backends.default.is_some() {
        claims.entry(&HostPattern::Any).or_default();
    }
    let tls = tls::assign(drafts, parts.certs, &claims.keys().copied().collect());
    let mut problems = tls.problems;
    let hosts: BTreeMap<HostPattern, TableId> =
        claims.keys().map(|host| ((*host).clone(), TableId::from(host.to_string()))).collect();
    let mut by_host = BTreeMap::new();
    let tables = claims.into_iter().zip(hosts.values()).map(|((host, claims), id)| {
        let assembler = HostAssembler { parts, host, covered: tls.covered.contains(host) };
        let (table, own_tls) = assembler.assemble(claims, &mut problems);
        by_host.extend(own_tls.map(|tls| (host.clone(), tls)));
        (id.clone(), Arc::new(table))
    });
    let tables = tables.collect();
    let (certs, keys) = used_certs(&tls.sni, tls.default_cert.as_ref(), parts.certs);
    let names = Names { hosts, sni: tls.sni, default_cert: tls.default_cert, by_host };
    Assembled { names, tables, certs, keys, problems }
}

/// What drafts ask for on one host.
#[derive(Default)]
struct Claims<'a> {
    /// Who asks for something, the most senior first.
    drafts: Vec<&'a Draft>,
    /// The most senior draft's first.
    routes: Vec<Claim<'a>>,
    /// Who makes patterns of all paths.
    patterns: Option<&'a Draft>,
}

fn by_host<'a>(drafts: &'a [Arc<Draft>], backends: &'a Backends) -> BTreeMap<&'a HostPattern, Claims<'a>> {
    let mut hosts: BTreeMap<&HostPattern, Claims<'_>> = BTreeMap::new();
    for (draft, backends) in drafts.iter().zip(&backends.of_drafts) {
        let mut backends = backends.iter();
        for host in &draft.hosts {
            let claims = hosts.entry(&host.host).or_default();
            if claims.drafts.last().is_none_or(|last| last.name != draft.name) {
                claims.drafts.push(draft);
            }
            if claims.patterns.is_none() && draft.patterns.apply_to(host) {
                claims.patterns = Some(draft);
            }
            // The routes come first: `zip` then takes no backend of the next host when they end.
            let routes = host.routes.iter().zip(backends.by_ref());
            claims.routes.extend(routes.map(|(route, backend)| Claim { draft, route, backend }));
        }
    }
    hosts
}

/// Puts together what is served on one host.
struct HostAssembler<'a> {
    parts: &'a Parts<'a>,
    host: &'a HostPattern,
    /// Whether `spec.tls` of an Ingress covers the host.
    covered: bool,
}

impl HostAssembler<'_> {
    fn assemble(&self, claims: Claims<'_>, problems: &mut Vec<Problem>) -> (RouteTable, Option<Arc<HostTls>>) {
        let Self { parts, host, covered } = *self;
        let prefix = parts.annotations_prefix;
        let ciphers = host::ciphers(host, &claims.drafts, &parts.policy.ciphers, prefix, problems);
        let hsts = host::hsts(host, &claims.drafts, parts.policy.hsts, problems);
        let certs = client_cert::of_host(host, &claims.drafts, parts.client_cas, prefix, problems);
        let closed = closed::of_host(host, &claims, parts.policy, problems);
        let denied = certs.denied.or_else(|| closed.as_ref().map(unserved));
        let mut builder = Builder { parts, covered, denied, refused: &certs.refused };
        let denial = |draft: &Draft| builder.denied(draft).map(|deny| deny.reason);
        let share = share::bounded(host, &claims.drafts, claims.routes, denial, problems);
        let (winners, lost) = precedence::settle(host, share.claims);
        problems.extend(lost);
        if builder.denied.is_none() {
            problems.extend(share.told);
            builder.denied = share.closed.as_ref().map(unserved);
        }
        let table = RouteTable { routes: builder.routes(&winners), client_cert: certs.rule, hsts };
        if let Some(rule) = &table.client_cert {
            client_cert::note_clear(host, rule, answers_in_the_clear(&table, &rule.origin), prefix, problems);
        }
        let auth = table.client_cert.as_ref().and_then(|rule| rule.auth.clone());
        let own_tls = host::host_tls(ciphers, auth);
        (table, own_tls)
    }
}

/// Whether a route of an object neither redirects to https nor refuses.
fn answers_in_the_clear(table: &RouteTable, origin: &Origin) -> bool {
    let stops = |filter: &Filter| matches!(filter, Filter::Deny(_) | Filter::HttpsRedirect(_));
    table.routes.iter().any(|route| *route.origin == *origin && !route.filters.iter().any(stops))
}

/// A setting about access that is not served, or not understood.
fn unserved(reason: &Arc<str>) -> Deny {
    Deny { status: 503, reason: Arc::clone(reason) }
}

/// Builds the table of one host.
struct Builder<'a> {
    parts: &'a Parts<'a>,
    /// Whether `spec.tls` of an Ingress covers the host.
    covered: bool,
    /// Why nothing of the host may be served.
    denied: Option<Deny>,
    /// Why nothing of an object may be.
    refused: &'a BTreeMap<&'a NamespacedName, Deny>,
}

impl Builder<'_> {
    fn routes(&self, winners: &[Claim<'_>]) -> Vec<Arc<Route>> {
        let mut routes: Vec<Arc<Route>> = winners.iter().map(|claim| Arc::new(self.route(claim))).collect();
        let all_is_served = winners.last().is_some_and(|claim| claim.path().is_everything());
        if !all_is_served && let Some((service, backend)) = &self.parts.backends.default {
            routes.push(Arc::new(self.default_route(service, backend)));
        }
        routes
    }

    fn route(&self, claim: &Claim<'_>) -> Route {
        let Claim { draft, route, backend } = claim;
        let path = match route.class {
            PathClass::Exact => PathMatch::Exact(Arc::clone(&route.path)),
            _ => PathMatch::Prefix(Arc::clone(&route.path)),
        };
        Route {
            origin: Arc::clone(&draft.origin),
            path,
            label: Arc::clone(&route.label),
            max_body: draft.policy.max_body,
            filters: self.filters(&route.label, self.denied(draft), draft.stated.redirect, &draft.policy),
            then: action(backend, &draft.policy),
        }
    }

    /// What serves the requests that no Ingress serves.
    fn default_route(&self, service: &NamespacedName, backend: &Resolved) -> Route {
        Route {
            origin: Arc::new(Origin::new("Service", &service.namespace, &service.name)),
            path: PathMatch::Prefix("".into()),
            label: "/".into(),
            max_body: self.parts.policy.max_body,
            filters: self.filters("/", self.denied.clone(), Redirect::default(), self.parts.policy),
            then: action(backend, self.parts.policy),
        }
    }

    fn denied(&self, draft: &Draft) -> Option<Deny> {
        let own = || draft.why_denied().map(unserved);
        self.refused.get(&draft.name).cloned().or_else(own).or_else(|| self.denied.clone())
    }

    /// In the order of their stages.
    fn filters(&self, label: &str, denied: Option<Deny>, redirect: Redirect, policy: &Policy) -> Vec<Filter> {
        let mut filters: Vec<Filter> = denied.map(Filter::Deny).into_iter().collect();
        let redirect = policy.redirect.of(label, self.covered, redirect);
        filters.extend(redirect.map(Filter::HttpsRedirect));
        filters.sort_by_key(Filter::stage);
        filters
    }
}

fn action(backend: &Resolved, policy: &Policy) -> Action {
    let Policy { timeouts, retry, .. } = *policy;
    match backend {
        Ok(upstream) => Action::Forward(Forward { upstream: upstream.clone(), timeouts, retry }),
        Err(reason) => Action::Respond { status: 503, reason: Arc::clone(reason) },
    }
}

type CertMaps = (BTreeMap<CertId, Arc<Cert>>, BTreeMap<CertId, Arc<PrivateKey>>);

/// Only what is served: the data plane gets no other key.
fn used_certs(sni: &BTreeMap<HostPattern, CertId>, default: Option<&CertId>, certs: &Certs) -> CertMaps {
    let used: BTreeSet<&CertId> = sni.values().chain(default).collect();
    let mut maps = CertMaps::default();
    for pair in certs.usable().filter(|pair| used.contains(&pair.id)) {
        maps.0.insert(pair.id.clone(), Arc::clone(&pair.cert));
        maps.1.insert(pair.id.clone(), Arc::clone(&pair.key.0));
    }
    maps
}
