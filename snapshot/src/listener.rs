//! The sockets and how each is served.

use std::{collections::BTreeMap, net::SocketAddr, num::NonZeroU32, sync::Arc, time::Duration};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::{CertId, HostPattern, HostTls, Origin, ProxyProtocol, TableId, TcpService, TlsOptions, UdpService};

/// One service on one or more addresses.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Listener {
    /// Where to listen.
    pub binds: Vec<SocketAddr>,
    /// How clients' addresses are told to us; none: a client is whoever connects. Not for UDP.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub proxy_protocol: Option<ProxyProtocol>,
    /// What is served there.
    pub serves: Serves,
}

/// What a listener serves.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Serves {
    /// HTTP in the clear.
    Http {
        /// Which route table serves which hosts.
        hosts: BTreeMap<HostPattern, TableId>,
        /// How HTTP is spoken.
        http: Arc<HttpOptions>,
    },
    /// HTTP over TLS that ends here, but for the names that are handed on.
    Tls {
        /// Which certificate answers which server name (SNI, RFC 6066 section 3).
        sni: BTreeMap<HostPattern, CertId>,
        /// For every other name and for clients that send none; the data plane's self-signed one where this is none.
        default_cert: Option<CertId>,
        /// Which route table serves which hosts.
        hosts: BTreeMap<HostPattern, TableId>,
        /// How HTTP is spoken.
        http: Arc<HttpOptions>,
        /// How TLS is spoken.
        tls: Arc<TlsOptions>,
        /// How it is spoken instead where a client names one of these hosts. A host is the one that serves the name: an
        /// exact one before the wildcard above it.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        by_host: BTreeMap<HostPattern, Arc<HostTls>>,
        /// Whose connections are handed on with TLS as it is, by the server name of the ClientHello
        /// (`ssl-passthrough`). A name that `hosts` has more exactly ends here all the same.
        #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
        passthrough: BTreeMap<HostPattern, Arc<TcpService>>,
    },
    /// TCP, whatever is spoken over it.
    Tcp(Arc<TcpService>),
    /// UDP.
    Udp(Arc<UdpService>),
}

impl Serves {
    /// Which route table serves which hosts; none where it is not HTTP.
    pub fn hosts(&self) -> Option<&BTreeMap<HostPattern, TableId>> {
        match self {
            Self::Http { hosts, .. } | Self::Tls { hosts, .. } => Some(hosts),
            Self::Tcp(_) | Self::Udp(_) => None,
        }
    }

    /// How HTTP is spoken; none where it is not.
    pub fn http(&self) -> Option<&Arc<HttpOptions>> {
        match self {
            Self::Http { http, .. } | Self::Tls { http, .. } => Some(http),
            Self::Tcp(_) | Self::Udp(_) => None,
        }
    }

    /// The object that asked for a port of its own; none where it serves Ingresses.
    pub fn origin(&self) -> Option<&Arc<Origin>> {
        match self {
            Self::Http { .. } | Self::Tls { .. } => None,
            Self::Tcp(service) => Some(&service.origin),
            Self::Udp(service) => Some(&service.origin),
        }
    }
}

/// What holds for every request of a listener, before and after routing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HttpOptions {
    /// How long and how often a client's connection is used again.
    pub keep_alive: KeepAlive,
    /// From the first byte of a request head to its end (`client-header-timeout`): 408 after it.
    pub header_timeout: Duration,
    /// Between two reads of a request body (`client-body-timeout`): 408 after it.
    pub body_timeout: Duration,
    /// How long a client may take none of an answer: it is cut off after it. nginx's `send_timeout`, which
    /// ingress-nginx leaves at 60 s.
    pub send_timeout: Duration,
    /// Bounds of a request's head.
    pub head: HeadLimits,
    /// How HTTP/2 is spoken; none: it is not (`use-http2`).
    pub http2: Option<Http2>,
    /// Request bodies up to this many bytes are gathered before the upstream is asked (`client-body-buffer-size`).
    pub body_buffer: u64,
    /// Whether answers carry `Server` (`server-tokens`); the upstream's own is replaced or removed.
    pub server_tokens: bool,
    /// `Strict-Transport-Security` on answers over TLS (RFC 6797); none where `hsts` is off.
    pub hsts: Option<Hsts>,
    /// Whose `X-Forwarded-*` is believed (`use-forwarded-headers` with `proxy-real-ip-cidr`); empty: nobody's.
    pub trusted_proxies: Vec<IpNet>,
    /// The path that is answered 200 for hosts which no rule names (`--health-check-path`).
    pub health_check_path: Arc<str>,
}

/// What holds where no setting says otherwise: the defaults of ingress-nginx v1.15.1, and no HSTS, which is for TLS only.
impl Default for HttpOptions {
    fn default() -> Self {
        Self {
            keep_alive: KeepAlive { idle: Duration::from_secs(75), requests: 1000 },
            header_timeout: Duration::from_secs(60),
            body_timeout: Duration::from_secs(60),
            send_timeout: Duration::from_secs(60),
            head: HeadLimits { target: 8 << 10, field: 8 << 10, total: 32 << 10, fields: 100 },
            http2: Some(Http2 { max_streams: 128 }),
            body_buffer: 8 << 10,
            server_tokens: false,
            hsts: None,
            trusted_proxies: Vec::new(),
            health_check_path: "/healthz".into(),
        }
    }
}

/// How many client connections there may be, on all listeners together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectionLimits {
    /// With one worker (`max-worker-connections`); none: as many as the limit of open files allows.
    pub per_worker: Option<NonZeroU32>,
    /// From one client, over all workers (`max-connections-per-client`); none: any number. A client is an address; of
    /// IPv6 a network of 64 bits.
    pub per_client: Option<NonZeroU32>,
}

/// HTTP/2 with clients (RFC 9113).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Http2 {
    /// Requests that one connection may have in flight (`http2-max-concurrent-streams`).
    pub max_streams: u32,
}

/// Re-use of client connections (RFC 9112 section 9.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeepAlive {
    /// How long an idle connection stays open (`keep-alive`); zero closes after each answer.
    pub idle: Duration,
    /// After how many requests a connection is closed (`keep-alive-requests`).
    pub requests: u32,
}

/// Bounds of a request's head: 414 for the target, 431 for the fields (RFC 6585 section 5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeadLimits {
    /// Bytes of the request target.
    pub target: u32,
    /// Bytes of one field.
    pub field: u32,
    /// Bytes of the whole head.
    pub total: u32,
    /// Number of fields.
    pub fields: u32,
}

/// What a host has of its own in place of [`HttpOptions::hsts`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum HostHsts {
    /// Its answers say nothing.
    Off,
    /// Its answers say this.
    On(Hsts),
}

/// `Strict-Transport-Security` (RFC 6797 section 6.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hsts {
    /// Seconds (`hsts-max-age`).
    pub max_age: u64,
    /// `includeSubDomains` (`hsts-include-subdomains`).
    pub include_subdomains: bool,
    /// `preload` (`hsts-preload`).
    pub preload: bool,
}
