//! Idle upstream connections of one worker thread: no lock, and none is handed to another thread.

use std::{cell::RefCell, collections::VecDeque, rc::Rc};

use ahash::AHashMap;
use tokio::sync::Semaphore;

use super::{sessions::Sessions, shared::SharedPool};
use crate::exchange::{Home, Lease, Moment, Peer, Sender};

/// Connections that one worker opens to one endpoint at a time.
const TURNS: usize = 64;

/// Idle connections that are looked at in one sweep: requests wait meanwhile.
const LOOKS: usize = 1024;

/// The idle connections by endpoint, and those that several requests share. The newest is used first, so that the
/// surplus of a burst grows old and is closed.
#[derive(Debug, Default)]
pub struct Pool {
    idle: RefCell<AHashMap<Peer, VecDeque<Idle>>>,
    round: RefCell<Round>,
    turns: RefCell<AHashMap<Peer, Rc<Semaphore>>>,
    /// Those of HTTP/2.
    pub(super) shared: SharedPool,
    /// What TLS connections begin with.
    pub(super) sessions: Sessions,
}

/// The endpoints of idle connections, each once, in the order in which they are looked at.
#[derive(Debug, Default)]
struct Round {
    peers: VecDeque<Peer>,
    /// How many connections to the first one were looked at.
    looked: usize,
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

    /// Closes what is not usable any more, of the next so many idle connections. Called now and then.
    pub fn sweep(&self) {
        self.sweep_idle(LOOKS);
        self.turns.borrow_mut().retain(|_, turns| Rc::strong_count(turns) > 1);
        self.shared.sweep();
        self.sessions.sweep();
    }

    fn sweep_idle(&self, most: usize) {
        let (mut idle, mut round) = (self.idle.borrow_mut(), self.round.borrow_mut());
        let (now, mut left) = (Moment::now(), most);
        for _ in 0..round.peers.len() {
            let Some(peer) = round.peers.pop_front() else { return };
            let Some(list) = idle.get_mut(&peer) else { continue };
            let first = std::mem::take(&mut round.looked);
            let (before, end) = (list.len(), first.saturating_add(left));
            let mut at = 0..before;
            list.retain_mut(|idle| at.next().is_none_or(|at| at < first || at >= end) || idle.is_usable(now));
            if end < before {
                round.looked = end.saturating_sub(before.saturating_sub(list.len()));
                return round.peers.push_front(peer);
            }
            left = left.saturating_sub(before.saturating_sub(first));
            if list.is_empty() {
                idle.remove(&peer);
            } else {
                round.peers.push_back(peer);
            }
        }
    }

    /// Closes the connections to one endpoint.
    pub fn forget(&self, peer: Peer) {
        if let Some(list) = self.idle.borrow_mut().get_mut(&peer) {
            list.clear();
        }
    }

    /// Closes all.
    pub fn clear(&self) {
        self.idle.borrow_mut().clear();
        *self.round.borrow_mut() = Round::default();
        self.shared.clear();
    }

    fn put(&self, lease: Lease) {
        if let Sender::Http1(_, driver) = &lease.sender {
            driver.rest();
        }
        let most = usize::try_from(lease.keep_alive.connections).unwrap_or(usize::MAX);
        let mut idle = self.idle.borrow_mut();
        let list = idle.entry(lease.peer).or_insert_with(|| {
            self.round.borrow_mut().peers.push_back(lease.peer);
            VecDeque::new()
        });
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

#[cfg(test)]
mod tests {
    use std::{num::NonZeroU64, sync::Arc, time::Duration};

    use hyper::client::conn::http1;
    use hyper_util::rt::TokioIo;
    use snapshot::UpstreamKeepAlive;
    use tokio::io::DuplexStream;

    use super::*;
    use crate::exchange::{Driver, Wire};

    /// An idle connection to an endpoint of this number, and its other end.
    async fn put(pool: &Rc<Pool>, number: u64, is_old: bool) -> DuplexStream {
        let (ours, theirs) = tokio::io::duplex(64);
        let (sender, connection) = http1::handshake(TokioIo::new(ours)).await.unwrap();
        let lifetime = if is_old { Duration::ZERO } else { Duration::from_secs(3600) };
        pool.put(Lease {
            sender: Sender::Http1(sender, Driver::new(connection)),
            peer: Peer { address: ([127, 0, 0, 1], 80).into(), tls: NonZeroU64::new(number) },
            born: Moment::now(),
            requests: 1,
            keep_alive: UpstreamKeepAlive { connections: 100, requests: 100, idle: lifetime, lifetime },
            wire: Arc::new(Wire::default()),
            home: Rc::<Pool>::clone(pool),
        });
        theirs
    }

    fn idle(pool: &Pool) -> usize {
        pool.idle.borrow().values().map(VecDeque::len).sum()
    }

    #[tokio::test]
    async fn a_sweep_looks_at_so_many_and_the_next_one_goes_on() {
        let pool = Rc::<Pool>::default();
        let mut held = Vec::new();
        for n in 0..30 {
            held.push(put(&pool, n % 3 + 1, n % 2 == 0).await);
        }
        let mut counts = Vec::new();
        for _ in 0..8 {
            pool.sweep_idle(4);
            counts.push(idle(&pool));
        }
        assert!(counts[0] >= 26 && counts.windows(2).all(|pair| pair[0] - pair[1] <= 4), "{counts:?}");
        assert_eq!(counts[7], 15);
        assert_eq!(pool.round.borrow().peers.len(), 3);
        pool.clear();
        held.push(put(&pool, 1, true).await);
        pool.forget(Peer { address: ([127, 0, 0, 1], 80).into(), tls: NonZeroU64::new(1) });
        held.push(put(&pool, 1, true).await);
        assert_eq!(pool.round.borrow().peers.len(), 1);
        pool.sweep_idle(4);
        assert_eq!((idle(&pool), pool.round.borrow().peers.len(), pool.idle.borrow().len()), (0, 0, 0));
    }
}
