//! An answer's body while it comes from an upstream.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Body as _, Frame, SizeHint};
use hyper::body::Incoming;

use super::{BodyError, Cause, Lease, Sender, Socket, Wait};

/// An answer's body from an upstream.
#[derive(Debug)]
pub struct UpstreamBody {
    incoming: Incoming,
    /// The upstream connection; it goes back to its pool at the end of the body, and is closed before it.
    lease: Option<Lease>,
    socket: Arc<Socket>,
    patience: Duration,
    waiting: bool,
    /// It is cut short, and whoever sends it on is about to be told.
    broken: bool,
}

impl UpstreamBody {
    /// A body of whose bytes none may be later than `patience` after the one before. The limit is kept by the task of
    /// the client's connection, which is who polls this.
    pub fn new(incoming: Incoming, lease: Lease, socket: Arc<Socket>, patience: Duration) -> Self {
        let mut body = Self { incoming, lease: Some(lease), socket, patience, waiting: false, broken: false };
        body.give_back_at_end();
        body
    }

    /// The next piece.
    pub fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if self.broken {
            return Poll::Ready(Some(Err(BodyError(Cause::BadAnswer))));
        }
        let next = match self.poll_incoming(cx) {
            Poll::Ready(next) => next,
            Poll::Pending => return self.keep_waiting(),
        };
        if std::mem::take(&mut self.waiting) {
            self.socket.deadlines.clear(Wait::Exchange);
        }
        match next {
            None => {
                self.give_back();
                Poll::Ready(None)
            }
            Some(Err(_)) => {
                // What came before is sent first: with the error it would be dropped.
                self.broken = true;
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            Some(Ok(frame)) => {
                self.give_back_at_end();
                Poll::Ready(Some(Ok(frame)))
            }
        }
    }

    /// Whether nothing is left.
    pub fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    /// What is left, as far as it is known.
    pub fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }

    fn poll_incoming(&mut self, cx: &mut Context<'_>) -> Poll<Option<hyper::Result<Frame<Bytes>>>> {
        let incoming = &mut self.incoming;
        match &mut self.lease {
            Some(Lease { sender: Sender::Http1(_, driver), .. }) if !driver.is_detached() => {
                driver.poll_after(cx, |cx| Pin::new(&mut *incoming).poll_frame(cx))
            }
            _ => Pin::new(incoming).poll_frame(cx),
        }
    }

    fn keep_waiting(&mut self) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if !std::mem::replace(&mut self.waiting, true) {
            self.socket.deadlines.set(Wait::Exchange, self.patience);
        } else if self.socket.deadlines.passed(Wait::Exchange) {
            return Poll::Ready(Some(Err(BodyError(Cause::ReadTimeout))));
        }
        Poll::Pending
    }

    fn give_back_at_end(&mut self) {
        if self.incoming.is_end_stream() {
            self.give_back();
        }
    }

    fn give_back(&mut self) {
        if let Some(lease) = self.lease.take() {
            lease.give_back();
        }
    }
}
