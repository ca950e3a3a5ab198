//! What a client connection's IO, its task and the request in flight share.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU8, AtomicU16, AtomicU32, Ordering::Relaxed},
    },
    time::Duration,
};

use http::StatusCode;
use memchr::{memchr_iter, memchr2};
use snapshot::HttpOptions;

use super::{Deadlines, Wait, traffic::Traffic};

/// Where a connection is between two requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// No byte of the next request has come.
    Idle = 0,
    /// Its head has begun.
    Head = 1,
    /// A request is being answered.
    Busy = 2,
    /// It speaks HTTP/2: there is no such order of things.
    Shared = 3,
}

/// The state of one client connection, or of one stream of an HTTP/2 connection. Atomics because hyper wants its IO to
/// be `Send`; one thread alone uses them.
#[derive(Debug)]
pub struct Socket {
    /// The time limits.
    pub deadlines: Deadlines,
    phase: AtomicU8,
    head_bytes: AtomicU32,
    /// Ends of lines that came since the head began.
    lines: AtomicU32,
    refusal: AtomicU16,
    max_head: u32,
    header_timeout: Duration,
    idle_timeout: Duration,
    /// How long the client may take none of an answer.
    pub send_timeout: Duration,
    traffic: Traffic,
    /// The connection that this is a stream of.
    connection: Option<Arc<Self>>,
}

impl Socket {
    /// A connection that has just been accepted and waits for its first request.
    pub fn new(options: &HttpOptions) -> Self {
        let socket = Self {
            deadlines: Deadlines::new(),
            phase: AtomicU8::new(Phase::Idle as u8),
            head_bytes: AtomicU32::new(0),
            lines: AtomicU32::new(0),
            refusal: AtomicU16::new(0),
            max_head: options.head.total,
            header_timeout: options.header_timeout,
            send_timeout: options.send_timeout,
            // `keep-alive: 0` means no re-use, not that a new connection may wait for no time at all.
            idle_timeout: if options.keep_alive.idle.is_zero() {
                options.header_timeout
            } else {
                options.keep_alive.idle
            },
            traffic: Traffic::default(),
            connection: None,
        };
        socket.rest();
        socket
    }

    /// A request of an HTTP/2 connection: it has time limits of its own.
    pub fn stream(connection: &Arc<Self>) -> Self {
        connection.traffic.request();
        Self {
            deadlines: Deadlines::new(),
            phase: AtomicU8::new(Phase::Busy as u8),
            head_bytes: AtomicU32::new(0),
            lines: AtomicU32::new(0),
            refusal: AtomicU16::new(0),
            max_head: connection.max_head,
            header_timeout: connection.header_timeout,
            idle_timeout: connection.idle_timeout,
            send_timeout: connection.send_timeout,
            traffic: Traffic::default(),
            connection: Some(Arc::clone(connection)),
        }
    }

    /// The connection speaks HTTP/2 from now on.
    pub fn share(&self) {
        self.enter(Phase::Shared);
        self.rest();
    }

    /// Whether this is a connection that speaks HTTP/2.
    pub fn is_shared(&self) -> bool {
        self.is(Phase::Shared)
    }

    /// Whether this is one stream of several.
    pub fn is_stream(&self) -> bool {
        self.connection.is_some()
    }

    /// Bytes came from the client.
    pub fn received(&self, new: &[u8]) {
        let count = new.len();
        if count == 0 || self.is(Phase::Busy) {
            return;
        }
        if self.is(Phase::Shared) {
            return self.received_frames(count);
        }
        if self.is(Phase::Idle) {
            self.enter(Phase::Head);
            self.head_bytes.store(0, Relaxed);
            self.lines.store(0, Relaxed);
            self.deadlines.set(Wait::Client, self.header_timeout);
        }
        if self.is_in_first_line() {
            self.received_line(new);
        }
        let lines = memchr_iter(b'\n', new).count();
        self.lines.store(self.lines.load(Relaxed).saturating_add(u32::try_from(lines).unwrap_or(u32::MAX)), Relaxed);
        let bytes = self.head_bytes.load(Relaxed);
        self.head_bytes.store(bytes.saturating_add(u32::try_from(count).unwrap_or(u32::MAX)), Relaxed);
    }

