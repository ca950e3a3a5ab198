//! The bytes of a client connection: counts those of a head, and ends the connection where a head cannot be taken.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use http::StatusCode;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::exchange::{Socket, Wait};

/// What an HTTP/2 client says first (RFC 9113 section 3.4).
pub const PREFACE: [u8; 24] = *b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Fields of a head with more of which hyper answers 431. A line more is the request's own.
const MOST_FIELDS: u32 = 100;

/// A client connection's stream.
pub struct ClientIo<S> {
    stream: S,
    socket: Arc<Socket>,
    /// Bytes that were looked at before anybody read them. They all are the preface's but the last ones.
    first: First,
}

/// The first bytes of a connection, as many as it takes to tell what is spoken.
#[derive(Default)]
struct First {
    bytes: [u8; PREFACE.len()],
    /// How many came.
    held: usize,
    /// How many were read.
    read: usize,
}

impl First {
    fn unread(&self) -> &[u8] {
        self.bytes.get(self.read..self.held).unwrap_or_default()
    }

    fn is_preface(&self) -> bool {
        self.bytes == PREFACE
    }

    /// Whether they may still become the preface.
    fn may_be_preface(&self) -> bool {
        self.bytes.get(..self.held).is_some_and(|bytes| PREFACE.starts_with(bytes))
    }
}

impl<S> ClientIo<S> {
    /// Watches over `stream` for `socket`.
    pub fn new(stream: S, socket: Arc<Socket>) -> Self {
        Self { stream, socket, first: First::default() }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> ClientIo<S> {
    /// Whether the client speaks HTTP/2: looks at its first bytes, and leaves them to be read.
    ///
    /// # Errors
    /// The connection broke, or it took too long.
    pub fn poll_preface(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        while self.first.may_be_preface() && !self.first.is_preface() {
            let mut bytes = self.first.bytes;
            let mut buf = ReadBuf::new(bytes.get_mut(self.first.held..).unwrap_or_default());
            ready!(self.poll_receive(cx, &mut buf))?;
            let count = buf.filled().len();
            if count == 0 {
                return Poll::Ready(Ok(false));
            }
            self.first.bytes = bytes;
            self.first.held = self.first.held.saturating_add(count);
        }
        Poll::Ready(Ok(self.first.is_preface()))
    }

    fn poll_receive(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if let Some(status) = self.socket.refusal().or_else(|| self.socket.oversize()) {
            return Poll::Ready(Err(self.refuse(cx, status)));
        }
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        self.socket.received(buf.filled().get(before..).unwrap_or_default());
        match self.socket.refusal() {
            Some(status) => Poll::Ready(Err(self.refuse(cx, status))),
            None => Poll::Ready(Ok(())),
        }
    }
}

impl<S: AsyncWrite + Unpin> ClientIo<S> {
    /// Says why, as far as the connection takes it at once, and ends. hyper answers only what it could read to the
    /// end; between two requests it has nothing of its own to write.
    fn refuse(&mut self, cx: &mut Context<'_>, status: StatusCode) -> io::Error {
        self.socket.refuse(status);
        if !self.socket.deadlines.is_set(Wait::Write) && !self.socket.is_shared() {
            let text = format!(
                "HTTP/1.1 {} {}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
                status.as_str(),
                status.canonical_reason().unwrap_or_default()
            );
            // Whatever does not fit is lost with the connection.
            if Pin::new(&mut self.stream).poll_write(cx, text.as_bytes()).is_ready() {
                let _ = Pin::new(&mut self.stream).poll_flush(cx);
            }
        }
        io::ErrorKind::InvalidData.into()
    }

    /// Whether hyper is about to answer 431 to a head that has not too many fields: what it found too large is a
    /// `Content-Length`, which is no more than a bad request. Before a head has ended nobody else writes.
    fn is_wrong_refusal(&self, text: &[u8]) -> bool {
        self.socket.is_in_head_of_at_most(MOST_FIELDS.saturating_add(1)) && text.starts_with(b"HTTP/1.1 431 ")
    }

    fn watch<T>(&self, result: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        let deadlines = &self.socket.deadlines;
        match (result.is_ready(), deadlines.is_set(Wait::Write)) {
            (false, false) => deadlines.set(Wait::Write, self.socket.send_timeout),
            (true, true) => deadlines.clear(Wait::Write),
            _ => {}
        }
        result
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for ClientIo<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let first = this.first.unread();
        if first.is_empty() {
            return this.poll_receive(cx, buf);
        }
        let (now, _) = first.split_at(first.len().min(buf.remaining()));
        buf.put_slice(now);
        this.first.read = this.first.read.saturating_add(now.len());
        // The rest with them: hyper doubles its buffer for what follows a part of a head, and keeps it that large. An
        // error comes again with the next read.
        if buf.remaining() > 0 {
            let _ = this.poll_receive(cx, buf);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for ClientIo<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        if self.is_wrong_refusal(buf) {
            return Poll::Ready(Err(self.refuse(cx, StatusCode::BAD_REQUEST)));
        }
        let result = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.watch(result)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if bufs.first().is_some_and(|first| self.is_wrong_refusal(first)) {
            return Poll::Ready(Err(self.refuse(cx, StatusCode::BAD_REQUEST)));
        }
        let stream = Pin::new(&mut self.stream);
        let result = match bufs {
            [one] => stream.poll_write(cx, one), // the kernel does less for it
            _ => stream.poll_write_vectored(cx, bufs),
        };
        self.watch(result)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
