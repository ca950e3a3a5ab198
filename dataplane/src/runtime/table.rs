//! Routes that are served.

use std::sync::Arc;

use http::{HeaderValue, StatusCode};
use snapshot::{Action, Route, RouteTable, TableId};

use super::LiveClientCert;
use crate::{
    filter::Filter,
    observe::{RouteLabels, RouteMetrics},
    route::PathTable,
    upstream::{LiveForward, LiveUpstream},
};

/// The routes of one host.
#[derive(Debug)]
pub struct LiveTable {
    /// What it was built from.
    pub source: Arc<RouteTable>,
    /// Finds the first route of a path.
    pub paths: PathTable,
    /// The routes, in precedence order.
    pub routes: Vec<Arc<LiveRoute>>,
    /// What the host wants of clients' certificates.
    pub client_cert: Option<Arc<LiveClientCert>>,
    /// What its answers over TLS say in place of the listener's `Strict-Transport-Security`.
    pub hsts: Option<OwnHsts>,
}

/// What a host says in place of its listener; none: nothing.
pub type OwnHsts = Option<HeaderValue>;

impl LiveTable {
    /// The route that serves a normalised path.
    pub fn find(&self, path: &str) -> Option<&Arc<LiveRoute>> {
        self.routes.get(self.paths.find(path)?)
    }
}

/// One route.
#[derive(Debug)]
pub struct LiveRoute {
    /// What it was built from.
    pub source: Arc<Route>,
    /// What happens before the action.
    pub filters: Vec<Filter>,
    /// What answers.
    pub then: LiveAction,
    /// Its counters, with the labels already looked up.
    pub metrics: Arc<RouteMetrics>,
}

/// What answers the requests of a route.
#[derive(Debug)]
pub enum LiveAction {
    /// A backend.
    Forward(LiveForward),
    /// We do.
    Respond(StatusCode),
}

impl LiveAction {
    /// A status that is none becomes 503.
    pub fn respond(status: u16) -> Self {
        Self::Respond(StatusCode::from_u16(status).unwrap_or(StatusCode::SERVICE_UNAVAILABLE))
    }

    /// The upstream's id, where there is one.
    pub fn upstream_of(action: &Action) -> Option<&snapshot::UpstreamId> {
        match action {
            Action::Forward(forward) => Some(&forward.upstream),
            Action::Respond { .. } => None,
        }
    }
}

/// The labels of a route's metrics.
pub(super) fn labels(table: &TableId, source: &Route, upstream: Option<&Arc<LiveUpstream>>) -> RouteLabels {
    RouteLabels {
        host: if table.as_str() == "*" { "" } else { table.as_str() }.into(),
        path: Arc::clone(&source.label),
        namespace: Arc::clone(&source.origin.namespace),
        ingress: Arc::clone(&source.origin.name),
        service: upstream.map(|upstream| Arc::clone(&upstream.source.service)).unwrap_or_default(),
    }
}
