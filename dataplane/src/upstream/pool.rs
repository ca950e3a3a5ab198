//! Idle upstream connections of one worker thread: no lock, and none is handed to another thread.

use std::{cell::RefCell, collections::VecDeque, net::SocketAddr, rc::Rc};

use ahash::AHashMap;
use tokio::time::Instant;

use crate::exchange::{Home, Lease};

/// The idle connections by endpoint. The newest is used first, so that the surplus of a burst grows old and is closed.
#[derive(Debug, Default)]
pub struct Pool {
    idle: RefCell<AHashMap<SocketAddr, VecDeque<Idle>>>,
}

#[derive(Debug)]
struct Idle {
    lease: Lease,
    since: Instant,
}

impl Idle {
    /// Not closed by its endpoint, not idle for too long, not too old.
    fn is_usable(&self, now: Instant) -> bool {
        let keep = &self.lease.keep_alive;
        !self.lease.sender.is_closed()
            && now.duration_since(self.since) < keep.idle
            && now.duration_since(self.lease.born) < keep.lifetime
    }
}

impl Pool {
    /// A connection to `address` that is there already.
    pub fn take(&self, address: SocketAddr) -> Option<Lease> {
        let mut idle = self.idle.borrow_mut();
        let list = idle.get_mut(&address)?;
        let now = Instant::now();
        while let Some(candidate) = list.pop_back() {
            if candidate.is_usable(now) && candidate.lease.sender.is_ready() {
                return Some(candidate.lease);
            }
        }
        None
    }

    /// Closes what is not usable any more. Called now and then.
    pub fn sweep(&self) {
        let now = Instant::now();
        self.idle.borrow_mut().retain(|_, list| {
            list.retain(|idle| idle.is_usable(now));
            !list.is_empty()
        });
    }

    /// Closes the connections to one endpoint.
    pub fn forget(&self, address: SocketAddr) {
        self.idle.borrow_mut().remove(&address);
    }

    /// Closes all.
    pub fn clear(&self) {
        self.idle.borrow_mut().clear();
    }

    fn put(&self, lease: Lease) {
        let most = usize::try_from(lease.keep_alive.connections).unwrap_or(usize::MAX);
        let mut idle = self.idle.borrow_mut();
        let list = idle.entry(lease.address).or_default();
        list.push_back(Idle { lease, since: Instant::now() });
        while list.len() > most {
            list.pop_front();
        }
    }
}

impl Home for Pool {
    fn take_back(self: Rc<Self>, mut lease: Lease) {
        if lease.keep_alive.connections == 0 || lease.requests >= lease.keep_alive.requests {
            return;
        }
        if lease.sender.is_ready() {
            self.put(lease);
        } else if !lease.sender.is_closed() {
            // The request's body may still be on its way although the answer is complete.
            tokio::task::spawn_local(async move {
                if lease.sender.ready().await.is_ok() {
                    self.put(lease);
                }
            });
        }
    }
}
