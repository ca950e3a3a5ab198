//! What is served now: the live form of a [`snapshot::Snapshot`].

mod apply;
mod client_cert;
mod table;

pub use apply::{Applied, Builder};
pub use client_cert::LiveClientCert;
pub use table::{LiveAction, LiveRoute, LiveTable};

use std::{collections::BTreeMap, sync::Arc};

use ahash::AHashMap;
use http::HeaderValue;
use snapshot::{ConnectionLimits, HttpOptions, Listener, ListenerId, ServicePort, TableId, UpstreamId};

use crate::{
    route::HostTable,
    tls::TlsServer,
    upstream::{LiveEndpoints, LiveUpstream},
};

/// Everything a request is looked up in. Built aside, swapped in as one, and never changed after: a request sees one
/// state of the world from its beginning to its end. Only endpoints change in place (see [`LiveEndpoints`]).
#[derive(Debug, Default)]
pub struct Runtime {
    /// The listeners.
    pub listeners: BTreeMap<ListenerId, Arc<LiveListener>>,
    /// The tables, for carry-over.
    pub tables: AHashMap<TableId, Arc<LiveTable>>,
    /// The upstreams, for carry-over.
    pub upstreams: AHashMap<UpstreamId, Arc<LiveUpstream>>,
    /// The endpoints.
    pub endpoints: AHashMap<ServicePort, Arc<LiveEndpoints>>,
    /// How many client connections there may be.
    pub connections: ConnectionLimits,
}

/// A listener that is served.
#[derive(Debug)]
pub struct LiveListener {
    /// What it was built from.
    pub source: Arc<Listener>,
    /// Which table serves which host.
    pub hosts: HostTable<Arc<LiveTable>>,
    /// How HTTP is spoken.
    pub http: Arc<HttpOptions>,
    /// `Strict-Transport-Security`, where it is sent.
    pub hsts: Option<HeaderValue>,
    /// How TLS is spoken; none: in the clear.
    pub tls: Option<Arc<TlsServer>>,
}
