//! Whether a controller answers.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use anyhow::ensure;
use hyper::{Request, StatusCode, client::conn::http1, header::HOST};
use hyper_util::rt::TokioIo;
use tokio::{
    net::TcpStream,
    task::JoinSet,
    time::{Instant, sleep_until, timeout},
};

use crate::{args::ProcessFlags, planes::CONTROLLER_HEALTHZ};

/// Questions in a row without an answer, after which it hangs.
const MISSES: u32 = 6;

/// Before the first answer, questions come so many times as often: one that hangs soon has answered before.
const OFTENER_AT_START: u32 = 10;

/// The misses that are borne then. A controller binds its port first of all: this is for a machine that has no time for it.
const MISSES_AT_START: u32 = 300;

/// Asks on /healthz.
pub struct Pulse {
    addresses: Vec<SocketAddr>,
    period: Duration,
}

impl Pulse {
    /// Asks where a controller with these flags listens, once in each period.
    ///
    /// # Errors
    /// Its port will be any one that is free, so nobody knows where to ask.
    pub fn new(process: &ProcessFlags, period: Duration) -> anyhow::Result<Self> {
        let port = process.healthz_port.unwrap_or(CONTROLLER_HEALTHZ);
        ensure!(port != 0, "--supervised needs a --healthz-port that is known");
        let loopback = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
        let hosts = match process.healthz_host {
            Some(host) if !host.is_unspecified() => vec![host],
            Some(_) | None => loopback.to_vec(),
        };
        Ok(Self { addresses: hosts.into_iter().map(|host| SocketAddr::new(host, port)).collect(), period })
    }

    /// Waits until the controller hangs; for how long it has not answered then.
    pub async fn lost(&self) -> Duration {
        let (mut patience, mut heard) = (Patience::default(), Instant::now());
        loop {
            let pause = patience.pause(self.period);
            let next = Instant::now() + pause;
            let answers = timeout(pause, self.ask()).await;
            let is_alive = matches!(answers, Ok(Ok(status)) if status.is_success());
            if is_alive {
                heard = Instant::now();
            }
            if patience.ends(is_alive) {
                return heard.elapsed();
            }
            sleep_until(next).await;
        }
    }

    async fn ask(&self) -> anyhow::Result<StatusCode> {
        let stream = TcpStream::connect(self.addresses.as_slice()).await?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        let mut tasks = JoinSet::new(); // which end with this question
        tasks.spawn(connection);
        let request = Request::get("/healthz").header(HOST, "localhost").body(String::new())?;
        Ok(sender.send_request(request).await?.status())
    }
}

/// How many more questions may go without an answer.
struct Patience {
    left: u32,
    is_start: bool,
}

impl Default for Patience {
    fn default() -> Self {
        Self { left: MISSES_AT_START, is_start: true }
    }
}

impl Patience {
    /// From one question to the next, and for how long an answer is waited for.
    fn pause(&self, period: Duration) -> Duration {
        if self.is_start { period / OFTENER_AT_START } else { period }
    }

    /// Whether it ends with this question.
    fn ends(&mut self, is_answered: bool) -> bool {
        if is_answered {
            *self = Self { left: MISSES, is_start: false };
        } else {
            self.left = self.left.saturating_sub(1);
        }
        self.left == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// With which question it ends.
    fn end(answers: impl IntoIterator<Item = bool>) -> Option<usize> {
        let mut patience = Patience::default();
        answers.into_iter().position(|is_answered| patience.ends(is_answered)).map(|index| index + 1)
    }

    #[test]
    fn only_misses_in_a_row_count() {
        let (yes, no) = (true, false);
        assert_eq!(end([yes, no, no, no, no, no, no, no]), Some(7));
        assert_eq!(end([yes, no, no, no, no, no, yes, no, no, no, no, no, yes]), None);
    }

    #[test]
    fn before_the_first_answer_there_is_more_time() {
        assert_eq!(end([false; 999]), Some(300));
        assert_eq!(end([false; 299]), None);
        assert_eq!(end([[false; 299].as_slice(), &[true], &[false; 9]].concat()), Some(306));
    }

    #[test]
    fn before_the_first_answer_questions_come_often() {
        let (mut patience, period) = (Patience::default(), Duration::from_secs(10));
        patience.ends(false);
        assert_eq!(patience.pause(period), Duration::from_secs(1));
        patience.ends(true);
        patience.ends(false);
        assert_eq!(patience.pause(period), period);
    }
}
