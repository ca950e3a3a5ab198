//! An upstream connection while a request has it.

use std::{
    fmt,
    net::SocketAddr,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering::Relaxed},
    },
    time::Duration,
};

use hyper::client::conn::http1::SendRequest;
use snapshot::UpstreamKeepAlive;
use tokio::time::Instant;

use super::Body;

/// Where an upstream connection goes when a request is done with it.
pub trait Home {
    /// Takes it for the next request, or closes it.
    fn take_back(self: Rc<Self>, lease: Lease);
}

/// What a request and the IO of its upstream connection tell each other.
#[derive(Debug, Default)]
pub struct Wire {
    send_timeout: AtomicU32,
    answered: AtomicBool,
}

impl Wire {
    /// A request begins, no two of whose writes may be further apart than this.
    pub fn begin(&self, send_timeout: Duration) {
        self.send_timeout.store(u32::try_from(send_timeout.as_millis()).unwrap_or(u32::MAX), Relaxed);
        self.answered.store(false, Relaxed);
    }

    /// How long a write may take.
    pub fn send_timeout(&self) -> Duration {
        Duration::from_millis(self.send_timeout.load(Relaxed).into())
    }

    /// A byte came.
    pub fn received(&self) {
        self.answered.store(true, Relaxed);
    }

    /// Whether a byte came since the request began.
    pub fn is_answered(&self) -> bool {
        self.answered.load(Relaxed)
    }
}

/// An upstream connection. One that is dropped before the end of an answer is closed.
pub struct Lease {
    /// Sends requests.
    pub sender: SendRequest<Body>,
    /// The endpoint.
    pub address: SocketAddr,
    /// When it was opened.
    pub born: Instant,
    /// How many requests it was used for, the present one included.
    pub requests: u32,
    /// How long it may be used.
    pub keep_alive: UpstreamKeepAlive,
    /// What the connection's IO has to know and to tell.
    pub wire: Arc<Wire>,
    /// Where it belongs.
    pub home: Rc<dyn Home>,
}

impl Lease {
    /// Whether it served another request before the present one.
    pub fn is_reused(&self) -> bool {
        self.requests > 1
    }

    /// The answer is complete.
    pub fn give_back(self) {
        Rc::clone(&self.home).take_back(self);
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease")
            .field("address", &self.address)
            .field("requests", &self.requests)
            .finish_non_exhaustive()
    }
}
