//! The task that keeps one name's endpoints fresh.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use arc_swap::ArcSwap;
use prometheus::IntCounterVec;
use snapshot::{Endpoint, EndpointSet};
use tokio::{sync::watch, time::sleep};
use tracing::{info, warn};

use super::{
    address::is_local,
    source::{Answer, LookupError, Source},
};

/// The bounds of how long an answer is used: some servers say 0, others a week.
const FRESH: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(300));

/// The longest pause between tries while look-ups fail.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

pub(super) struct Follower {
    pub(super) source: Arc<Source>,
    pub(super) host: Arc<str>,
    pub(super) port: u16,
    pub(super) allow_local: bool,
    pub(super) endpoints: Arc<ArcSwap<EndpointSet>>,
    pub(super) asked: watch::Sender<bool>,
    pub(super) results: IntCounterVec,
    /// In a row.
    pub(super) failures: u32,
}

impl Follower {
    /// Until it is aborted.
    pub(super) async fn run(mut self) {
        loop {
            let pause = match self.source.lookup(&self.host).await {
                Ok(answer) => self.found(answer),
                Err(error) => self.failed(&error),
            };
            self.asked.send_replace(true);
            sleep(pause).await;
        }
    }

    fn found(&mut self, answer: Answer) -> Duration {
        let (min, max) = FRESH;
        let pause = answer.valid.clamp(min, max);
        if std::mem::take(&mut self.failures) > 0 {
            info!(host = &*self.host, "an external name is found again");
        }
        let (refused, allowed): (Vec<IpAddr>, Vec<IpAddr>) =
            answer.addresses.into_iter().partition(|&address| !self.allow_local && is_local(address));
        self.count(if refused.is_empty() { "ok" } else { "refused" });
        if self.publish(allowed) && !refused.is_empty() {
            warn!(host = &*self.host, ?refused, "an external name leads to local addresses; they are not used");
        }
        pause
    }

    /// The last good answer stays.
    fn failed(&mut self, error: &LookupError) -> Duration {
        self.count("failed");
        if self.failures == 0 {
            warn!(host = &*self.host, %error, "an external name cannot be looked up; what it last was is used");
        }
        let pause = back_off(self.failures);
        self.failures = self.failures.saturating_add(1);
        pause
    }

    /// Whether this is the first answer or another one than before.
    fn publish(&self, mut addresses: Vec<IpAddr>) -> bool {
        addresses.sort_unstable();
        addresses.dedup();
        let endpoint = |ip| Endpoint { address: SocketAddr::new(ip, self.port) };
        let new = EndpointSet { endpoints: addresses.into_iter().map(endpoint).collect() };
        let is_new = **self.endpoints.load() != new;
        if is_new {
            self.endpoints.store(Arc::new(new));
        }
        is_new || !*self.asked.borrow()
    }

    fn count(&self, result: &str) {
        self.results.with_label_values(&[result]).inc();
    }
}

/// One second, doubled with each failure.
fn back_off(failures: u32) -> Duration {
    Duration::from_secs(1).saturating_mul(1 << failures.min(16)).min(LONGEST_PAUSE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backs_off_within_a_bound() {
        assert_eq!([0, 1, 4, 5, u32::MAX].map(|failures| back_off(failures).as_secs()), [1, 2, 16, 30, 30]);
    }
}
