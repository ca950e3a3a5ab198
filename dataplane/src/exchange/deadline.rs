//! Time limits of one client connection: coarse, and without a timer for each request.
//!
//! The connection's task owns one timer and looks here when it fires (see `http::connection`). Setting or clearing a
//! limit is one store, so a request that runs into none of them pays next to nothing.

use std::{
    future::Future,
    pin::pin,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    task::Poll,
    time::Duration,
};

use tokio::time::Instant;

use super::Moment;

const NEVER: u64 = u64::MAX;

/// A moment that far away; a year from now where a setting says more than a clock can hold.
pub fn after(limit: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(limit).unwrap_or(now + Duration::from_secs(365 * 24 * 3600))
}

/// What is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// The client: the next request or the rest of its head.
    Client,
    /// The step that the request is at: its body, the upstream's answer.
    Exchange,
    /// The client, to take more of the answer.
    Write,
}

/// A time limit has passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Elapsed;

/// The limits of one connection, in milliseconds since it began.
#[derive(Debug)]
pub struct Deadlines {
    /// When it began, as timers tell the time, and as limits do.
    began: (Instant, Moment),
    client: AtomicU64,
    exchange: AtomicU64,
    write: AtomicU64,
}

impl Deadlines {
    /// None is set.
    pub fn new() -> Self {
        let never = || AtomicU64::new(NEVER);
        Self { began: (Instant::now(), Moment::now()), client: never(), exchange: never(), write: never() }
    }

    /// From now on `wait` may take this long.
    pub fn set(&self, wait: Wait, after: Duration) {
        let due = self.now().saturating_add(millis(after));
        self.slot(wait).store(due.min(NEVER - 1), Relaxed);
    }

    /// `wait` is over.
    pub fn clear(&self, wait: Wait) {
        self.slot(wait).store(NEVER, Relaxed);
    }

    /// Whether a limit runs.
    pub fn is_set(&self, wait: Wait) -> bool {
        self.slot(wait).load(Relaxed) != NEVER
    }

    /// Whether a limit runs and has passed.
    pub fn passed(&self, wait: Wait) -> bool {
        let due = self.slot(wait).load(Relaxed);
        if due == NEVER {
            return false;
        }
        // Where it is near, the exact time counts: who was woken by a timer must not be sent to sleep again.
        let left = Duration::from_millis(due.saturating_sub(self.now()));
        left.is_zero() || (left <= 2 * Moment::LAG && due <= millis(self.began.0.elapsed()))
    }

    /// When the next limit passes.
    pub fn next(&self) -> Option<Instant> {
        let due = [&self.client, &self.exchange, &self.write].map(|slot| slot.load(Relaxed)).into_iter().min()?;
        (due != NEVER).then(|| self.began.0.checked_add(Duration::from_millis(due))).flatten()
    }

    /// Runs one step of the exchange within a limit. The connection's task has to poll it when the limit passes.
    ///
    /// # Errors
    /// The limit passed first.
    pub async fn within<F: Future>(&self, limit: Duration, step: F) -> Result<F::Output, Elapsed> {
        let mut step = pin!(step);
        self.set(Wait::Exchange, limit);
        let result = std::future::poll_fn(|cx| match step.as_mut().poll(cx) {
            Poll::Ready(done) => Poll::Ready(Ok(done)),
            Poll::Pending if self.passed(Wait::Exchange) => Poll::Ready(Err(Elapsed)),
            Poll::Pending => Poll::Pending,
        })
        .await;
        self.clear(Wait::Exchange);
        result
    }

    fn now(&self) -> u64 {
        millis(self.began.1.elapsed())
    }

    fn slot(&self, wait: Wait) -> &AtomicU64 {
        match wait {
            Wait::Client => &self.client,
            Wait::Exchange => &self.exchange,
            Wait::Write => &self.write,
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(NEVER - 1)
}

impl Default for Deadlines {
    fn default() -> Self {
        Self::new()
    }
}
