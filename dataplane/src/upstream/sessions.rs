//! TLS sessions of one worker thread, by endpoint: with one, a new connection takes no full handshake
//! (RFC 8446 section 2.2).

use std::{cell::RefCell, sync::Arc, time::Duration};

use ahash::AHashMap;
use rustls::ClientConfig;
use tokio::time::Instant;

use crate::{exchange::Peer, tls::TlsClient};

/// How long sessions are kept that nobody used.
const UNUSED: Duration = Duration::from_secs(600);

/// To how many endpoints there are sessions at most: those that were used last.
const MOST: usize = 1024;

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
        if of_peers.len() >= MOST && !of_peers.contains_key(&peer) {
            // Looking through all of them costs little beside the handshake that follows.
            let oldest = of_peers.iter().min_by_key(|(_, of_peer)| of_peer.used).map(|(peer, _)| *peer);
            oldest.and_then(|oldest| of_peers.remove(&oldest));
        }
        let of_peer = of_peers.entry(peer).or_insert_with(|| OfPeer { config: client.for_endpoint(), used: now });
        of_peer.used = now;
        Arc::clone(&of_peer.config)
    }

    /// Forgets those that nobody used for long. Called now and then.
    pub fn sweep(&self) {
        self.of_peers.borrow_mut().retain(|_, of_peer| of_peer.used.elapsed() < UNUSED);
    }
}

#[cfg(test)]
mod tests {
    use std::{net::SocketAddr, num::NonZeroU64};

    use snapshot::{Protocol, Tls12Suite, TlsVersions, TlsWhen, UpstreamTls};

    use super::*;
    use crate::tls::TlsClients;

    #[test]
    fn keeps_those_that_were_used_last() {
        let tls = UpstreamTls {
            when: TlsWhen::Always,
            name: "a.example".into(),
            send_name: false,
            versions: TlsVersions::Both,
            suites: Tls12Suite::ALL.to_vec(),
            verify: None,
            identity: None,
        };
        let mut clients = TlsClients::new(&prometheus::Registry::new()).unwrap();
        let client = clients.find(Protocol::Http1, &tls, None).unwrap();
        let peer = |number: usize| {
            let port = u16::try_from(number % 60_000).unwrap();
            Peer { address: SocketAddr::from(([127, 0, 0, 1], port)), tls: NonZeroU64::new(1) }
        };
        let sessions = Sessions::default();
        let first = sessions.config(peer(0), &client);
        for number in 1..MOST + 100 {
            sessions.config(peer(number), &client);
            assert!(Arc::ptr_eq(&first, &sessions.config(peer(0), &client)), "it was used a moment ago");
        }
        let of_peers = sessions.of_peers.borrow();
        assert_eq!(of_peers.len(), MOST);
        assert!(!of_peers.contains_key(&peer(1)) && of_peers.contains_key(&peer(MOST + 99)));
    }
}
