//! What an object asks for, checked by itself: before Services, Secrets and other objects are looked at.

mod patterns;
mod stated;
mod upstream;

use std::{cmp::Reverse, fmt, sync::Arc};

use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Time, jiff::Timestamp};
use snapshot::{HostPattern, Origin};

use crate::{NamespacedName, Problem, policy::Policy};

pub(crate) use patterns::Patterns;
pub(crate) use stated::{AuthTls, ClientCertAsk, Redirect, Stated};
pub(crate) use upstream::{BackendProtocol, UpstreamDraft, UpstreamTlsDraft};

/// All that one object asks for.
#[derive(Debug)]
pub(crate) struct Draft {
    pub name: NamespacedName,
    pub origin: Arc<Origin>,
    pub seniority: Seniority,
    /// In the order of the object; a host may come twice.
    pub hosts: Vec<HostDraft>,
    pub tls: Vec<TlsDraft>,
    /// What its routes are made with where it says nothing: the settings of its class.
    pub policy: Arc<Policy>,
    /// Whether connections to its hosts are handed on with TLS as it is.
    pub passthrough: bool,
    /// Why its routes must answer 503, as far as it says so itself.
    pub denied: Option<Arc<str>>,
    /// Why every route of its hosts must answer 503, those of other objects too.
    pub host_denied: Option<Arc<str>>,
    pub patterns: Patterns,
    pub stated: Stated,
    pub problems: Vec<Problem>,
}

impl Draft {
    /// Why its routes must answer 503, whether it says so or its class.
    pub fn why_denied(&self) -> Option<&Arc<str>> {
        self.denied.as_ref().or(self.policy.denied.as_ref())
    }

    /// Who restricts access to its routes, where they are denied.
    pub fn restricted_by(&self) -> String {
        if self.denied.is_some() { self.origin.to_string() } else { format!("the class of {}", self.origin) }
    }

    /// Whether its annotations may name a Secret. One that they may not is never asked for.
    pub fn may_name(&self, secret: &NamespacedName) -> bool {
        secret.namespace == self.name.namespace || self.policy.allow_cross_namespace_resources
    }
}

/// What an object asks for on one host. Without routes it still claims the host: no less specific host serves it.
#[derive(Debug)]
pub(crate) struct HostDraft {
    pub host: HostPattern,
    pub routes: Vec<RouteDraft>,
    /// Whether there are paths that no request can match as they are written: they have no route.
    pub has_unread: bool,
}

/// One path and its backend.
#[derive(Debug)]
pub(crate) struct RouteDraft {
    pub place: Place,
    pub class: PathClass,
    /// The path to match, without a trailing slash unless the class is `Exact`.
    pub path: Arc<str>,
    /// The path as written.
    pub label: Arc<str>,
    /// The backend, or why there is none: such a route answers 503.
    pub backend: Result<BackendRef, Arc<str>>,
}

/// Where in its object a route stands; `Display` is the field. Kept as numbers, because it is only spelled out when
/// something is wrong there.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Place {
    Path { rule: usize, path: usize },
    DefaultBackend,
}

impl Place {
    /// The field of the route's backend.
    pub fn backend(self) -> String {
        match self {
            Self::Path { .. } => format!("{self}.backend"),
            Self::DefaultBackend => self.to_string(),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path { rule, path } => write!(f, "spec.rules[{rule}].http.paths[{path}]"),
            Self::DefaultBackend => f.write_str("spec.defaultBackend"),
        }
    }
}

/// The kinds of paths, in the order in which they match among paths of equal length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum PathClass {
    Exact,
    Prefix,
    ImplementationSpecific,
    /// No path: what nothing else of the host serves.
    Default,
}

/// A port of a Service as a backend names it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct BackendRef {
    pub service: NamespacedName,
    pub port: PortRef,
}

/// How a backend names the port.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum PortRef {
    Number(u16),
    Name(Arc<str>),
    /// The first one (the default backend of the whole controller).
    First,
}

impl fmt::Display for PortRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Name(name) => write!(f, "{name:?}"),
            Self::First => f.write_str("at all"),
        }
    }
}

/// One entry of `spec.tls`.
#[derive(Debug)]
pub(crate) struct TlsDraft {
    /// Where in the object, such as `spec.tls[0]`.
    pub field: String,
    pub hosts: TlsHosts,
    /// None: the default certificate.
    pub secret: Option<NamespacedName>,
}

/// Which hosts an entry of `spec.tls` is for.
#[derive(Debug)]
pub(crate) enum TlsHosts {
    Listed(Vec<HostPattern>),
    /// None is listed: all hosts of the object's rules.
    All,
}

/// Who comes first where two objects want the same, as ingress-nginx has it: the older one, in a tie the greater
/// `namespace/name`. An object without a time of creation is the newest: the API server has not taken it up yet, and a
/// candidate that is only being checked must take nothing from those that are served. Among manifests of a folder,
/// which have none, the name decides.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Seniority {
    unborn: bool,
    created: Option<Timestamp>,
    name: Reverse<String>,
}

impl Seniority {
    pub fn new(created: Option<&Time>, name: &NamespacedName) -> Self {
        let created = created.map(|time| time.0);
        Self { unborn: created.is_none(), created, name: Reverse(name.to_string()) }
    }
}
