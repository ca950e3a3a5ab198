//! Idle upstream connections of one worker thread: no lock, and none is handed to another thread.

use std::{cell::RefCell, collections::VecDeque, rc::Rc};

use ahash::AHashMap;
use tokio::sync::Semaphore;

use super::{sessions::Sessions, shared::SharedPool};
use crate::exchange::{Home, Lease, Moment, Peer, Sender};

/// Connections that one worker opens to one endpoint at a time.
const TURNS: usize = 64;

/// The idle connections by endpoint, and those that several requests share. The newest is used first, so that the
/// surplus of a burst grows old and is closed.
#[derive(Debug, Default)]
pub struct Pool {
    idle: RefCell<AHashMap<Peer, VecDeque<Idle>>>,
    turns: RefCell<AHashMap<Peer, Rc<Semaphore>>>,
    /// Those of HTTP/2.
    pub(super) shared: SharedPool,
    /// What TLS connections begin with.
    pub(super) sessions: Sessions,
}

#[derive(Debug)]
struct Idle {
    lease: Lease,
    since: Moment,
}

impl Idle {
    /// Not closed by its endpoint, not idle for too long, not too old.
    fn is_usable(&mut self, now: Moment) -> bool {
        if let Sender::Http1(_, driver) = &self.lease.sender {
            driver.look();
        }
        let keep = &self.lease.keep_alive;
        !self.lease.sender.is_closed()
            && now.since(self.since) < keep.idle
            && now.since(self.lease.born) < keep.lifetime
    }
}

impl Pool {
    /// A connection to `peer` that is there already.
    pub fn take(&self, peer: Peer) -> Option<Lease> {
        let mut idle = self.idle.borrow_mut();
        let list = idle.get_mut(&peer)?;
        let now = Moment::now();
        while let Some(mut candidate) = list.pop_back() {
            if candidate.is_usable(now) && is_ready(&candidate.lease) {
                return Some(candidate.lease);
            }
        }
        None
    }

    /// A place on a connection of HTTP/2 to `peer` that is there already.
    pub fn take_shared(self: &Rc<Self>, peer: Peer) -> Option<Lease> {
        self.shared.take(self, peer)
    }

    /// Whose turn it is to open a connection to `peer`.
    pub(super) fn turns(&self, peer: Peer) -> Rc<Semaphore> {
        let mut turns = self.turns.borrow_mut();
        Rc::clone(turns.entry(peer).or_insert_with(|| Rc::new(Semaphore::new(TURNS))))
    }

    /// Closes what is not usable any more. Called now and then.
    pub fn sweep(&self) {
        let now = Moment::now();
        self.idle.borrow_mut().retain(|_, list| {
            list.retain_mut(|idle| idle.is_usable(now));
            !list.is_empty()
        });
        self.turns.borrow_mut().retain(|_, turns| Rc::strong_count(turns) > 1);
        self.shared.sweep();
        self.sessions.sweep();
    }

    /// Closes the connections to one endpoint.
    pub fn forget(&self, peer: Peer) {
        self.idle.borrow_mut().remove(&peer);
    }

    /// Closes all.
    pub fn clear(&self) {
        self.idle.borrow_mut().clear();
        self.shared.clear();
    }

    fn put(&self, lease: Lease) {
        if let Sender::Http1(_, driver) = &lease.sender {
            driver.rest();
        }
        let most = usize::try_from(lease.keep_alive.connections).unwrap_or(usize::MAX);
        let mut idle = self.idle.borrow_mut();
        let list = idle.entry(lease.peer).or_default();
        list.push_back(Idle { lease, since: Moment::now() });
        while list.len() > most {
            list.pop_front();
        }
    }
}

/// Whether it can take a request at once.
fn is_ready(lease: &Lease) -> bool {
    matches!(&lease.sender, Sender::Http1(sender, _) if sender.is_ready())
}

impl Home for Pool {
    /// A shared connection is here already: its lease gives up a place on it.
    fn take_back(self: Rc<Self>, mut lease: Lease) {
        if lease.keep_alive.connections == 0 || lease.requests >= lease.keep_alive.requests {
            return;
        }
        if is_ready(&lease) {
            self.put(lease);
        } else if !lease.sender.is_closed() && matches!(lease.sender, Sender::Http1(..)) {
            // The request's body may still be on its way although the answer is complete.
            lease.sender.detach();
            tokio::task::spawn_local(async move {
                if let Sender::Http1(sender, _) = &mut lease.sender
                    && sender.ready().await.is_ok()
                {
                    self.put(lease);
                }
            });
        }
    }
}
