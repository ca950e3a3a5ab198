//! What a client in the clear speaks: HTTP/2 begins with words of its own (RFC 9113 section 3.4), and who knows that it
//! is spoken here may begin with them.

use std::{
    future::Future,
    io,
    pin::Pin,
    task::{Context, Poll},
};

use tokio::io::{AsyncRead, AsyncWrite};

use super::{io::ClientIo, watched::Conversation};

/// Reads until it is certain what is spoken.
pub struct Sniff<'a, S> {
    io: &'a mut ClientIo<S>,
    ended: bool,
}

impl<'a, S> Sniff<'a, S> {
    /// Looks at the first bytes of `io`, and leaves them there.
    pub fn new(io: &'a mut ClientIo<S>) -> Self {
        Self { io, ended: false }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Future for Sniff<'_, S> {
    /// Whether it is HTTP/2; none: the connection ends before anybody knows.
    type Output = io::Result<Option<bool>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if self.ended {
            return Poll::Ready(Ok(None));
        }
        self.io.poll_preface(cx).map_ok(Some)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Conversation for Sniff<'_, S> {
    fn end_gracefully(mut self: Pin<&mut Self>) {
        self.ended = true;
    }
}
