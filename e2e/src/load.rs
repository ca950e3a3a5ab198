//! A steady stream of requests, and what became of them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, interval_at};

use crate::client::{Answer, Target};
use crate::kept::Kept;
pub use crate::kept::Protocol;

/// What became of the requests so far.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// Answers by status.
    pub statuses: BTreeMap<u16, u64>,
    /// Requests that got no complete answer, by reason.
    pub broken: BTreeMap<String, u64>,
    /// Answers by Pod, as the echo backend names itself.
    pub pods: BTreeMap<String, u64>,
    /// The longest time an answer took.
    pub slowest: Duration,
}

impl Report {
    /// All requests that were sent.
    #[must_use]
    pub fn sent(&self) -> u64 {
        self.statuses.values().sum::<u64>() + self.broken.values().sum::<u64>()
    }

    /// Requests that were answered with anything but 200, or not at all.
    #[must_use]
    pub fn failed(&self) -> u64 {
        self.sent() - self.statuses.get(&200).copied().unwrap_or_default()
    }

    fn count(&mut self, outcome: anyhow::Result<Answer>, took: Duration) {
        self.slowest = self.slowest.max(took);
        match outcome {
            Ok(answer) => {
                *self.statuses.entry(answer.status.as_u16()).or_default() += 1;
                *self.pods.entry(answer.echo("pod")).or_default() += 1;
            }
            Err(error) => *self.broken.entry(format!("{error:#}")).or_default() += 1,
        }
    }
}

/// Requests that are being sent until [`Load::stop`].
#[derive(Debug)]
pub struct Load {
    report: Arc<Mutex<Report>>,
    stop: watch::Sender<bool>,
    workers: JoinSet<()>,
}

/// What to send, and how fast.
#[derive(Debug, Clone)]
pub struct Plan {
    /// To whom.
    pub target: Target,
    /// The host of each request.
    pub host: String,
    /// Requests per second, over all connections.
    pub rate: u32,
    /// Connections at the same time.
    pub connections: u32,
    /// What is spoken on them.
    pub protocol: Protocol,
    /// Whether they are kept open; else there is a new one for each request.
    pub keep: bool,
}

impl Load {
    /// Begins to send.
    #[must_use]
    pub fn start(plan: &Plan) -> Self {
        let report = Arc::new(Mutex::new(Report::default()));
        let (stop, stopped) = watch::channel(false);
        let mut workers = JoinSet::new();
        for index in 0..plan.connections {
            workers.spawn(worker(plan.clone(), index, Arc::clone(&report), stopped.clone()));
        }
        Self { report, stop, workers }
    }

    /// What became of the requests so far.
    #[must_use]
    pub fn report(&self) -> Report {
        self.report.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits for the requests in flight and returns the whole result.
    pub async fn stop(mut self) -> Report {
        self.stop.send_replace(true);
        while self.workers.join_next().await.is_some() {}
        self.report()
    }
}

/// One connection's share of the requests, evenly spread over time; what a busy machine
/// delays is caught up with.
async fn worker(plan: Plan, index: u32, report: Arc<Mutex<Report>>, mut stopped: watch::Receiver<bool>) {
    let period = Duration::from_secs(1) * plan.connections / plan.rate;
    let offset = period * index / plan.connections;
    let mut ticks = interval_at(Instant::now() + offset, period);
    let mut connection = Kept::new(plan.target.clone(), plan.protocol);
    loop {
        tokio::select! {
            biased;
            _ = stopped.changed() => return,
            _ = ticks.tick() => {}
        }
        let start = Instant::now();
        let outcome = connection.get(&plan.host, "/load").await;
        if !plan.keep {
            connection = Kept::new(plan.target.clone(), plan.protocol);
        }
        report.lock().unwrap_or_else(PoisonError::into_inner).count(outcome, start.elapsed());
    }
}
