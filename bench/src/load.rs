//! The load: a fixed number of keep-alive connections, one request at a time on each (a closed loop).
//!
//! One thread and one epoll, for the load shares its core with the backend and must be cheaper than every proxy.

mod answer;
pub mod h2;
mod stream;

use std::{
    net::{Ipv4Addr, SocketAddr},
    os::fd::OwnedFd,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use rustix::{
    buffer::spare_capacity,
    event::{
        Timespec,
        epoll::{self, Event, EventData, EventFlags},
    },
};
use rustls::ClientConfig;

use answer::{Answer, Progress};
pub use stream::Stream;

/// A proxy that says nothing for so long has failed.
const SILENCE: Timespec = Timespec { tv_sec: 20, tv_nsec: 0 };
/// Bodies are received in pieces of at most this.
const SCRATCH: usize = 1024 * 1024;
/// Connections come from as many addresses in turn. One has some 28,000 ports, and each waits for a minute after its use.
const SOURCES: usize = 16;

/// What to ask, and where.
#[derive(Debug, Clone)]
pub struct Target {
    /// The proxy.
    pub address: SocketAddr,
    /// How to speak TLS; none is plain HTTP.
    pub tls: Option<Arc<ClientConfig>>,
    /// The hosts, over which the connections spread.
    pub hosts: Vec<String>,
    /// The path.
    pub path: &'static str,
    /// Whether each request comes on a connection of its own.
    pub fresh: bool,
    /// Whether each of those takes up an earlier session again (RFC 8446 section 2.2), all but the first ones.
    pub resumes: bool,
}

/// When to stop asking. What was asked is always waited for.
#[derive(Debug, Clone, Copy)]
pub enum Budget {
    /// After a time.
    Time(Duration),
    /// After this many requests.
    Requests(u64),
}

/// What came out.
#[derive(Debug, Clone)]
pub struct Sample {
    /// Requests that were answered with 200 and the whole body.
    pub requests: u64,
    /// How long it took.
    pub elapsed: Duration,
    /// Of each request, in microseconds, sorted.
    pub latencies: Vec<u32>,
}

/// Connections that are kept between runs.
#[derive(Debug)]
pub struct Load {
    target: Target,
    epoll: OwnedFd,
    connections: Vec<Connection>,
    opened: usize,
    /// How many connections there are at a time.
    count: usize,
    scratch: Vec<u8>,
}

#[derive(Debug)]
struct Connection {
    stream: Stream,
    number: usize,
    host: String,
    request: Vec<u8>,
    answer: Answer,
    sent: Instant,
}

/// A run in progress.
struct Run {
    budget: Budget,
    start: Instant,
    issued: u64,
    in_flight: usize,
    latencies: Vec<u32>,
}

impl Load {
    /// Opens all connections.
    ///
    /// # Errors
    /// Where one cannot be opened.
    pub fn connect(target: &Target, count: usize) -> Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let connections = (0..count).map(|i| Connection::open(target, i)).collect::<Result<Vec<_>>>()?;
        let load = Self { target: target.clone(), epoll, connections, opened: count, count, scratch: vec![0; SCRATCH] };
        for (index, connection) in load.connections.iter().enumerate() {
            load.watch(index, connection)?;
        }
        Ok(load)
    }

    /// Asks until the budget is spent, and waits for the last answer.
    ///
    /// # Errors
    /// Where any answer is missing, broken or not 200.
    pub fn run(&mut self, budget: Budget) -> Result<Sample> {
        let mut run = Run { budget, start: Instant::now(), issued: 0, in_flight: 0, latencies: Vec::new() };
        for connection in &mut self.connections {
            if run.goes_on(run.start) {
                connection.send(run.start)?;
                run.issued();
            }
        }
        let mut events: Vec<Event> = Vec::with_capacity(self.connections.len());
        while run.in_flight > 0 {
            events.clear();
            match epoll::wait(&self.epoll, spare_capacity(&mut events), Some(&SILENCE)) {
                Ok(0) => bail!("no answer for {} s", SILENCE.tv_sec),
                Ok(_) => {}
                Err(rustix::io::Errno::INTR) => continue,
                Err(error) => return Err(error.into()),
            }
            for event in &events {
                let index = usize::try_from(event.data.u64())?;
                self.ready(index, &mut run)?;
            }
        }
        Ok(run.finish())
    }

    fn ready(&mut self, index: usize, run: &mut Run) -> Result<()> {
        let connection = self.connections.get_mut(index).context("an event of no connection")?;
        let progress = connection.stream.receive(&mut self.scratch, &mut connection.answer)?;
        let Progress::Done { closes } = progress else { return Ok(()) };
        let now = Instant::now();
        run.answered(now, connection.sent);
        let renews = closes || self.target.fresh;
        if renews {
            // Those that came before the first tickets cannot.
            let must_resume = self.target.resumes && connection.number >= self.count;
            ensure!(!must_resume || connection.stream.is_resumed(), "a session was not resumed");
            let stream = self.target.open(&connection.host, self.opened)?;
            connection.number = self.opened;
            self.opened += 1;
            std::mem::replace(&mut connection.stream, stream).end();
        }
        if run.goes_on(now) {
            connection.send(now)?;
            run.issued();
        }
        match self.connections.get(index) {
            Some(connection) if renews => self.watch(index, connection),
            _ => Ok(()),
        }
    }

    fn watch(&self, index: usize, connection: &Connection) -> Result<()> {
        Ok(epoll::add(&self.epoll, &connection.stream, EventData::new_u64(index as u64), EventFlags::IN)?)
    }
}

