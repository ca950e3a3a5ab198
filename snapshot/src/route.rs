//! Which requests go where.

use std::{num::NonZeroU64, sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{ClientCertRule, Filter, HostHsts, Origin, UpstreamId};

/// The routes of one host, in precedence order: the first that matches serves.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct RouteTable {
    /// Exact paths first, then prefixes, longest first; the host's default backend last.
    pub routes: Vec<Arc<Route>>,
    /// What the host wants of clients' certificates, before any route; none: nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_cert: Option<Arc<ClientCertRule>>,
    /// `Strict-Transport-Security` of its answers over TLS; none: as the listener has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hsts: Option<HostHsts>,
}

/// What happens to the requests of one path.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Route {
    /// The object that asked for it.
    pub origin: Arc<Origin>,
    /// Which paths.
    pub path: PathMatch,
    /// The path as its object has it: the `path` label of metrics.
    pub label: Arc<str>,
    /// The largest request body, in bytes (`proxy-body-size`): 413 above it; none: any size.
    pub max_body: Option<NonZeroU64>,
    /// What happens before and around the action, in the order of [`crate::Stage`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub filters: Vec<Filter>,
    /// The action.
    pub then: Action,
}

/// A match on the normalised path, case-sensitive (Kubernetes `pathType`).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum PathMatch {
    /// The path is this, to the last byte.
    Exact(Arc<str>),
    /// The path begins with these elements. Kept without a trailing slash; empty matches every path.
    Prefix(Arc<str>),
}

/// What answers a request that a route matched.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Action {
    /// A backend does.
    Forward(Forward),
    /// We do, with a short text.
    Respond {
        /// The status code.
        status: u16,
        /// Why, for the log and the dump; not for the client.
        reason: Arc<str>,
    },
}

/// How a request goes to its backend.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Forward {
    /// The backend.
    pub upstream: UpstreamId,
    /// How long each step may take.
    pub timeouts: Timeouts,
    /// When another endpoint is tried.
    pub retry: Retry,
}

/// Time limits of one try at an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timeouts {
    /// To connect, TLS included (`proxy-connect-timeout`).
    pub connect: Duration,
    /// Between two reads of the answer, not for all of it (`proxy-read-timeout`).
    pub read: Duration,
    /// Between two writes of the request (`proxy-send-timeout`).
    pub send: Duration,
}

/// When another endpoint is tried (`proxy-next-upstream*`; defaults `error timeout`, 3 tries).
/// A request that may have been acted on and is not idempotent (RFC 9110 section 9.2.2) is never sent twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retry {
    /// Tries in all; 0: as many as there are endpoints.
    pub tries: u32,
    /// No further try after this long; zero: no limit.
    pub timeout: Duration,
}
