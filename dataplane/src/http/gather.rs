//! What HTTP/2 writes, gathered: its frames are small, many of them are ready at a time, and each would be a TLS record
//! and a system call of its own.

use std::{
    cell::RefCell,
    io,
    pin::Pin,
    rc::Rc,
    sync::Arc,
    task::{Context, Poll, ready},
};

use h2::Reason;
use http::StatusCode;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{frames::Frames, io::PREFACE};
use crate::exchange::Socket;

/// A write of this many bytes is worth a system call, and not a copy.
const LARGE: usize = 8 << 10;

/// How much is gathered at most.
const MOST: usize = 16 << 10;

/// A stream whose flush means nothing: what was written goes out with [`Gather::poll_send`], after everybody wrote.
pub struct Gather<S>(Rc<RefCell<Gathered<S>>>);

struct Gathered<S> {
    stream: S,
    socket: Arc<Socket>,
    buffer: Vec<u8>,
    /// How much of the buffer was sent already.
    sent: usize,
    /// What the client sends.
    frames: Frames,
}

impl<S> Clone for Gather<S> {
    fn clone(&self) -> Self {
        Self(Rc::clone(&self.0))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Gather<S> {
    /// Nothing is gathered yet. `socket` is told where the client is refused.
    pub fn new(stream: S, socket: Arc<Socket>) -> Self {
        Self(Rc::new(RefCell::new(Gathered {
            stream,
            socket,
            buffer: Vec::new(),
            sent: 0,
            frames: Frames::after(PREFACE.len()),
        })))
    }

    /// Sends what was gathered.
    ///
    /// # Errors
    /// Those of the stream.
    pub fn poll_send(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.borrow_mut().poll_send(cx)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Gathered<S> {
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_empty(cx))?;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_empty(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(rest) = self.buffer.get(self.sent..).filter(|rest| !rest.is_empty()) {
            let count = ready!(Pin::new(&mut self.stream).poll_write(cx, rest))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.sent = self.sent.saturating_add(count);
        }
        self.buffer.clear();
        self.sent = 0;
        Poll::Ready(Ok(()))
    }

    /// Says why the connection ends (RFC 9113 section 6.8). No stream is named as the last one that may have been acted
    /// on: all may.
    fn refuse(&mut self, reason: Reason) -> io::Error {
        tracing::debug!(%reason, "client connection refused");
        self.socket.refuse(StatusCode::BAD_REQUEST);
        let [c0, c1, c2, c3] = u32::from(reason).to_be_bytes();
        self.buffer.extend_from_slice(&[0, 0, 8, 7, 0, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff, c0, c1, c2, c3]);
        io::Error::new(io::ErrorKind::InvalidData, reason.description())
    }

    /// Makes room for `length` bytes in the buffer; false where they are to bypass it.
    fn poll_room(&mut self, cx: &mut Context<'_>, length: usize) -> Poll<io::Result<bool>> {
        if length >= LARGE || self.buffer.len().saturating_add(length) > MOST {
            ready!(self.poll_empty(cx))?;
        }
        Poll::Ready(Ok(length < LARGE))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Gather<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self.0.borrow_mut();
        let before = buf.filled().len();
        ready!(Pin::new(&mut this.stream).poll_read(cx, buf))?;
        let came = buf.filled().get(before..).unwrap_or_default();
        Poll::Ready(this.frames.pass(came).map_err(|reason| this.refuse(reason)))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Gather<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = &mut *self.0.borrow_mut();
        if !ready!(this.poll_room(cx, buf.len()))? {
            return Pin::new(&mut this.stream).poll_write(cx, buf);
        }
        this.buffer.extend_from_slice(buf);
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self.0.borrow_mut();
        let length = bufs.iter().map(|buf| buf.len()).fold(0, usize::saturating_add);
        if !ready!(this.poll_room(cx, length))? {
            return Pin::new(&mut this.stream).poll_write_vectored(cx, bufs);
        }
        for buf in bufs {
            this.buffer.extend_from_slice(buf);
        }
        Poll::Ready(Ok(length))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self.0.borrow_mut();
        ready!(this.poll_empty(cx))?;
        Pin::new(&mut this.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use snapshot::HttpOptions;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    async fn send(gather: &Gather<tokio::io::DuplexStream>) {
        std::future::poll_fn(|cx| gather.poll_send(cx)).await.unwrap();
    }

    #[tokio::test]
    async fn small_writes_go_out_together() {
        let (stream, mut peer) = tokio::io::duplex(1 << 20);
        let mut gather = Gather::new(stream, Arc::new(Socket::new(&HttpOptions::default())));
        for part in [b"one ", b"two "] {
            gather.write_all(part).await.unwrap();
            gather.flush().await.unwrap();
        }
        let mut buffer = [0; 64];
        let early = tokio::time::timeout(std::time::Duration::from_millis(20), peer.read(&mut buffer)).await;
        assert!(early.is_err(), "{early:?}");
        send(&gather).await;
        let count = peer.read(&mut buffer).await.unwrap();
        assert_eq!(&buffer[..count], b"one two ");
    }

    #[tokio::test]
    async fn the_order_stays_whatever_the_sizes_and_however_little_the_peer_takes() {
        let (stream, mut peer) = tokio::io::duplex(100);
        let mut gather = Gather::new(stream, Arc::new(Socket::new(&HttpOptions::default())));
        let mut expected = Vec::new();
        let writes: Vec<Vec<u8>> =
            [10, LARGE, 3, MOST * 2, LARGE - 1, LARGE - 1, LARGE - 1, 1].iter().map(|&n| vec![n as u8; n]).collect();
        expected.extend(writes.concat());
        let reader = tokio::spawn(async move {
            let mut all = Vec::new();
            peer.read_to_end(&mut all).await.unwrap();
            all
        });
        for write in &writes {
            gather.write_all(write).await.unwrap();
        }
        gather.shutdown().await.unwrap();
        drop(gather);
        assert!(reader.await.unwrap() == expected);
    }
}
