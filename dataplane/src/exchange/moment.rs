//! Time for limits, which need not be exact.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nix::time::ClockId;

/// When something was, by a clock that the kernel moves on every few milliseconds. A request looks at the time a dozen
/// times, and this look costs a fraction of an exact one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment {
    millis: u64,
}

impl Moment {
    /// How far it may lag behind: a tick of the kernel, of which there are a hundred in a second or more.
    pub const LAG: Duration = Duration::from_millis(10);

    /// Now, or [`Self::LAG`] ago at most.
    pub fn now() -> Self {
        let since_boot = read(ClockId::CLOCK_MONOTONIC_COARSE);
        Self { millis: u64::try_from(since_boot.as_millis()).unwrap_or(u64::MAX) }
    }

    /// From then to this one; zero where that came later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.millis.saturating_sub(earlier.millis))
    }

    /// From then to now.
    pub fn elapsed(self) -> Duration {
        Self::now().since(self)
    }
}

/// The time of day, up to [`Moment::LAG`] late: for the log, which knows seconds.
pub fn time_of_day() -> SystemTime {
    UNIX_EPOCH.checked_add(read(ClockId::CLOCK_REALTIME_COARSE)).unwrap_or(UNIX_EPOCH)
}

/// Both clocks are there in every Linux since 2.6.32, and cannot fail.
fn read(clock: ClockId) -> Duration {
    clock.now().map(Duration::from).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::{thread::sleep, time::Instant};

    use super::*;

    #[test]
    fn is_as_near_as_it_says() {
        let (exact, coarse) = (Instant::now(), Moment::now());
        sleep(Duration::from_millis(50));
        let (coarse, exact) = (coarse.elapsed(), exact.elapsed());
        assert!(coarse <= exact + Moment::LAG, "{coarse:?} {exact:?}");
        assert!(coarse + 2 * Moment::LAG >= Duration::from_millis(50), "{coarse:?} {exact:?}");
    }

    #[test]
    fn the_time_of_day_is_right() {
        let before = SystemTime::now();
        let told = time_of_day();
        assert!(told + 2 * Moment::LAG >= before && told <= SystemTime::now());
    }

    #[test]
    fn never_goes_back() {
        let now = Moment::now();
        assert_eq!(now.since(Moment { millis: now.millis + 5 }), Duration::ZERO);
    }
}
