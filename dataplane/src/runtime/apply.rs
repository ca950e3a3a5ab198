//! A snapshot becomes what is served.

use std::{collections::BTreeMap, sync::Arc};

use ahash::AHashMap;
use http::HeaderValue;
use snapshot::{
    Action, ClientCertRule, EndpointSet, HostHsts, HostPattern, Hsts, Listener, ListenerId, Map, Origin, Rejection,
    Route, RouteTable, Serves, ServicePort, Snapshot, TableId, Target, Upstream, UpstreamId,
};

use super::{LiveAction, LiveClientCert, LiveListener, LiveRoute, LiveTable, Runtime, streams::Surroundings, table};
use crate::{
    filter::Filter,
    observe::Metrics,
    route::PathTable,
    tls::{TlsClient, TlsClients, TlsFactory, TlsSource, ToStaple},
    upstream::{
        LiveEndpoints, LiveForward, LiveUpstream, Place,
        resolve::{ResolveError, Resolver},
    },
};

/// What a snapshot has become.
pub struct Applied {
    /// What is to be served; none: only endpoints changed, and those are in place already.
    pub built: Option<Built>,
    /// What cannot be used.
    pub rejected: Vec<Rejection>,
}

/// What is served where more changed than endpoints.
pub struct Built {
    /// What is to be served.
    pub runtime: Runtime,
    /// The certificates about which CAs are to be asked.
    pub to_staple: Vec<ToStaple>,
}

/// Builds the live form of snapshots, off the request path. Whatever has the same source as before is carried over.
pub struct Builder {
    tls: TlsFactory,
    clients: TlsClients,
    resolver: Resolver,
    pub(super) metrics: Metrics,
    seed: usize,
    /// What could not be used when the runtime was built last: it holds as long as that one is served.
    rejected: Vec<Rejection>,
}

impl Builder {
    /// `seed` is where round robins begin: replicas must not march in step.
    pub fn new(tls: TlsFactory, clients: TlsClients, resolver: Resolver, metrics: Metrics, seed: usize) -> Self {
        Self { tls, clients, resolver, metrics, seed, rejected: Vec::new() }
    }

    /// Builds what `snapshot` says; `old` is what `held`, the snapshot before, has become.
    pub fn apply(&mut self, old: &Runtime, held: Option<&Snapshot>, snapshot: &Snapshot) -> Applied {
        if let Some(applied) = self.apply_endpoints(old, held, snapshot) {
            return applied;
        }
        let (certs_changed, mut rejected) = self.tls.update(snapshot);
        let runtime = self.build(old, snapshot, certs_changed, &mut rejected);
        refresh_endpoints(old, held, snapshot);
        self.rejected.clone_from(&rejected);
        Applied { built: Some(Built { runtime, to_staple: self.tls.to_staple(snapshot) }), rejected }
    }

    /// Puts endpoints in place, if nothing else has changed: that costs what changed, and nothing has to be built.
    pub fn apply_endpoints(&self, old: &Runtime, held: Option<&Snapshot>, snapshot: &Snapshot) -> Option<Applied> {
        if !only_endpoints_differ(held?, snapshot) {
            return None;
        }
        refresh_endpoints(old, held, snapshot);
        Some(Applied { built: None, rejected: self.rejected.clone() })
    }

    fn build(
        &mut self,
        old: &Runtime,
        snapshot: &Snapshot,
        certs_changed: bool,
        rejected: &mut Vec<Rejection>,
    ) -> Runtime {
        self.clients.sweep();
        let mut runtime =
            Runtime { endpoints: endpoints(old, snapshot), connections: snapshot.connections, ..Runtime::default() };
        for (id, upstream) in &snapshot.upstreams {
            let live = self.upstream(old.upstreams.get(id), upstream, &mut runtime.endpoints, rejected);
            runtime.upstreams.insert(id.clone(), live);
        }
        for (id, table) in &snapshot.tables {
            let held = old.tables.get(id);
            let client_cert = table.client_cert.as_ref().map(|rule| self.client_cert(rule, held, rejected));
            let live = self.table((id, table), held, client_cert, &runtime.upstreams);
            runtime.tables.insert(id.clone(), live);
        }
        for (id, listener) in &snapshot.listeners {
            let around = &mut Surroundings { old, new: &mut runtime, rejected: &mut *rejected };
            if let Err(error) = self.serve(id, listener, around, certs_changed) {
                rejected.push(reject_listener(id, &error.to_string()));
            }
        }
        self.tls.sweep(snapshot);
        runtime
    }