impl Target {
    /// Opens the connection of this number, for a host.
    ///
    /// # Errors
    /// Where it cannot be opened.
    pub fn open(&self, host: &str, number: usize) -> Result<Stream> {
        let from = Ipv4Addr::new(127, 0, 0, u8::try_from(number % SOURCES)?.saturating_add(1));
        Stream::connect(self.address, from, self.tls.as_ref().map(|config| (config, host)))
    }
}

impl Connection {
    fn open(target: &Target, index: usize) -> Result<Self> {
        let host = index.checked_rem(target.hosts.len()).and_then(|i| target.hosts.get(i)).context("no host")?;
        Ok(Self {
            stream: target.open(host, index)?,
            number: index,
            request: format!(
                "GET {} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n",
                target.path
            )
            .into_bytes(),
            host: host.clone(),
            answer: Answer::default(),
            sent: Instant::now(),
        })
    }

    fn send(&mut self, now: Instant) -> Result<()> {
        self.sent = now;
        self.stream.send(&self.request)
    }
}

impl Run {
    fn goes_on(&self, now: Instant) -> bool {
        match self.budget {
            Budget::Time(time) => now.duration_since(self.start) < time,
            Budget::Requests(count) => self.issued < count,
        }
    }

    fn issued(&mut self) {
        self.issued += 1;
        self.in_flight += 1;
    }

    fn answered(&mut self, now: Instant, sent: Instant) {
        self.in_flight = self.in_flight.saturating_sub(1);
        self.latencies.push(u32::try_from(now.duration_since(sent).as_micros()).unwrap_or(u32::MAX));
    }

    fn finish(mut self) -> Sample {
        let elapsed = self.start.elapsed();
        self.latencies.sort_unstable();
        Sample { requests: self.latencies.len() as u64, elapsed, latencies: self.latencies }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::Backend;

    fn target(backend: &Backend, path: &'static str) -> Target {
        Target { address: backend.address(), tls: None, hosts: vec!["a".into()], path, fresh: false, resumes: false }
    }

    #[test]
    fn asks_exactly_as_often_as_told() {
        let backend = Backend::start().unwrap();
        for (path, fresh) in crate::backend::PATHS.into_iter().flat_map(|path| [(path, false), (path, true)]) {
            let target = Target { fresh, ..target(&backend, path) };
            let mut load = Load::connect(&target, 3).unwrap();
            for count in [1, 7, 100] {
                let sample = load.run(Budget::Requests(count)).unwrap();
                assert_eq!((sample.requests, sample.latencies.len() as u64), (count, count));
            }
            assert_eq!(load.opened, if fresh { 3 + 108 } else { 3 });
        }
    }

    #[test]
    fn an_unknown_path_fails_the_run() {
        let backend = Backend::start().unwrap();
        let error = Load::connect(&target(&backend, "/other"), 1).unwrap().run(Budget::Requests(1)).unwrap_err();
        assert!(error.to_string().contains("404"), "{error}");
    }
}
