//! The task of a client connection: its time limits, and how it ends when the worker leaves.

use std::{
    future::Future,
    pin::{Pin, pin},
    task::{Context as TaskContext, Poll},
    time::Duration,
};

use http::StatusCode;

use super::connection::Connection;
use crate::exchange::{Wait, Watchdog};

/// How long a new connection may take to its first request when the worker is leaving.
const FIRST_REQUEST: Duration = Duration::from_secs(1);

/// How long a client may take to leave that was told to.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// What a connection's task does, and can be told to end: hyper's connections, and whatever comes before them.
pub trait Conversation: Future {
    /// Ends after what is being answered.
    fn end_gracefully(self: Pin<&mut Self>);
}

/// How a connection ended.
pub enum End<T> {
    /// By itself.
    Done(T),
    /// The client took nothing of the answer for too long, or did not leave.
    Stuck,
}

/// Runs a conversation within the connection's time limits.
///
/// The conversation is borrowed, because a future that is given to another one takes its room twice.
pub async fn watched<H: Conversation>(http: Pin<&mut H>, connection: &Connection) -> End<H::Output> {
    Watched { http, watchdog: Watchdog::default(), connection, told_to_leave: false }.run().await
}

struct Watched<'a, H> {
    http: Pin<&'a mut H>,
    watchdog: Watchdog,
    connection: &'a Connection,
    told_to_leave: bool,
}

impl<H: Conversation> Watched<'_, H> {
    async fn run(mut self) -> End<H::Output> {
        let context = &self.connection.context;
        let mut drain = pin!(context.drain.notified());
        let (mut told, mut listens) = (false, false);
        std::future::poll_fn(|cx| {
            // What has come by now is read before anything ends: it may be a request.
            let polled = self.poll(cx);
            if told || polled.is_ready() {
                return polled;
            }
            if context.is_draining() {
                told = true;
                self.leave();
                return self.poll(cx);
            }
            if !listens {
                // Once is enough: it wakes this task, which has one waker.
                listens = drain.as_mut().poll(cx).is_pending();
            }
            Poll::Pending
        })
        .await
    }

    /// The worker is leaving. A connection that has had a request ends after the one it is at, or at once; one that is
    /// new has been opened for a request which is on its way, and gets it answered. So does one of which half a head is
    /// here: with the answer it ends.
    fn leave(&mut self) {
        if self.connection.socket.is_in_head() {
            return;
        }
        if self.connection.has_been_asked() {
            self.http.as_mut().end_gracefully();
        } else {
            self.connection.socket.deadlines.set(Wait::Client, FIRST_REQUEST);
        }
    }

    fn poll(&mut self, cx: &mut TaskContext<'_>) -> Poll<End<H::Output>> {
        loop {
            if let Poll::Ready(result) = self.http.as_mut().poll(cx) {
                return Poll::Ready(End::Done(result));
            }
            let deadlines = &self.connection.socket.deadlines;
            if self.watchdog.poll(cx, deadlines).is_pending() {
                return Poll::Pending;
            }
            let waited_in_vain = deadlines.passed(Wait::Client) && self.connection.streams.get() == 0;
            if deadlines.passed(Wait::Write) || (waited_in_vain && self.told_to_leave) {
                return Poll::Ready(End::Stuck);
            }
            if waited_in_vain {
                self.end_waiting();
            } else if deadlines.passed(Wait::Client) {
                // It is not idle. Whoever answers its last request has no way to wake this task, so it looks again.
                self.connection.socket.rest();
            }
        }
    }

    /// The client sent no request: an idle connection is closed silently, a head that had begun gets 408.
    fn end_waiting(&mut self) {
        let socket = &self.connection.socket;
        socket.deadlines.clear(Wait::Client);
        if socket.is_in_head() {
            return socket.refuse(StatusCode::REQUEST_TIMEOUT);
        }
        self.http.as_mut().end_gracefully();
        if socket.is_shared() {
            // An HTTP/2 client has its part in a graceful end, and may not play it.
            self.told_to_leave = true;
            socket.deadlines.set(Wait::Client, LAST_WORDS);
        }
    }
}