    fn upstream(
        &mut self,
        old: Option<&Arc<LiveUpstream>>,
        source: &Arc<Upstream>,
        endpoints: &mut AHashMap<ServicePort, Arc<LiveEndpoints>>,
        rejected: &mut Vec<Rejection>,
    ) -> Arc<LiveUpstream> {
        let before = old.map(|old| (&old.source.target, &old.place));
        let place = self.place(&source.target, before, endpoints).map_err(|error| error.to_string());
        let (tls, place) = match place.and_then(|place| Ok((self.client(source)?, place))) {
            Ok(found) => found,
            Err(reason) => {
                rejected.push(reject_service(&source.namespace, &source.service, &reason));
                (None, Place::Nowhere)
            }
        };
        match old {
            Some(old) if Arc::ptr_eq(&old.source, source) && old.place.is(&place) && same(&old.tls, &tls) => {
                Arc::clone(old)
            }
            _ => Arc::new(LiveUpstream::new(Arc::clone(source), place, tls, self.next_seed())),
        }
    }

    /// How TLS is spoken to an upstream. Where it cannot be, nothing is sent there.
    fn client(&mut self, source: &Upstream) -> Result<Option<Arc<TlsClient>>, String> {
        let Some(tls) = &source.tls else { return Ok(None) };
        let identity = tls.identity.as_ref().and_then(|id| self.tls.certified(id));
        self.clients.find(source.protocol, tls, identity).map(Some)
    }

    /// Where endpoints come from. A name that is followed already goes on being followed.
    pub(super) fn place(
        &self,
        target: &Target,
        old: Option<(&Target, &Place)>,
        endpoints: &mut AHashMap<ServicePort, Arc<LiveEndpoints>>,
    ) -> Result<Place, ResolveError> {
        match target {
            Target::Endpoints(port) => Ok(Place::Service(Arc::clone(endpoints.entry(port.clone()).or_default()))),
            Target::Name { host, port, allow_local } => match old {
                Some((before, place)) if before == target && !place.is(&Place::Nowhere) => Ok(place.clone()),
                _ => Ok(Place::Name(Arc::new(self.resolver.watch(host, *port, *allow_local)?))),
            },
        }
    }

    fn table(
        &self,
        (id, source): (&TableId, &Arc<RouteTable>),
        old: Option<&Arc<LiveTable>>,
        client_cert: Option<Arc<LiveClientCert>>,
        upstreams: &AHashMap<UpstreamId, Arc<LiveUpstream>>,
    ) -> Arc<LiveTable> {
        if let Some(old) = old
            && Arc::ptr_eq(&old.source, source)
            && old.routes.iter().all(|route| is_current(route, upstreams))
            && is_same(old.client_cert.as_ref(), client_cert.as_ref())
        {
            return Arc::clone(old);
        }
        let held: AHashMap<*const Route, &Arc<LiveRoute>> =
            old.into_iter().flat_map(|old| &old.routes).map(|route| (Arc::as_ptr(&route.source), route)).collect();
        let live = |route: &Arc<Route>| match held.get(&Arc::as_ptr(route)) {
            Some(old) if is_current(old, upstreams) => Arc::clone(old),
            _ => Arc::new(self.route(id, route, upstreams)),
        };
        let routes = source.routes.iter().map(live).collect();
        let paths = PathTable::new(&source.routes);
        let hsts = source.hsts.as_ref().map(|own| match own {
            HostHsts::Off => None,
            HostHsts::On(own) => hsts(own),
        });
        Arc::new(LiveTable { source: Arc::clone(source), paths, routes, client_cert, hsts })
    }

