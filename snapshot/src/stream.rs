//! What is handed on as it is: TCP connections and UDP datagrams, to the endpoints of a Service.

use std::{num::NonZeroU32, sync::Arc, time::Duration};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::{Origin, Retry, Target};

/// A port of a Service whose endpoints get what comes in, unchanged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamBackend {
    /// The Service's namespace.
    pub namespace: Arc<str>,
    /// The Service's name.
    pub service: Arc<str>,
    /// The Service's port, a number.
    pub port: u16,
    /// What to connect to.
    pub target: Target,
}

/// How TCP connections are handed on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TcpService {
    /// The object that asked for it.
    pub origin: Arc<Origin>,
    /// Where they go.
    pub backend: StreamBackend,
    /// How long connecting to one endpoint may take (`proxy-connect-timeout`).
    pub connect: Duration,
    /// How long neither side may send anything before both are closed (`proxy-stream-timeout`).
    pub idle: Duration,
    /// When another endpoint is tried (`proxy-stream-next-upstream*`).
    pub retry: Retry,
    /// Whether endpoints are told the client's address first, by the PROXY protocol in version 1.
    pub send_proxy_header: bool,
}

/// How UDP datagrams are handed on. What one client address sends is one session, with one endpoint.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UdpService {
    /// The object that asked for it.
    pub origin: Arc<Origin>,
    /// Where they go.
    pub backend: StreamBackend,
    /// After how long without a datagram a session ends (`proxy-stream-timeout`).
    pub idle: Duration,
    /// How many replies a datagram of a client gets: a session ends once all have come (`proxy-stream-responses`).
    /// None: nobody knows, so that sessions end by `idle` alone.
    pub replies: Option<NonZeroU32>,
}

/// Clients whose address stands in front of what they send: the PROXY protocol, version 1 or 2
/// (<https://www.haproxy.org/download/3.2/doc/proxy-protocol.txt>).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProxyProtocol {
    /// Who may say so; anybody else is refused (`proxy-real-ip-cidr`).
    pub trusted: Vec<IpNet>,
    /// How long the header may take (`proxy-protocol-header-timeout`).
    pub timeout: Duration,
}
