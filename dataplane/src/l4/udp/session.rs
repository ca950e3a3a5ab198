//! What one client sends, and the replies to it.

use std::{
    cell::Cell,
    future::Future,
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    pin::pin,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::{Duration, SystemTime},
};

use tokio::{
    io::{Interest, Ready},
    net::UdpSocket,
    sync::Notify,
    time::{Instant, sleep},
};

use super::{super::buffers, Datagrams, Key, LiveUdp};
use crate::observe::{Dropped, OpenStream, StreamProtocol, StreamRecord, StreamStatus};

/// How often replies are read before the other tasks of the worker get their turn.
const ROUNDS: usize = 32;

/// How long a session may be silent when the worker is to leave: for replies that are on their way.
const LAST_REPLIES: Duration = Duration::from_secs(1);

/// A session. It has a socket of its own, by which its replies are known.
pub(super) struct Session {
    pub(super) key: Key,
    live: Arc<LiveUdp>,
    endpoint: SocketAddr,
    socket: UdpSocket,
    began: Instant,
    /// When the last datagram came.
    last: Cell<Instant>,
    /// How many datagrams the client has sent, and how many replies have come.
    asked: Cell<u64>,
    replied: Cell<u64>,
    received: Cell<u64>,
    sent: Cell<u64>,
    closed: Notify,
    _open: OpenStream,
}

/// Why a session goes no further.
enum End {
    /// It has had its replies, was silent for too long, or was told to end.
    Over,
    /// Its endpoint does not take datagrams.
    Broken(io::Error),
}

impl Session {
    pub(super) fn new(live: Arc<LiveUdp>, key: Key, endpoint: SocketAddr) -> io::Result<Self> {
        let any = match endpoint {
            SocketAddr::V4(_) => SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
            SocketAddr::V6(_) => SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)),
        };
        let socket = std::net::UdpSocket::bind(any)?;
        socket.set_nonblocking(true)?;
        // Replies of others do not get in, and an endpoint whose port is closed is an error.
        socket.connect(endpoint)?;
        let now = Instant::now();
        Ok(Self {
            key,
            endpoint,
            socket: UdpSocket::from_std(socket)?,
            began: now,
            last: Cell::new(now),
            asked: Cell::new(0),
            replied: Cell::new(0),
            received: Cell::new(0),
            sent: Cell::new(0),
            closed: Notify::new(),
            _open: live.metrics.open(),
            live,
        })
    }

    /// Whether it leads where the service leads now.
    pub(super) fn is_of(&self, live: &Arc<LiveUdp>) -> bool {
        Arc::ptr_eq(&self.live, live) || self.live.backend.source == live.backend.source
    }

    /// Ends it.
    pub(super) fn close(&self) {
        self.closed.notify_one();
    }

    /// Sends a datagram of the client on. What cannot be sent at once is lost, as everywhere on the way.
    pub(super) fn send(&self, datagram: &[u8]) -> io::Result<()> {
        self.last.set(Instant::now());
        // Not by way of the runtime, which does not know yet that a new socket can be written to.
        socket2::SockRef::from(&self.socket).send(datagram)?;
        self.asked.set(self.asked.get().saturating_add(1));
        count(&self.received, datagram.len());
        self.live.metrics.received.fetch_add(bytes(datagram.len()), Relaxed);
        Ok(())
    }

    /// Passes replies on until the session ends. From `drained` on it must not be silent for long.
    pub(super) async fn run(&self, front: &Datagrams, drained: impl Future<Output = ()>) -> StreamRecord {
        let status = match self.converse(front, drained).await {
            End::Over => StreamStatus::Served,
            End::Broken(error) => {
                tracing::debug!(client = %self.key.client, endpoint = %self.endpoint, %error, "UDP session broken");
                if self.replied.get() == 0 { StreamStatus::Unreachable } else { StreamStatus::Served }
            }
        };
        self.live.metrics.ended(status);
        StreamRecord {
            ended: SystemTime::now(),
            remote_address: self.key.client.ip().to_canonical(),
            protocol: StreamProtocol::Udp,
            status,
            sent: self.sent.get(),
            received: self.received.get(),
            time: self.began.elapsed(),
        }
    }

    async fn converse(&self, front: &Datagrams, drained: impl Future<Output = ()>) -> End {
        let mut idle = self.live.source.idle;
        let mut is_draining = false;
        let (mut timer, mut drained) = (pin!(sleep(idle)), pin!(drained));
        let mut left = pin!(self.live.backend.place.left(self.endpoint));
        loop {
            tokio::select! {
                ready = self.socket.ready(Interest::READABLE | Interest::ERROR) => match ready.and_then(|ready| self.look(front, ready)) {
                    Ok(true) => return End::Over,
                    Ok(false) => {}
                    Err(error) => return End::Broken(error),
                },
                () = &mut timer => match self.last.get().checked_add(idle) {
                    Some(due) if due > Instant::now() => timer.as_mut().reset(due),
                    _ => return End::Over,
                },
                () = &mut left => return End::Over,
                () = self.closed.notified() => return End::Over,
                () = &mut drained, if !is_draining => {
                    is_draining = true;
                    idle = idle.min(LAST_REPLIES);
                    timer.as_mut().reset(Instant::now());
                }
            }
        }
    }

    /// What there is: replies, or the news that nobody takes datagrams at the endpoint's port (ICMP, RFC 1122 section
    /// 4.1.3.3). Returns whether all replies have come that are expected.
    fn look(&self, front: &Datagrams, ready: Ready) -> io::Result<bool> {
        if ready.is_error() {
            // Sending may have been told already.
            let error = self.socket.take_error()?;
            return Err(error.unwrap_or_else(|| io::ErrorKind::ConnectionRefused.into()));
        }
        self.pass_on(front)
    }

    /// Passes the replies on that are there. Returns whether all have come that are expected.
    fn pass_on(&self, front: &Datagrams) -> io::Result<bool> {
        let mut buffer = buffers::take();
        let passed = (0..ROUNDS).find_map(|_| self.pass_on_one(front, &mut buffer));
        buffers::give(buffer);
        passed.unwrap_or(Ok(false))
    }

    /// None: there may be more.
    fn pass_on_one(&self, front: &Datagrams, buffer: &mut [u8]) -> Option<io::Result<bool>> {
        let length = match self.socket.try_recv(buffer) {
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Some(Ok(false)),
            Err(error) => return Some(Err(error)),
        };
        self.last.set(Instant::now());
        self.replied.set(self.replied.get().saturating_add(1));
        match front.reply(self.key, buffer.get(..length).unwrap_or_default()) {
            Ok(()) => {
                count(&self.sent, length);
                self.live.metrics.sent.fetch_add(bytes(length), Relaxed);
            }
            Err(error) => {
                tracing::debug!(client = %self.key.client, %error, "a reply is lost");
                self.live.metrics.dropped(Dropped::Unsent);
            }
        }
        self.has_all_replies().then_some(Ok(true))
    }

    fn has_all_replies(&self) -> bool {
        let expected = self.live.source.replies.map(|each| self.asked.get().saturating_mul(each.get().into()));
        expected.is_some_and(|expected| self.replied.get() >= expected)
    }
}

fn count(sum: &Cell<u64>, length: usize) {
    sum.set(sum.get().saturating_add(bytes(length)));
}

fn bytes(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
