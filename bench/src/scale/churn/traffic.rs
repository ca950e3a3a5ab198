//! Requests at a steady rate.

use std::{
    net::TcpStream,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, anyhow};

use super::{super::http::Connection, pace::Pace, writes::is_steady};
use crate::scale::{subject::SERVED, world};

/// Connections.
const HANDS: usize = 16;

/// Hosts whose endpoints stay: so few that connections to all of them are kept.
const STEADY: usize = 40;

/// One request of so many is for a service whose endpoints change.
const PER_CHANGING: u64 = 20;

/// Which hosts are asked for, and how often.
#[derive(Debug)]
pub struct Traffic {
    steady: Vec<String>,
    changing: Vec<String>,
    rate: u32,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Answers {
    pub requests: u64,
    pub failed: u64,
    /// From the moment at which each should have been sent, sorted.
    pub times: Vec<Duration>,
}

impl Traffic {
    pub fn new(ingresses: usize, rate: u32) -> Self {
        let plain = (0..ingresses).filter(|i| world::plain(*i) == *i);
        let (steady, changing): (Vec<_>, Vec<_>) = plain.partition(|i| is_steady(*i));
        let hosts = |of: Vec<usize>, most| of.into_iter().take(most).map(world::host).collect();
        Self { steady: hosts(steady, STEADY), changing: hosts(changing, usize::MAX), rate }
    }

    /// Asks for so long.
    ///
    /// # Errors
    /// A thread ended.
    pub fn run(&self, time: Duration) -> Result<Answers> {
        let pace = Pace::new(self.rate, time);
        let hand = || {
            let (mut answers, mut connection) = (Answers::default(), None);
            while let Some((number, moment)) = pace.turn() {
                let right = ask(&mut connection, self.host(number)).is_ok_and(|status| status == 200);
                answers.requests += 1;
                answers.failed += u64::from(!right);
                answers.times.push(Instant::now().saturating_duration_since(moment));
            }
            answers
        };
        thread::scope(|scope| {
            let hands: Vec<_> = (0..HANDS).map(|_| scope.spawn(hand)).collect();
            let mut all = Answers::default();
            for hand in hands {
                let Answers { requests, failed, times } = hand.join().map_err(|_| anyhow!("a thread ended"))?;
                all.requests += requests;
                all.failed += failed;
                all.times.extend(times);
            }
            all.times.sort_unstable();
            Ok(all)
        })
    }

    fn host(&self, number: u64) -> &str {
        let hosts = if number.is_multiple_of(PER_CHANGING) { &self.changing } else { &self.steady };
        let place = usize::try_from(number).unwrap_or_default().checked_rem(hosts.len()).unwrap_or_default();
        hosts.get(place).map_or("", String::as_str)
    }
}

impl Answers {
    /// In milliseconds.
    pub fn at(&self, percent: usize) -> f64 {
        let place = (self.times.len() * percent / 100).min(self.times.len().saturating_sub(1));
        self.times.get(place).map_or(f64::NAN, |time| time.as_secs_f64() * 1e3)
    }
}

/// On the connection that is kept; after a failure on a new one.
fn ask(kept: &mut Option<Connection<TcpStream>>, host: &str) -> Result<u16> {
    let mut connection = match kept.take() {
        Some(connection) => connection,
        None => {
            let stream = TcpStream::connect(SERVED)?;
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(Duration::from_secs(10)))?;
            Connection::new(stream)
        }
    };
    let answer = connection.send("GET", host, "/", b"")?;
    // Tidegate ends a connection with its thousandth answer, as nginx does.
    *kept = Some(connection).filter(|_| answer.keeps);
    Ok(answer.status)
}