    fn client_cert(
        &mut self,
        rule: &Arc<ClientCertRule>,
        old: Option<&Arc<LiveTable>>,
        rejected: &mut Vec<Rejection>,
    ) -> Arc<LiveClientCert> {
        let authority = rule.auth.as_ref().map(|auth| {
            let (authority, rejection) = self.tls.authority(&auth.ca);
            rejected.extend(rejection);
            authority
        });
        let live = match old.and_then(|old| old.client_cert.as_ref()) {
            Some(old) if old.source == *rule && is_same(old.authority.as_ref(), authority.as_ref()) => Arc::clone(old),
            _ => Arc::new(LiveClientCert::new(Arc::clone(rule), authority)),
        };
        // Also of one that stays: a report tells all that cannot be used.
        rejected.extend(live.rejection());
        live
    }

    fn route(
        &self,
        table: &TableId,
        source: &Arc<Route>,
        upstreams: &AHashMap<UpstreamId, Arc<LiveUpstream>>,
    ) -> LiveRoute {
        let upstream = LiveAction::upstream_of(&source.then).and_then(|id| upstreams.get(id));
        let then = match (&source.then, upstream) {
            (Action::Respond { status, .. }, _) => LiveAction::respond(*status),
            (Action::Forward(forward), Some(upstream)) => LiveAction::Forward(LiveForward {
                upstream: Arc::clone(upstream),
                timeouts: forward.timeouts,
                retry: forward.retry,
            }),
            (Action::Forward(forward), None) => {
                tracing::error!(origin = %source.origin, upstream = %forward.upstream, "no such upstream");
                LiveAction::respond(503)
            }
        };
        let metrics = self.metrics.route(&table::labels(table, source, upstream));
        let filters = source.filters.iter().map(Filter::new).collect();
        LiveRoute { source: Arc::clone(source), filters, then, metrics }
    }

    fn serve(
        &mut self,
        id: &ListenerId,
        source: &Arc<Listener>,
        around: &mut Surroundings<'_>,
        certs_changed: bool,
    ) -> Result<(), rustls::Error> {
        let (hosts, http, passthrough) = match &source.serves {
            Serves::Http { hosts, http } => (hosts, http, None),
            Serves::Tls { hosts, http, passthrough, .. } => {
                (hosts, http, self.passthrough(id, hosts.keys(), passthrough.iter(), around))
            }
            Serves::Tcp(service) => {
                let live = self.tcp(id, source, service, around);
                around.new.tcp.insert(id.clone(), live);
                return Ok(());
            }
            Serves::Udp(service) => {
                let live = self.udp(id, service, around);
                around.new.udp.insert(id.clone(), live);
                return Ok(());
            }
        };
        let old = around.old.listeners.get(id);
        let held = old.and_then(|old| Some((TlsSource::of(&old.source.serves)?, old.tls.clone())));
        let tls = match (TlsSource::of(&source.serves), held) {
            (None, _) => None,
            (Some(now), Some((before, tls))) if !certs_changed && now.is_same(&before) => tls,
            (Some(now), _) => Some(Arc::new(self.tls.server(&now)?)),
        };
        let hsts = if tls.is_some() { http.hsts.as_ref().and_then(hsts) } else { None };
        let hosts = live_hosts(hosts, &around.new.tables);
        let (source, http) = (Arc::clone(source), Arc::clone(http));
        let live = LiveListener { source, hosts, http, hsts, tls, passthrough };
        around.new.listeners.insert(id.clone(), Arc::new(live));
        Ok(())
    }

    pub(super) fn next_seed(&mut self) -> usize {
        // Any odd step will do: neighbours must not begin at the same place.
        self.seed = self.seed.wrapping_mul(5).wrapping_add(1);
        self.seed
    }
}

