//! TLS sessions of one worker thread, by endpoint: with one, a new connection takes no full handshake
//! (RFC 8446 section 2.2).

use std::{cell::RefCell, sync::Arc, time::Duration};

use ahash::AHashMap;
use rustls::ClientConfig;
use tokio::time::Instant;

use crate::{exchange::Peer, tls::TlsClient};

/// How long sessions are kept that nobody used.
const UNUSED: Duration = Duration::from_secs(600);

/// The sessions.
#[derive(Debug, Default)]
pub struct Sessions {
    of_peers: RefCell<AHashMap<Peer, OfPeer>>,
}

#[derive(Debug)]
struct OfPeer {
    config: Arc<ClientConfig>,
    used: Instant,
}

impl Sessions {
    /// What a connection to `peer` begins with.
    pub fn config(&self, peer: Peer, client: &TlsClient) -> Arc<ClientConfig> {
        let mut of_peers = self.of_peers.borrow_mut();
        let now = Instant::now();
        let of_peer = of_peers.entry(peer).or_insert_with(|| OfPeer { config: client.for_endpoint(), used: now });
        of_peer.used = now;
        Arc::clone(&of_peer.config)
    }

    /// Forgets those that nobody used for long. Called now and then.
    pub fn sweep(&self) {
        self.of_peers.borrow_mut().retain(|_, of_peer| of_peer.used.elapsed() < UNUSED);
    }
}
