//! A backend that costs next to nothing: bodies made beforehand, one thread, one epoll, `sendfile` for large ones.

mod connection;

use std::{
    collections::HashMap,
    net::{SocketAddr, TcpListener},
    os::fd::{AsFd, OwnedFd},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use anyhow::Result;
use rustix::{
    buffer::spare_capacity,
    event::{
        Timespec,
        epoll::{self, Event, EventData, EventFlags},
    },
};

use connection::{Answers, Connection, Next};

/// The paths that it knows; all others are 404.
pub const PATHS: [&str; 3] = ["/1k", "/100k", "/1m"];
/// The listener, among the epoll's events.
const LISTENER: u64 = u64::MAX;
/// How often the thread looks whether it shall end.
const LOOK: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };
const EVENTS: usize = 256;

/// A running backend; it ends when this is dropped.
#[derive(Debug)]
pub struct Backend {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Backend {
    /// Starts one on a free port of the loopback, on a thread of its own.
    ///
    /// # Errors
    /// Where there is no port, no thread or no memory.
    pub fn start() -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let address = listener.local_addr()?;
        let mut server = Server::new(listener)?;
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let serve = move || {
            let mut events = Vec::with_capacity(EVENTS);
            while !stopped.load(Ordering::Relaxed) {
                if let Err(error) = server.turn(&mut events) {
                    eprintln!("backend: {error:#}");
                    return;
                }
            }
        };
        let thread = thread::Builder::new().name("backend".into()).spawn(serve)?;
        Ok(Self { address, stop, thread: Some(thread) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Server {
    listener: TcpListener,
    epoll: OwnedFd,
    answers: Answers,
    connections: HashMap<u64, Connection>,
    accepted: u64,
}

impl Server {
    fn new(listener: TcpListener) -> Result<Self> {
        listener.set_nonblocking(true)?;
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        epoll::add(&epoll, listener.as_fd(), EventData::new_u64(LISTENER), EventFlags::IN)?;
        Ok(Self { listener, epoll, answers: Answers::new()?, connections: HashMap::new(), accepted: 0 })
    }

    fn turn(&mut self, events: &mut Vec<Event>) -> Result<()> {
        events.clear();
        match epoll::wait(&self.epoll, spare_capacity(events), Some(&LOOK)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        for event in events.iter() {
            match event.data.u64() {
                LISTENER => self.accept()?,
                id => self.ready(id)?,
            }
        }
        Ok(())
    }

    fn accept(&mut self) -> Result<()> {
        let Ok((socket, _)) = self.listener.accept() else { return Ok(()) };
        socket.set_nonblocking(true)?;
        socket.set_nodelay(true)?;
        self.accepted += 1;
        epoll::add(&self.epoll, &socket, EventData::new_u64(self.accepted), EventFlags::IN)?;
        self.connections.insert(self.accepted, Connection::new(socket));
        Ok(())
    }

    /// A connection that ends or breaks is dropped, and with it leaves the epoll.
    fn ready(&mut self, id: u64) -> Result<()> {
        // A program that is being started holds copies of our sockets for a moment: one that we have closed then still has
        // events.
        let Some(connection) = self.connections.get_mut(&id) else { return Ok(()) };
        let before = connection.awaits();
        match connection.ready(&self.answers) {
            Next::Close => drop(self.connections.remove(&id)),
            Next::Await(flags) if flags != before => {
                epoll::modify(&self.epoll, connection.socket(), EventData::new_u64(id), flags)?;
            }
            Next::Await(_) => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::{io::Write, net::TcpStream};

    use super::*;

    #[test]
    fn a_closed_connection_with_a_copy_does_not_end_it() {
        let mut server = Server::new(TcpListener::bind(("127.0.0.1", 0)).unwrap()).unwrap();
        let mut client = TcpStream::connect(server.listener.local_addr().unwrap()).unwrap();
        let mut events = Vec::with_capacity(EVENTS);
        while server.connections.is_empty() {
            server.turn(&mut events).unwrap();
        }
        let copy = server.connections[&1].socket().try_clone().unwrap();
        server.connections.clear();
        client.write_all(b"GET /1k HTTP/1.1\r\n\r\n").unwrap();
        loop {
            server.turn(&mut events).unwrap();
            if events.iter().any(|event| event.data.u64() == 1) {
                break;
            }
        }
        drop(copy);
    }
}
