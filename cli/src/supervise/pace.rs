//! How long to wait before a controller is started again.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};

/// After the first end.
const SHORTEST: Duration = Duration::from_millis(100);

/// After many.
const LONGEST: Duration = Duration::from_secs(30);

/// What ends after so long has not ended as the one before: it begins anew.
const STEADY: Duration = Duration::from_secs(60);

/// Ever longer pauses, twice as long each time.
#[derive(Debug)]
pub struct Pace(ExponentialBackoff);

impl Default for Pace {
    fn default() -> Self {
        let pauses = ExponentialBuilder::default().with_min_delay(SHORTEST).with_max_delay(LONGEST).without_max_times();
        Self(pauses.build())
    }
}

impl Pace {
    /// How long to wait after one that lived so long.
    pub fn after(&mut self, lived: Duration) -> Duration {
        if lived >= STEADY {
            *self = Self::default();
        }
        self.0.next().unwrap_or(LONGEST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_limit_and_begin_anew_after_a_life_of_a_minute() {
        let mut pace = Pace::default();
        let short = STEADY - Duration::from_millis(1);
        let mut pauses = || (0..11).map(|_| pace.after(short).as_millis()).collect::<Vec<_>>();
        let expected = [100, 200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 30_000, 30_000];
        assert_eq!(pauses(), expected);
        assert_eq!(pauses(), [30_000; 11]);
        assert_eq!(pace.after(STEADY), SHORTEST);
        assert_eq!(pace.after(short).as_millis(), 200);
    }
}
