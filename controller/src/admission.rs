//! The admission webhook: who writes an Ingress that could not be served is told at once.
//! <https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/>
//!
//! The answer is that of a compile of all objects with the candidate among them. What was allowed is kept for a moment,
//! until it comes back as an object.

mod basis;
mod certificate;
mod error;
mod limits;
mod metrics;
mod pending;
mod review;
mod server;
#[cfg(test)]
mod tests;
mod validity;
mod verdict;

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::PathBuf,
    sync::Arc,
};

use compile::Options;
use futures_util::future::{BoxFuture, join};
use prometheus::Registry;
use tokio::{net::TcpListener, sync::watch};

use crate::{Error, board::Board};
pub(crate) use basis::{Bases, Basis};
use certificate::Files;
use metrics::Metrics;
use server::Server;

/// Where the webhook listens, and as whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdmissionConfig {
    /// `--validating-webhook`.
    pub listen: SocketAddr,
    /// `--validating-webhook-certificate`: a file of PEM, the certificate first, then those that lead to the CA.
    pub certificate: PathBuf,
    /// `--validating-webhook-key`: a file of PEM.
    pub key: PathBuf,
}

/// Opens the port. What comes back has to be run.
///
/// # Errors
/// The port cannot be had, or metrics are registered twice.
pub(crate) fn start(
    config: &AdmissionConfig,
    options: &Options,
    bases: watch::Receiver<Option<Arc<Basis>>>,
    board: Arc<Board>,
    registry: &Registry,
) -> Result<BoxFuture<'static, ()>, Error> {
    let metrics = Metrics::new(registry).map_err(|error| Error::Metrics(error.to_string()))?;
    let listener = bind(config.listen).map_err(|error| {
        Error::Options(format!("--validating-webhook: cannot listen on {}: {error}", config.listen))
    })?;
    let (sender, tls) = watch::channel(None);
    let files = Files::new(config, sender, board, metrics.clone());
    let server = Server::new(listener, tls, Arc::new(options.clone()), bases, metrics);
    Ok(Box::pin(async move {
        join(files.follow(), server.run()).await;
    }))
}

fn bind(address: SocketAddr) -> std::io::Result<TcpListener> {
    let listener = match std::net::TcpListener::bind(address) {
        // A machine without IPv6.
        Err(error)
            if address.ip() == IpAddr::V6(std::net::Ipv6Addr::UNSPECIFIED)
                && error.kind() != std::io::ErrorKind::AddrInUse =>
        {
            std::net::TcpListener::bind((Ipv4Addr::UNSPECIFIED, address.port()))?
        }
        bound => bound?,
    };
    listener.set_nonblocking(true)?;
    TcpListener::from_std(listener)
}
