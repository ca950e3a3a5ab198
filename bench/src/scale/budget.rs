//! How many changes of a kind are measured.

use std::time::{Duration, Instant};

use anyhow::Result;

/// However slow a subject is: below this there is no p95 worth a column.
const LEAST: usize = 8;

/// As many changes as were asked for, or as fit into a time, but [`LEAST`] at least.
#[derive(Debug, Clone, Copy)]
pub struct Budget {
    /// How many at most.
    pub changes: usize,
    /// No further one begins after this time.
    pub time: Duration,
}

impl Budget {
    /// Makes changes, each of which tells how long it took, until the budget is spent.
    ///
    /// # Errors
    /// A change fails.
    pub fn spend(&self, mut change: impl FnMut(usize) -> Result<Duration>) -> Result<Vec<Duration>> {
        let (began, mut times) = (Instant::now(), Vec::new());
        while times.len() < self.changes && (times.len() < LEAST || began.elapsed() < self.time) {
            times.push(change(times.len())?);
        }
        Ok(times)
    }
}

/// A time such as `120s`, `1500ms` or `2m`.
///
/// # Errors
/// It is no number with one of these units.
pub fn time(text: &str) -> Result<Duration, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| format!("{text:?} does not begin with a number"))?;
    match unit {
        "ms" => Ok(Duration::from_millis(number)),
        "s" => Ok(Duration::from_secs(number)),
        "m" => Ok(Duration::from_secs(number.saturating_mul(60))),
        _ => Err(format!("{text:?} ends with no unit: ms, s or m")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_asked_for_is_the_most_and_eight_the_least() {
        let made = |changes, time| Budget { changes, time }.spend(|_| Ok(Duration::ZERO)).unwrap().len();
        assert_eq!(made(20, Duration::from_secs(3600)), 20);
        assert_eq!(made(20, Duration::ZERO), LEAST);
        assert_eq!(made(3, Duration::ZERO), 3);
    }

    #[test]
    fn times_have_units() {
        assert_eq!(time("1500ms"), Ok(Duration::from_millis(1500)));
        assert_eq!(time("2m"), time("120s"));
        assert!(["", "s", "5", "5h", "-5s"].into_iter().all(|text| time(text).is_err()));
    }
}
