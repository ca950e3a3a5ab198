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
    time::{Instant, MissedTickBehavior, interval, timeout},
};

use crate::{args::ProcessFlags, planes::CONTROLLER_HEALTHZ};

/// Questions in a row without an answer, after which it hangs.
const MISSES: u32 = 6;

/// The same before the first answer. It binds the port first of all, so this is for a machine that has no time for it.
const MISSES_AT_START: u32 = 30;

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
        let mut periods = interval(self.period);
        periods.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            periods.tick().await;
            let answers = timeout(self.period, self.ask()).await;
            let is_alive = matches!(answers, Ok(Ok(status)) if status.is_success());
            if is_alive {
                heard = Instant::now();
            }
            if patience.ends(is_alive) {
                return heard.elapsed();
            }
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
struct Patience(u32);

impl Default for Patience {
    fn default() -> Self {
        Self(MISSES_AT_START)
    }
}

impl Patience {
    /// Whether it ends with this question.
    fn ends(&mut self, is_answered: bool) -> bool {
        self.0 = if is_answered { MISSES } else { self.0.saturating_sub(1) };
        self.0 == 0
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
        assert_eq!(end([false; 99]), Some(30));
        assert_eq!(end([false; 29]), None);
        assert_eq!(end([[false; 29].as_slice(), &[true], &[false; 9]].concat()), Some(36));
    }
}
