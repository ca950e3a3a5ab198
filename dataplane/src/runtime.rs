//! What is served now: the live form of a [`snapshot::Snapshot`].

mod apply;
mod client_cert;
mod streams;
mod table;

pub use apply::{Applied, Builder, Built};
pub use client_cert::LiveClientCert;
pub use streams::{PassthroughTable, TcpListener, UdpListener};
pub use table::{LiveAction, LiveRoute, LiveTable};

use std::{collections::BTreeMap, sync::Arc};

use ahash::AHashMap;
use http::HeaderValue;
use snapshot::{ConnectionLimits, HttpOptions, Listener, ListenerId, Serves, ServicePort, TableId, UpstreamId};

use crate::{
    route::HostTable,
    tls::TlsServer,
    upstream::{LiveEndpoints, LiveUpstream, Place},
};

/// Everything a request is looked up in. Built aside, swapped in as one, and never changed after: a request sees one
/// state of the world from its beginning to its end. Only endpoints change in place (see [`LiveEndpoints`]).
#[derive(Debug, Default)]
pub struct Runtime {
    /// The listeners of HTTP.
    pub listeners: BTreeMap<ListenerId, Arc<LiveListener>>,
    /// The ports of TCP services.
    pub tcp: BTreeMap<ListenerId, Arc<TcpListener>>,
    /// The ports of UDP services.
    pub udp: BTreeMap<ListenerId, Arc<UdpListener>>,
    /// The tables, for carry-over.
    pub tables: AHashMap<TableId, Arc<LiveTable>>,
    /// The upstreams, for carry-over.
    pub upstreams: AHashMap<UpstreamId, Arc<LiveUpstream>>,
    /// The endpoints.
    pub endpoints: AHashMap<ServicePort, Arc<LiveEndpoints>>,
    /// How many client connections there may be.
    pub connections: ConnectionLimits,
}

impl Runtime {
    /// Where the endpoints of everything come from.
    pub fn places(&self) -> impl Iterator<Item = &Place> {
        let passthrough = self.listeners.values().filter_map(|listener| listener.passthrough.as_ref());
        let passthrough = passthrough.flat_map(HostTable::values).flatten().map(|service| &service.backend.place);
        let upstreams = self.upstreams.values().map(|upstream| &upstream.place);
        let tcp = self.tcp.values().map(|listener| &listener.service.backend.place);
        let udp = self.udp.values().map(|service| &service.backend.place);
        upstreams.chain(tcp).chain(udp).chain(passthrough)
    }
}

/// A listener of HTTP that is served.
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
    /// Whose TLS is handed on; none: nobody's.
    pub passthrough: Option<PassthroughTable>,
}

impl LiveListener {
    /// For connections whose listener is not served any more: there is no host.
    pub fn closed(http: Arc<HttpOptions>) -> Self {
        let serves = Serves::Http { hosts: BTreeMap::new(), http: Arc::clone(&http) };
        let source = Arc::new(Listener { binds: Vec::new(), proxy_protocol: None, serves });
        let hosts = std::iter::empty().collect();
        Self { source, hosts, http, hsts: None, tls: None, passthrough: None }
    }
}
