//! One try at an endpoint, for log and metrics.

use std::{net::SocketAddr, time::Duration};

use tokio::time::Instant;

/// What became of one try. All durations count from its start.
#[derive(Debug, Clone, Copy)]
pub struct Try {
    /// The endpoint.
    pub address: SocketAddr,
    /// When it began.
    pub began: Instant,
    /// Until the connection was there; next to nothing where one was re-used.
    pub connected: Option<Duration>,
    /// Until the head of the answer was there.
    pub answered: Option<Duration>,
    /// Until its end; set when the request or the next try ends it.
    pub took: Duration,
    /// The status of the answer, or that which we made of its failure.
    pub status: u16,
    /// Bytes of the answer's body.
    pub received: u64,
}

impl Try {
    /// Begins now.
    pub fn new(address: SocketAddr) -> Self {
        let began = Instant::now();
        Self { address, began, connected: None, answered: None, took: Duration::ZERO, status: 0, received: 0 }
    }
}
