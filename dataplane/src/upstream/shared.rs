//! Upstream connections that several requests use at a time: those of HTTP/2, of one worker thread.

use std::{
    cell::{Cell, RefCell},
    fmt,
    rc::Rc,
};

use ahash::AHashMap;
use snapshot::{Timeouts, UpstreamKeepAlive};
use tokio::{sync::Notify, time::timeout_at};

use super::{
    Pool,
    connect::{Destination, Http2, connect_http2},
};
use crate::exchange::{Cause, Lease, Moment, Peer, Seat, Seats, Sender, after};

/// Requests that one connection carries at most, whatever the endpoint allows.
const MOST_STREAMS: usize = 256;

/// Connections that one worker has to one endpoint at most.
const MOST_CONNECTIONS: usize = 64;

/// The shared connections by endpoint.
#[derive(Debug, Default)]
pub struct SharedPool {
    groups: RefCell<AHashMap<Peer, Rc<Group>>>,
}

impl SharedPool {
    /// Lets go of what is not usable any more; requests that are on their way go on. Called now and then.
    pub fn sweep(&self) {
        self.groups.borrow_mut().retain(|_, group| {
            group.connections.borrow_mut().retain(Shared::is_usable);
            !group.connections.borrow().is_empty() || Rc::strong_count(group) > 1
        });
    }

    /// Lets go of all.
    pub fn clear(&self) {
        self.groups.borrow_mut().clear();
    }

    /// A place on a connection to `peer` that is there already.
    pub fn take(&self, pool: &Rc<Pool>, peer: Peer) -> Option<Lease> {
        self.groups.borrow().get(&peer)?.take(pool, peer)
    }

    fn group(&self, peer: Peer) -> Rc<Group> {
        Rc::clone(self.groups.borrow_mut().entry(peer).or_default())
    }
}

/// A place on a connection to an endpoint: one that is there, or a new one. Only one is opened at a time, so that a burst
/// of requests finds room on it instead of opening one each.
///
/// # Errors
/// There is no connection, or no room on any within `Timeouts::connect`.
pub async fn acquire(pool: &Rc<Pool>, to: &Destination<'_>, timeouts: &Timeouts) -> Result<Lease, Cause> {
    let group = pool.shared.group(to.peer);
    let (until, seen) = (after(timeouts.connect), group.failures.get().0);
    loop {
        let changed = group.changed.notified();
        if let Some(lease) = group.take(pool, to.peer) {
            return Ok(lease);
        }
        if group.may_open() {
            let opening = Opening::begin(&group);
            match connect_http2(pool, to, timeouts).await {
                Ok(http2) => group.add(http2, to.keep_alive),
                Err(cause) => {
                    group.fail(cause);
                    return Err(cause);
                }
            }
            drop(opening);
            continue;
        }
        if timeout_at(until, changed).await.is_err() {
            return Err(Cause::Overloaded);
        }
        if let (count, Some(cause)) = group.failures.get()
            && count != seen
        {
            return Err(cause);
        }
    }
}

/// The connections to one endpoint.
#[derive(Debug, Default)]
struct Group {
    connections: RefCell<Vec<Shared>>,
    opening: Cell<bool>,
    /// There may be room now.
    changed: Rc<Notify>,
    /// How often no connection could be opened, and why last.
    failures: Cell<(u64, Option<Cause>)>,
}

impl Group {
    fn take(&self, pool: &Rc<Pool>, peer: Peer) -> Option<Lease> {
        let mut connections = self.connections.borrow_mut();
        connections.retain(Shared::is_usable);
        let shared = connections.iter_mut().find(|shared| shared.has_room())?;
        // One that was woken wakes the next one: there may be more room than was freed.
        self.changed.notify_one();
        shared.requests = shared.requests.saturating_add(1);
        Some(Lease {
            sender: Sender::Http2(shared.http2.sender.clone(), Seat::take(&shared.seats)),
            peer,
            born: shared.born,
            // The try that it is for is counted by who takes it.
            requests: shared.requests.saturating_sub(1),
            keep_alive: shared.keep_alive,
            wire: shared.http2.wire.clone(),
            home: Rc::<Pool>::clone(pool),
        })
    }

    fn may_open(&self) -> bool {
        !self.opening.get() && self.connections.borrow().len() < MOST_CONNECTIONS
    }

    fn add(&self, http2: Http2, keep_alive: UpstreamKeepAlive) {
        let seats = Rc::new(Seats::new(Rc::clone(&self.changed)));
        self.connections.borrow_mut().push(Shared { http2, seats, born: Moment::now(), requests: 0, keep_alive });
    }

    /// Whoever waits for this connection fails with it.
    fn fail(&self, cause: Cause) {
        self.failures.set((self.failures.get().0.wrapping_add(1), Some(cause)));
    }
}

/// A connection is being opened, until this is dropped.
struct Opening<'a>(&'a Group);

impl<'a> Opening<'a> {
    fn begin(group: &'a Group) -> Self {
        group.opening.set(true);
        Self(group)
    }
}

impl Drop for Opening<'_> {
    fn drop(&mut self) {
        self.0.opening.set(false);
        self.0.changed.notify_waiters();
    }
}

struct Shared {
    http2: Http2,
    seats: Rc<Seats>,
    born: Moment,
    requests: u32,
    keep_alive: UpstreamKeepAlive,
}

impl Shared {
    /// Not closed by its endpoint, not idle for too long, not too old, not used up.
    fn is_usable(&self) -> bool {
        let keep = &self.keep_alive;
        // `upstream-keepalive-connections: 0` keeps none for a second request.
        let requests = if keep.connections == 0 { 1 } else { keep.requests };
        !self.http2.sender.is_closed()
            && !self.seats.is_retired()
            && self.requests < requests
            && self.seats.idle() < keep.idle
            && self.born.elapsed() < keep.lifetime
    }

    fn has_room(&self) -> bool {
        self.seats.taken() < self.http2.most_streams().min(MOST_STREAMS)
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("seats", &self.seats).field("requests", &self.requests).finish_non_exhaustive()
    }
}
