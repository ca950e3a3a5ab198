//! When to compile: the first change at once, what follows it in batches.

use std::time::Duration;

use tokio::time::Instant;

/// No change for this long ends a batch.
const QUIET: Duration = Duration::from_millis(50);

/// A batch that never goes quiet ends after this long.
const LIMIT: Duration = Duration::from_millis(500);

/// Gathers changes into batches. Time comes in as an argument.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    /// The first and the latest change that no batch has taken yet.
    waiting: Option<(Instant, Instant)>,
    /// When the batch before was taken.
    taken: Option<Instant>,
}

impl Pace {
    pub(crate) fn changed(&mut self, now: Instant) {
        let first = self.waiting.map_or(now, |(first, _)| first);
        self.waiting = Some((first, now));
    }

    /// When the batch is complete; none while nothing has changed.
    pub(crate) fn due(&self) -> Option<Instant> {
        let (first, latest) = self.waiting?;
        match self.taken {
            // Shortly after a batch, more of the same burst is likely.
            Some(taken) if first < taken + QUIET => Some((latest + QUIET).min(first + LIMIT)),
            _ => Some(first),
        }
    }

    /// A batch that was taken and could not be worked on is due again, at once.
    pub(crate) fn resume(&mut self, now: Instant) {
        self.taken = None;
        self.changed(now);
    }

    /// Begins the next batch.
    pub(crate) fn take(&mut self, now: Instant) {
        self.waiting = None;
        self.taken = Some(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn the_first_change_is_due_at_once() {
        let now = Instant::now();
        let mut pace = Pace::default();
        assert_eq!(pace.due(), None);
        pace.changed(now);
        assert_eq!(pace.due(), Some(now));
    }

    #[test]
    fn what_follows_shortly_is_gathered() {
        let now = Instant::now();
        let mut pace = Pace::default();
        pace.take(now);
        pace.changed(now + ms(10));
        assert_eq!(pace.due(), Some(now + ms(60)));
        pace.changed(now + ms(40));
        assert_eq!(pace.due(), Some(now + ms(90)));
    }

    #[test]
    fn a_burst_without_end_waits_no_longer_than_the_limit() {
        let now = Instant::now();
        let mut pace = Pace::default();
        pace.take(now);
        for step in 1..60 {
            pace.changed(now + ms(step * 10));
        }
        assert_eq!(pace.due(), Some(now + ms(510)));
    }

    #[test]
    fn after_a_rest_it_is_at_once_again() {
        let now = Instant::now();
        let mut pace = Pace::default();
        pace.take(now);
        pace.changed(now + ms(51));
        assert_eq!(pace.due(), Some(now + ms(51)));
    }
}
