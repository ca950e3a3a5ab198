//! Something so many times a second, by several hands.

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    thread::sleep,
    time::{Duration, Instant},
};

/// Gives out turns. Each has its moment: hands that fall behind take them late, and none is left out before the end.
#[derive(Debug)]
pub struct Pace {
    began: Instant,
    rate: u32,
    time: Duration,
    next: AtomicU64,
}

impl Pace {
    /// From now on, for a time.
    pub fn new(rate: u32, time: Duration) -> Self {
        Self { began: Instant::now(), rate, time, next: AtomicU64::new(0) }
    }

    /// Waits for the next turn; returns its number and its moment. None: the time is over.
    pub fn turn(&self) -> Option<(u64, Instant)> {
        let number = self.next.fetch_add(1, Relaxed);
        let after = Duration::from_secs_f64(number as f64 / f64::from(self.rate));
        if after >= self.time || self.began.elapsed() >= self.time {
            return None;
        }
        let moment = self.began + after;
        sleep(moment.saturating_duration_since(Instant::now()));
        Some((number, moment))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_as_many_turns_as_fit_in() {
        let pace = Pace::new(1000, Duration::from_millis(50));
        let turns = std::iter::from_fn(|| pace.turn()).count();
        assert!((1..=50).contains(&turns), "{turns}");
    }
}