fn same<T>(a: &Option<Arc<T>>, b: &Option<Arc<T>>) -> bool {
    a.as_ref().map(Arc::as_ptr) == b.as_ref().map(Arc::as_ptr)
}

pub(super) fn reject_service(namespace: &str, service: &str, reason: &str) -> Rejection {
    Rejection::new(Arc::new(Origin::new("Service", namespace, service)), reason)
}

fn reject_listener(id: &ListenerId, reason: &str) -> Rejection {
    Rejection::new(Arc::new(Origin::new("Listener", "", id.as_str())), reason)
}

fn is_same<T>(a: Option<&Arc<T>>, b: Option<&Arc<T>>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => Arc::ptr_eq(a, b),
        (None, None) => true,
        _ => false,
    }
}

/// Endpoints of services that are served already are swapped in place, at once.
fn refresh_endpoints(old: &Runtime, held: Option<&Snapshot>, snapshot: &Snapshot) {
    let nothing = Map::default();
    let before = held.map_or(&nothing, |held| &held.endpoints);
    for change in snapshot.endpoints.changes(before) {
        if let (Some(set), Some(live)) = (change.new, old.endpoints.get(change.key)) {
            live.replace(Arc::clone(set));
        }
    }
}

/// Whether everything that is built is the same, but for the contents of endpoint sets.
fn only_endpoints_differ(held: &Snapshot, new: &Snapshot) -> bool {
    let Snapshot {
        id: _,
        listeners,
        tables,
        upstreams,
        endpoints,
        certs,
        keys,
        ticket_key,
        drain_timeout: _, // looked up when it is needed
        connections,
    } = new;
    listeners.is(&held.listeners)
        && tables.is(&held.tables)
        && upstreams.is(&held.upstreams)
        && certs.is(&held.certs)
        && keys.is(&held.keys)
        && *ticket_key == held.ticket_key
        && *connections == held.connections
        && endpoints.changes(&held.endpoints).all(|change| change.old.is_some() && change.new.is_some())
}

fn endpoints(old: &Runtime, snapshot: &Snapshot) -> AHashMap<ServicePort, Arc<LiveEndpoints>> {
    let live = |port: &ServicePort, set: &Arc<EndpointSet>| match old.endpoints.get(port) {
        Some(live) => Arc::clone(live),
        None => Arc::new(LiveEndpoints::new(Arc::clone(set))),
    };
    snapshot.endpoints.iter().map(|(port, set)| (port.clone(), live(port, set))).collect()
}

/// Whether a route's upstream is the one that its id now stands for.
fn is_current(route: &LiveRoute, upstreams: &AHashMap<UpstreamId, Arc<LiveUpstream>>) -> bool {
    let now = LiveAction::upstream_of(&route.source.then).and_then(|id| upstreams.get(id));
    match (&route.then, now) {
        (LiveAction::Forward(forward), Some(now)) => Arc::ptr_eq(&forward.upstream, now),
        (LiveAction::Forward(_), None) | (LiveAction::Respond(_), Some(_)) => false,
        (LiveAction::Respond(_), None) => true,
    }
}

fn live_hosts(
    source: &BTreeMap<HostPattern, TableId>,
    tables: &AHashMap<TableId, Arc<LiveTable>>,
) -> crate::route::HostTable<Arc<LiveTable>> {
    let table = |(host, id): (&HostPattern, &TableId)| {
        let table = tables.get(id);
        if table.is_none() {
            tracing::error!(%host, table = %id, "no such table");
        }
        Some((host.clone(), Arc::clone(table?)))
    };
    source.iter().filter_map(table).collect()
}

fn hsts(hsts: &Hsts) -> Option<HeaderValue> {
    let mut value = format!("max-age={}", hsts.max_age);
    if hsts.include_subdomains {
        value.push_str("; includeSubDomains");
    }
    if hsts.preload {
        value.push_str("; preload");
    }
    HeaderValue::try_from(value).ok()
}
