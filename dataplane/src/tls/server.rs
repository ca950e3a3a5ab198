//! What answers the handshakes of a listener.

use std::sync::Arc;

use rustls::{ServerConfig, server::Acceptor};
use snapshot::ClientAuth;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::{LazyConfigAcceptor, StartHandshake, TlsAcceptor, server::TlsStream};

use super::peer::Peer;
use crate::route::HostTable;

/// How the handshakes of some hosts go.
#[derive(Debug)]
pub struct HostConfig {
    /// For the TLS library.
    pub config: Arc<ServerConfig>,
    /// How clients are asked for certificates; none: not at all.
    pub client_auth: Option<Arc<ClientAuth>>,
}

/// The configurations of a listener.
#[derive(Debug)]
pub struct TlsServer {
    /// For a name that no host has, and for clients that send none (RFC 6066 section 3).
    others: Arc<HostConfig>,
    /// By the host that serves the name; none: every name is handled alike.
    by_name: Option<HostTable<Arc<HostConfig>>>,
}

impl TlsServer {
    /// One configuration for all.
    pub fn uniform(config: Arc<HostConfig>) -> Self {
        Self { others: config, by_name: None }
    }

    /// One for each host, and `others` for what is none of them.
    pub fn by_name(others: Arc<HostConfig>, by_name: HostTable<Arc<HostConfig>>) -> Self {
        Self { others, by_name: Some(by_name) }
    }

    /// Does a handshake. Where hosts differ, the client's first message is read before its configuration is picked.
    ///
    /// # Errors
    /// The client left, or does not speak TLS in a way that we do.
    pub async fn accept<S>(&self, stream: S) -> std::io::Result<(TlsStream<S>, Peer)>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        if self.by_name.is_none() {
            let stream = TlsAcceptor::from(Arc::clone(&self.others.config)).accept(stream).await?;
            let peer = Peer::new(stream.get_ref().1, self.others.client_auth.as_ref());
            return Ok((stream, peer));
        }
        let start = LazyConfigAcceptor::new(Acceptor::default(), stream).await?;
        self.go_on(start).await
    }

    /// Goes on where somebody has read the ClientHello already.
    ///
    /// # Errors
    /// As [`Self::accept`].
    pub async fn go_on<S>(&self, start: StartHandshake<S>) -> std::io::Result<(TlsStream<S>, Peer)>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let name = start.client_hello().server_name().map(str::to_ascii_lowercase);
        let by_name = self.by_name.as_ref().zip(name);
        let host = by_name.and_then(|(by_name, name)| by_name.find(&name)).unwrap_or(&self.others);
        let stream = start.into_stream(Arc::clone(&host.config)).await?;
        let peer = Peer::new(stream.get_ref().1, host.client_auth.as_ref());
        Ok((stream, peer))
    }
}
