//! Backends: how a service is spoken to. Where its pods are is in [`crate::EndpointSet`].

use std::{sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{ServicePort, UpstreamTls};

/// One way to use one port of one Service.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Upstream {
    /// The Service's namespace.
    pub namespace: Arc<str>,
    /// The Service's name.
    pub service: Arc<str>,
    /// The Service's port, a number.
    pub port: u16,
    /// What to connect to.
    pub target: Target,
    /// What is spoken there.
    pub protocol: Protocol,
    /// The TLS around it; none: it is spoken in the clear.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<Arc<UpstreamTls>>,
    /// Re-use of connections to it.
    pub keep_alive: UpstreamKeepAlive,
}

/// What an upstream connects to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Target {
    /// The endpoints of a Service's port.
    Endpoints(ServicePort),
    /// A DNS name (Service type `ExternalName`).
    Name {
        /// The name.
        host: Arc<str>,
        /// The port.
        port: u16,
        /// Whether loopback and link-local addresses may be used: only where there is no cluster to protect.
        allow_local: bool,
    },
}

/// What is spoken to an upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Protocol {
    /// HTTP/1.1.
    Http1,
    /// HTTP/2: what gRPC servers speak. In the clear it is begun without asking (RFC 9113 section 3.3).
    Http2,
}

/// Re-use of upstream connections (`upstream-keepalive-*`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct UpstreamKeepAlive {
    /// Idle connections kept by each worker, for one endpoint; 0: none is kept.
    pub connections: u32,
    /// How long an idle one is kept.
    pub idle: Duration,
    /// After how many requests a connection is given up.
    pub requests: u32,
    /// After how long a connection is given up.
    pub lifetime: Duration,
}
