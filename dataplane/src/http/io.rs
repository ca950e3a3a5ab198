//! The bytes of a client connection: counts those of a head, and ends the connection where a head cannot be taken.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use http::StatusCode;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::exchange::{Socket, Wait};

/// How long a client may take none of an answer (nginx's `send_timeout`).
const SEND_TIMEOUT: Duration = Duration::from_secs(60);

/// A client connection's stream.
pub struct ClientIo<S> {
    stream: S,
    socket: Arc<Socket>,
}

impl<S> ClientIo<S> {
    /// Watches over `stream` for `socket`.
    pub fn new(stream: S, socket: Arc<Socket>) -> Self {
        Self { stream, socket }
    }
}

impl<S: AsyncWrite + Unpin> ClientIo<S> {
    /// Says why, as far as the connection takes it at once, and ends. hyper answers only what it could read to the
    /// end; between two requests it has nothing of its own to write.
    fn refuse(&mut self, cx: &mut Context<'_>, status: StatusCode) -> io::Error {
        self.socket.refuse(status);
        if !self.socket.deadlines.is_set(Wait::Write) {
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

    fn watch<T>(&self, result: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        let deadlines = &self.socket.deadlines;
        match (result.is_ready(), deadlines.is_set(Wait::Write)) {
            (false, false) => deadlines.set(Wait::Write, SEND_TIMEOUT),
            (true, true) => deadlines.clear(Wait::Write),
            _ => {}
        }
        result
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for ClientIo<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if let Some(status) = self.socket.refusal() {
            return Poll::Ready(Err(self.refuse(cx, status)));
        }
        if self.socket.head_is_too_large() {
            return Poll::Ready(Err(self.refuse(cx, StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE)));
        }
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        self.socket.received(buf.filled().len().saturating_sub(before));
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for ClientIo<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.watch(result)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
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
