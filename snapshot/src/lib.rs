//! The contract between the planes: everything the data plane must do, as one immutable value.
//!
//! The controller compiles Kubernetes objects into a [`Snapshot`]; the data plane follows it. Nothing here does I/O,
//! knows Kubernetes or knows sockets. Pieces are shared by `Arc`: what did not change between two snapshots is the
//! same pointer in both (see [`Snapshot::share`]), so "what changed?" is `Arc::ptr_eq` for everyone downstream, and so
//! are the parts of its [`Map`]s: a copy with one piece changed costs that piece.

mod cert;
mod client_cert;
mod endpoint;
mod filter;
pub mod frame;
mod host;
mod id;
mod listener;
mod map;
mod origin;
mod report;
mod route;
mod share;
mod stream;
mod tls;
mod upstream;
mod upstream_tls;

use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use cert::{Cert, CertInfo, KeyFormat, PrivateKey};
pub use client_cert::{CaBundle, ClientAuth, ClientCertRule, VerifyClient};
pub use endpoint::{Endpoint, EndpointSet};
pub use filter::{Deny, Filter, HttpsRedirect, Stage};
pub use host::{HostPattern, InvalidHost};
pub use id::{CertId, ListenerId, ServicePort, SnapshotId, TableId, UpstreamId};
pub use listener::{ConnectionLimits, HeadLimits, HostHsts, Hsts, Http2, HttpOptions, KeepAlive, Listener, Serves};
pub use map::{Change, Changes, Iter, Map};
pub use origin::Origin;
pub use report::{Rejection, Report};
pub use route::{Action, Forward, PathMatch, Retry, Route, RouteTable, Timeouts};
pub use stream::{ProxyProtocol, StreamBackend, TcpService, UdpService};
pub use tls::{Ciphers, HostTls, Resumption, Stapling, TicketKey, Tls12Suite, TlsOptions, TlsVersions};
pub use upstream::{Protocol, Target, Upstream, UpstreamKeepAlive};
pub use upstream_tls::{TlsWhen, TrustAnchors, UpstreamTls, Verification};

/// What the data plane serves, complete: what is not in it is not served.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Which compile this is.
    pub id: SnapshotId,
    /// The sockets and how each is served.
    pub listeners: Map<ListenerId, Listener>,
    /// The routes, one table for each host.
    pub tables: Map<TableId, RouteTable>,
    /// How each backend is spoken to.
    pub upstreams: Map<UpstreamId, Upstream>,
    /// Where each backend's pods are now.
    pub endpoints: Map<ServicePort, EndpointSet>,
    /// The public part of each certificate.
    pub certs: Map<CertId, Cert>,
    /// The private keys. Never serialized: they get into no dump, log or golden file.
    #[serde(skip)]
    pub keys: Map<CertId, PrivateKey>,
    /// What the keys of session tickets come from; none: each process makes its own. Never serialized.
    #[serde(skip)]
    pub ticket_key: Option<TicketKey>,
    /// How long requests in flight may go on after a stop was asked for (`worker-shutdown-timeout`).
    pub drain_timeout: Duration,
    /// How many client connections there may be.
    pub connections: ConnectionLimits,
}
