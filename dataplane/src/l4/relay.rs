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

use super::{
    buffers,
    pipes::{self, Pipe},
};

/// How many bytes one side may send before the other tasks of the worker get their turn.
const TURN: u64 = 1 << 20;

/// A read that gives as many bytes gives much.
const MUCH: usize = buffers::SIZE / 2;

/// After as many reads in a row that gave much, the kernel moves the bytes by itself: two calls as before, but for many
/// more bytes. With few of them the copy costs less.
const BULK: u8 = 4;

/// How it ended.
#[derive(Debug)]
pub enum End {
    /// Both sides have sent all.
    Whole,
    /// Neither side sent anything for too long.
    Idle,
    /// The worker leaves, and cannot wait any longer.
    Cut,
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
    let mut up = Half::new(client, endpoint, up);
    let mut down = Half::new(endpoint, client, down);
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
    /// What was read and not taken yet.
    held: Option<Held>,
    /// How many reads in a row have given much.
    much: u8,
    count: &'b mut Count<'c>,
    done: bool,
}

/// Bytes on their way.
enum Held {
    /// In a buffer, from where to where.
    Buffer(Box<[u8]>, usize, usize),
    /// So many, in a pipe.
    Pipe(Pipe, usize),
}

impl<'a, 'b, 'c> Half<'a, 'b, 'c> {
    fn new(from: &'a TcpStream, to: &'a TcpStream, count: &'b mut Count<'c>) -> Self {
        Self { from, to, held: None, much: 0, count, done: false }
    }

    /// Ready when the direction has ended.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.done {
            return Poll::Ready(Ok(()));
        }
        let end_of_turn = self.count.own.saturating_add(TURN);
        while self.count.own < end_of_turn {
            ready!(self.poll_held(cx))?;
            ready!(self.from.poll_read_ready(cx))?;
            if self.take_in()? {
                socket2::SockRef::from(self.to).shutdown(Shutdown::Write)?;
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
        while self.held.is_some() {
            ready!(self.to.poll_write_ready(cx))?;
            self.let_out()?;
        }
        Poll::Ready(Ok(()))
    }

    /// Reads once. Returns whether there was nothing and never will be.
    fn take_in(&mut self) -> io::Result<bool> {
        let read = match if self.much >= BULK { pipes::take() } else { None } {
            Some(pipe) => self.take_into_pipe(pipe),
            None => self.take_into_buffer(),
        };
        match read {
            Ok(0) => return Ok(true),
            Ok(read) if read >= MUCH => self.much = self.much.saturating_add(1),
            Ok(_) => self.much = 0,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
            Err(error) => return Err(error),
        }
        // Most of the time there is room at once.
        self.let_out()?;
        Ok(false)
    }

    fn take_into_buffer(&mut self) -> io::Result<usize> {
        let mut buffer = buffers::take();
        let read = self.from.try_read(&mut buffer);
        match read {
            Ok(length) if length > 0 => self.held = Some(Held::Buffer(buffer, 0, length)),
            _ => buffers::give(buffer),
        }
        read
    }

    fn take_into_pipe(&mut self, pipe: Pipe) -> io::Result<usize> {
        let read = pipe.fill(self.from);
        match read {
            Ok(length) if length > 0 => self.held = Some(Held::Pipe(pipe, length)),
            _ => pipes::give(pipe),
        }
        read
    }

    /// Writes once of what is held.
    fn let_out(&mut self) -> io::Result<()> {
        let Some(held) = &mut self.held else { return Ok(()) };
        let written = match held {
            Held::Buffer(buffer, at, end) => self.to.try_write(buffer.get(*at..*end).unwrap_or_default()),
            Held::Pipe(pipe, length) => pipe.drain(self.to, *length),
        };
        let written = match written {
            Ok(written) => written,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        };
        self.count.add(written);
        let is_empty = match held {
            Held::Buffer(_, at, end) => {
                *at = at.saturating_add(written);
                *at >= *end
            }
            Held::Pipe(_, length) => {
                *length = length.saturating_sub(written);
                *length == 0
            }
        };
        if is_empty {
            match self.held.take() {
                Some(Held::Buffer(buffer, ..)) => buffers::give(buffer),
                Some(Held::Pipe(pipe, _)) => pipes::give(pipe),
                None => {}
            }
        }
        Ok(())
    }
}

impl Drop for Half<'_, '_, '_> {
    fn drop(&mut self) {
        // A pipe with bytes in it is nobody's any more.
        if let Some(Held::Buffer(buffer, ..)) = self.held.take() {
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
