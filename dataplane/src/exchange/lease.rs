//! An upstream connection while a request has it.

use std::{
    cell::Cell,
    fmt,
    future::{Future as _, poll_fn},
    net::SocketAddr,
    num::NonZeroU64,
    pin::pin,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering::Relaxed},
    },
    time::Duration,
};

use http::{Request, Response};
use hyper::{
    body::Incoming,
    client::conn::{TrySendError, http1, http2},
};
use snapshot::UpstreamKeepAlive;
use tokio::sync::Notify;

use super::{Body, Driver, Moment};

/// Whom a connection leads to, and as whom: only where all of it is the same may another request use it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Peer {
    /// The endpoint.
    pub address: SocketAddr,
    /// The way in which TLS is spoken, as `crate::tls::TlsClient` numbers them; none: it is not.
    pub tls: Option<NonZeroU64>,
}

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

/// Sends requests over an upstream connection.
pub enum Sender {
    /// One at a time.
    Http1(http1::SendRequest<Body>, Driver),
    /// Several at a time, of which this is one.
    Http2(http2::SendRequest<Body>, Seat),
}

impl Sender {
    /// Sends a request, and waits for the head of its answer.
    ///
    /// # Errors
    /// There is none; the request comes back if nothing of it was sent.
    pub async fn send(&mut self, request: Request<Body>) -> Result<Response<Incoming>, TrySendError<Request<Body>>> {
        match self {
            Self::Http1(sender, driver) if driver.is_detached() => sender.try_send_request(request).await,
            Self::Http1(sender, driver) => {
                let mut answer = pin!(sender.try_send_request(request));
                poll_fn(|cx| driver.poll(cx, |cx| answer.as_mut().poll(cx))).await
            }
            Self::Http2(sender, _) => sender.try_send_request(request).await,
        }
    }

    /// Whether the connection has ended.
    pub fn is_closed(&self) -> bool {
        match self {
            Self::Http1(sender, _) => sender.is_closed(),
            Self::Http2(sender, _) => sender.is_closed(),
        }
    }

    /// From now on the connection goes on although nobody waits for anything of it.
    pub fn detach(&self) {
        if let Self::Http1(_, driver) = self {
            driver.detach();
        }
    }

    /// From now on the connection goes on where somebody waits for something of it.
    pub fn attach(&self) {
        if let Self::Http1(_, driver) = self {
            driver.attach();
        }
    }
}

/// How many requests are on their way over a shared connection. hyper would queue any number of them.
#[derive(Debug)]
pub struct Seats {
    taken: Cell<usize>,
    /// When that changed last.
    since: Cell<Moment>,
    retired: Cell<bool>,
    freed: Rc<Notify>,
}

impl Seats {
    /// All are free; `freed` is told when one becomes so again.
    pub fn new(freed: Rc<Notify>) -> Self {
        Self { taken: Cell::new(0), since: Cell::new(Moment::now()), retired: Cell::new(false), freed }
    }

    /// How many are taken.
    pub fn taken(&self) -> usize {
        self.taken.get()
    }

    /// How long none has been taken.
    pub fn idle(&self) -> Duration {
        if self.taken.get() == 0 { self.since.get().elapsed() } else { Duration::ZERO }
    }

    /// Whether the connection is not to be used for more.
    pub fn is_retired(&self) -> bool {
        self.retired.get()
    }
}

/// One request's place on a shared connection, until it is dropped.
#[derive(Debug)]
pub struct Seat(Rc<Seats>);

impl Seat {
    /// Takes one.
    pub fn take(seats: &Rc<Seats>) -> Self {
        seats.taken.set(seats.taken.get().saturating_add(1));
        Self(Rc::clone(seats))
    }

    /// The connection has become doubtful: it is to get no more requests.
    pub fn retire(&self) {
        self.0.retired.set(true);
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.taken.set(self.0.taken.get().saturating_sub(1));
        self.0.since.set(Moment::now());
        self.0.freed.notify_one();
    }
}

/// An upstream connection. One that is dropped before the end of an answer is closed.
pub struct Lease {
    /// Sends requests.
    pub sender: Sender,
    /// Whom it leads to.
    pub peer: Peer,
    /// When it was opened.
    pub born: Moment,
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
        f.debug_struct("Lease").field("peer", &self.peer).field("requests", &self.requests).finish_non_exhaustive()
    }
}