    /// Bytes of a message passed, in either direction.
    pub fn used(&self, bytes: u64) {
        if let Some(connection) = &self.connection {
            connection.traffic.used(bytes);
        }
    }

    /// The client left before the head of its answer.
    pub fn left(&self) {
        if let Some(connection) = &self.connection {
            connection.traffic.taken_back();
        }
    }

    /// A request's head is complete.
    pub fn begin(&self) {
        self.enter(Phase::Busy);
        self.deadlines.clear(Wait::Client);
    }

    /// A request was answered: the next one is awaited. A stream has no next one; what is left is for the client to
    /// take, and its task ends when it has.
    pub fn rest(&self) {
        self.deadlines.clear(Wait::Exchange);
        if self.is_stream() {
            return self.deadlines.set(Wait::Write, self.send_timeout);
        }
        self.enter(Phase::Idle);
        self.deadlines.set(Wait::Client, self.idle_timeout);
    }

    /// A piece of an answer is there for a stream, and the client is to take it.
    pub fn offered(&self) {
        if self.is_stream() {
            self.deadlines.set(Wait::Write, self.send_timeout);
        }
    }

    /// The client has taken what there was for a stream.
    pub fn taken(&self) {
        if self.is_stream() {
            self.deadlines.clear(Wait::Write);
        }
    }

    /// Whether a request's head has begun and is not complete.
    pub fn is_in_head(&self) -> bool {
        self.is(Phase::Head)
    }

    /// With which status a head is to be refused of which more bytes came than a whole one may have: 414 where that is
    /// due to its first line, else 431.
    pub fn oversize(&self) -> Option<StatusCode> {
        let is_too_large = self.is(Phase::Head) && self.head_bytes.load(Relaxed) > self.max_head;
        let status = if self.is_in_first_line() {
            StatusCode::URI_TOO_LONG
        } else {
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE
        };
        is_too_large.then_some(status)
    }

    /// The connection is to end with this status: its head cannot be taken.
    pub fn refuse(&self, status: StatusCode) {
        self.refusal.store(status.as_u16(), Relaxed);
    }

    /// With which status the connection is to end, if it is.
    pub fn refusal(&self) -> Option<StatusCode> {
        match self.refusal.load(Relaxed) {
            0 => None,
            status => StatusCode::from_u16(status).ok(),
        }
    }

    /// A target has no fragment (RFC 9112 section 3.2), and hyper drops it before we see it. Of a request that came
    /// together with the end of the one before, it is dropped: nobody gets to see it.
    fn received_line(&self, new: &[u8]) {
        let end = memchr2(b'\n', b'#', new).and_then(|index| new.get(index));
        if end == Some(&b'#') {
            self.refuse(StatusCode::BAD_REQUEST);
        }
    }

    fn is_in_first_line(&self) -> bool {
        self.lines.load(Relaxed) == 0
    }

    /// Whether a head is incomplete that has not had more than so many lines.
    pub fn is_in_head_of_at_most(&self, lines: u32) -> bool {
        self.is(Phase::Head) && self.lines.load(Relaxed) <= lines
    }

    fn received_frames(&self, count: usize) {
        self.traffic.received(count);
        if self.traffic.is_flood() {
            self.refuse(StatusCode::BAD_REQUEST);
        }
    }

    fn is(&self, phase: Phase) -> bool {
        self.phase.load(Relaxed) == phase as u8
    }

    fn enter(&self, phase: Phase) {
        if !self.is(Phase::Shared) {
            self.phase.store(phase as u8, Relaxed);
        }
    }
}
