//! Who wakes up when a time limit has passed.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::time::{Instant, Sleep};

use super::Deadlines;

/// How soon a limit is looked at again where those whom it concerns were polled and let it pass.
const AGAIN: Duration = Duration::from_secs(1);

/// The one timer of a task that keeps time limits. It is set anew only when it fires too early or would fire too late.
#[derive(Debug, Default)]
pub struct Watchdog {
    timer: Option<Pin<Box<Sleep>>>,
    /// The limit that passed last, and when it is looked at again if polling everybody did not end it.
    handled: Option<(Instant, Instant)>,
}

impl Watchdog {
    /// Ready when a limit has just passed: then everybody whom it may concern is to be polled.
    pub fn poll(&mut self, cx: &mut Context<'_>, deadlines: &Deadlines) -> Poll<()> {
        loop {
            let Some(due) = deadlines.next() else { return Poll::Pending };
            let at = self.handled.filter(|(handled, _)| *handled == due).map_or(due, |(_, again)| again);
            let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(at)));
            if at < timer.deadline() || timer.is_elapsed() {
                timer.as_mut().reset(at);
            }
            ready!(timer.as_mut().poll(cx));
            let now = Instant::now();
            if at <= now {
                self.handled = Some((due, now + AGAIN));
                return Poll::Ready(());
            }
        }
    }
}
