//! Pipes of one worker thread, by which the kernel moves bytes from one socket to another without showing them to us
//! (splice(2)). Lent while bytes are on their way; a session that is silent holds none.

use std::{
    cell::{Cell, RefCell},
    io,
    os::fd::OwnedFd,
};

use rustix::pipe::{PipeFlags, SpliceFlags, fcntl_setpipe_size, pipe_with, splice};
use tokio::{io::Interest, net::TcpStream};

/// Bytes that a pipe is to take. An unprivileged user gets no more, and for a large number of pipes less.
const SIZE: usize = 1 << 20;

/// Pipes of one worker at most: each is two open files, and memory of the kernel while it is full.
const MOST: usize = 16;

thread_local! {
    static IDLE: RefCell<Vec<Pipe>> = const { RefCell::new(Vec::new()) };
    static OPEN: Cell<usize> = const { Cell::new(0) };
}

/// A pipe.
#[derive(Debug)]
pub struct Pipe {
    read: OwnedFd,
    write: OwnedFd,
    _counted: Counted,
}

/// An empty one; none where the worker has as many as it may have, or the process no more open files.
pub fn take() -> Option<Pipe> {
    IDLE.with(|idle| idle.borrow_mut().pop()).or_else(|| if OPEN.get() < MOST { Pipe::open().ok() } else { None })
}

/// Gives an empty one back.
pub fn give(pipe: Pipe) {
    IDLE.with(|idle| idle.borrow_mut().push(pipe));
}

impl Pipe {
    fn open() -> io::Result<Self> {
        let (read, write) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
        // A smaller one does it too, with more calls.
        fcntl_setpipe_size(&write, SIZE).ok();
        Ok(Self { read, write, _counted: Counted::new() })
    }

    /// Takes in what there is to read, as far as there is room. 0: the stream has ended.
    pub fn fill(&self, from: &TcpStream) -> io::Result<usize> {
        from.try_io(Interest::READABLE, || Ok(splice(from, None, &self.write, None, SIZE, flags())?))
    }

    /// Lets out what the stream takes of `length` bytes that are in it.
    pub fn drain(&self, to: &TcpStream, length: usize) -> io::Result<usize> {
        to.try_io(Interest::WRITABLE, || Ok(splice(&self.read, None, to, None, length, flags())?))
    }
}

fn flags() -> SpliceFlags {
    SpliceFlags::MOVE | SpliceFlags::NONBLOCK
}

/// A pipe that is open.
#[derive(Debug)]
struct Counted;

impl Counted {
    fn new() -> Self {
        OPEN.set(OPEN.get().saturating_add(1));
        Self
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        // Nobody counts any more where the thread is ending.
        let _ = OPEN.try_with(|open| open.set(open.get().saturating_sub(1)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_only_so_many() {
        let mut taken: Vec<_> = std::iter::from_fn(take).take(MOST + 1).collect();
        assert_eq!(taken.len(), MOST);
        give(taken.pop().unwrap());
        taken.push(take().unwrap());
        assert!(take().is_none());
        drop(taken);
        assert_eq!(OPEN.get(), 0);
        assert!(take().is_some());
    }
}
