//! Bytes both ways between two sockets, until both sides have said that they are done.

use std::{
    io,
    net::Shutdown,
    pin::pin,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    net::TcpStream,
    time::{Instant, sleep},
};

use super::buffers;

/// How often one side is read before the other tasks of the worker get their turn.
const ROUNDS: usize = 16;

/// How it ended.
#[derive(Debug)]
pub enum End {
    /// Both sides have sent all.
    Whole,
    /// Neither side sent anything for too long.
    Idle,
    /// One of the connections broke.
    Broken(io::Error),
}

/// Bytes of one direction: of one session, and of all sessions of its service.
#[derive(Debug)]
pub struct Count<'a> {
    /// This session's.
    pub own: u64,
    /// Everybody's.
    pub all: &'a AtomicU64,
}

/// Passes bytes on both ways. Each side may end its direction and still receive (half-close, RFC 9293 section 3.6).
pub async fn relay(client: &TcpStream, endpoint: &TcpStream, idle: Duration, [up, down]: [&mut Count<'_>; 2]) -> End {
    let mut up = Half { from: client, to: endpoint, held: None, count: up, done: false };
    let mut down = Half { from: endpoint, to: client, held: None, count: down, done: false };
    let mut timer = pin!(sleep(idle));
    let mut last = Instant::now();
    std::future::poll_fn(|cx| {
        let before = (up.count.own, up.done, down.count.own, down.done);
        for half in [&mut up, &mut down] {
            if let Poll::Ready(Err(error)) = half.poll(cx) {
                return Poll::Ready(End::Broken(error));
            }
        }
        if up.done && down.done {
            return Poll::Ready(End::Whole);
        }
        if before != (up.count.own, up.done, down.count.own, down.done) {
            last = Instant::now();
        }
        // The timer is not moved with each byte: when it fires, it is seen whether it was right.
        while timer.as_mut().poll(cx).is_ready() {
            match last.checked_add(idle) {
                Some(due) if due > Instant::now() => timer.as_mut().reset(due),
                _ => return Poll::Ready(End::Idle),
            }
        }
        Poll::Pending
    })
    .await
}

/// One direction.
struct Half<'a, 'b, 'c> {
    from: &'a TcpStream,
    to: &'a TcpStream,
    /// What was read and not taken yet: the buffer, and from where to where.
    held: Option<(Box<[u8]>, usize, usize)>,
    count: &'b mut Count<'c>,
    done: bool,
}

impl Half<'_, '_, '_> {
    /// Ready when the direction has ended.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.done {
            return Poll::Ready(Ok(()));
        }
        for _ in 0..ROUNDS {
            ready!(self.poll_held(cx))?;
            ready!(self.from.poll_read_ready(cx))?;
            if self.pass_on()? {
                self.done = true;
                return Poll::Ready(Ok(()));
            }
        }
        // There may be more; others come first.
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Writes what is held.
    fn poll_held(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some((buffer, at, end)) = &mut self.held {
            ready!(self.to.poll_write_ready(cx))?;
            match self.to.try_write(buffer.get(*at..*end).unwrap_or_default()) {
                Ok(count) => {
                    *at = at.saturating_add(count);
                    let is_empty = *at >= *end;
                    self.count.add(count);
                    if is_empty && let Some((buffer, ..)) = self.held.take() {
                        buffers::give(buffer);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Reads once and writes what that gave, as far as it is taken at once. Returns whether there was nothing more to
    /// read and never will be.
    fn pass_on(&mut self) -> io::Result<bool> {
        let mut buffer = buffers::take();
        let read = match self.from.try_read(&mut buffer) {
            Ok(0) => {
                buffers::give(buffer);
                socket2::SockRef::from(self.to).shutdown(Shutdown::Write)?;
                return Ok(true);
            }
            Ok(read) => read,
            Err(error) => {
                buffers::give(buffer);
                return if error.kind() == io::ErrorKind::WouldBlock { Ok(false) } else { Err(error) };
            }
        };
        let written = match self.to.try_write(buffer.get(..read).unwrap_or_default()) {
            Ok(written) => written,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
            Err(error) => return Err(error),
        };
        self.count.add(written);
        if written < read {
            self.held = Some((buffer, written, read));
        } else {
            buffers::give(buffer);
        }
        Ok(false)
    }
}

impl Drop for Half<'_, '_, '_> {
    fn drop(&mut self) {
        if let Some((buffer, ..)) = self.held.take() {
            buffers::give(buffer);
        }
    }
}

impl Count<'_> {
    /// More bytes.
    pub fn add(&mut self, bytes: usize) {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        self.own = self.own.saturating_add(bytes);
        self.all.fetch_add(bytes, Relaxed);
    }
}
