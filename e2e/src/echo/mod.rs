//! The backend of the end-to-end tests and of `make run`: a server that answers
//! each request with what it received, as JSON, so that a test sees what
//! Tidegate sent and which Pod it chose.
//!
//! | path | answer |
//! |---|---|
//! | `/health` | 200, or 503 after `/_echo/ready?value=false` (readiness probe) |
//! | `/_echo/ready?value=true\|false` | sets that (POST) |
//! | `/_echo/delay?ms=N` | the echo, N milliseconds later |
//! | `/_echo/bytes?n=N` | N bytes, streamed |
//! | `/_echo/count` | length and SHA-256 of the request's body (POST) |
//! | `/_echo/status?code=N` | that status |
//! | any, with `Upgrade: websocket` | a WebSocket that sends back each message |
//! | any other | the echo |
//!
//! Each answer has in its head, as `X-Echo-Peer`, the address of whoever asked.
//!
//! A datagram to the same port comes back, with the name of the Pod in front.

mod answer;
mod body;
mod server;
#[cfg(test)]
mod tests;
mod tls;
mod websocket;

use std::net::IpAddr;
use std::path::PathBuf;

use clap::Parser;
use serde::Serialize;

pub use answer::Backend;
pub use body::Body;
pub use server::{run, serve};

/// The field of an answer with the address of whoever asked.
pub const PEER: &str = "x-echo-peer";

/// What the server is told. The environment has the names that the backend of
/// the public Ingress conformance suite takes, so a manifest fits both.
#[derive(Debug, Parser)]
#[command(name = "echo", about = "Answers each request with what it received, as JSON")]
pub struct Options {
    /// Address to listen on.
    #[arg(long, default_value = "0.0.0.0")]
    pub bind: IpAddr,
    /// Port to listen on: HTTP/1.1, and HTTP/2 by prior knowledge or, over TLS, by ALPN.
    #[arg(long, env = "HTTP_PORT", default_value_t = 3000)]
    pub port: u16,
    /// Folder with `tls.crt` and `tls.key`: TLS is spoken then, and nothing else.
    #[arg(long)]
    pub tls: Option<PathBuf>,
    /// Leave at once on SIGTERM, as a badly behaved backend does; without it the
    /// server stops accepting, closes idle connections and finishes what it has.
    #[arg(long)]
    pub exit_at_once: bool,
    /// Who the server says it is.
    #[command(flatten)]
    pub identity: Identity,
}

/// Repeated in each answer, so that a test knows which backend it reached.
#[derive(Debug, Clone, Default, Parser, Serialize)]
pub struct Identity {
    /// Namespace of the Pod.
    #[arg(long, env = "NAMESPACE", default_value = "")]
    pub namespace: String,
    /// The Ingress this backend belongs to.
    #[arg(long, env = "INGRESS_NAME", default_value = "")]
    pub ingress: String,
    /// The Service this backend belongs to.
    #[arg(long, env = "SERVICE_NAME", default_value = "")]
    pub service: String,
    /// Name of the Pod.
    #[arg(long = "name", env = "POD_NAME", default_value = "")]
    pub pod: String,
}
