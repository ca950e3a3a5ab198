//! Which problems were told when.

use std::{collections::BTreeMap, time::Duration};

use compile::Problem;
use tokio::time::Instant;

/// API servers forget Events after an hour (`--event-ttl`).
const AGAIN: Duration = Duration::from_secs(50 * 60);

/// A problem that comes back within this time after it was told is not told again: it flaps.
const FLAPPING: Duration = Duration::from_secs(10 * 60);

/// Remembers what was told.
#[derive(Default)]
pub(super) struct Ledger {
    told: BTreeMap<Problem, Told>,
}

struct Told {
    at: Instant,
    times: i32,
}

impl Ledger {
    /// How often the problem will have been told, if it is to be told now; at least 2, as a series has it.
    pub(super) fn due(&self, problem: &Problem, now: Instant) -> Option<i32> {
        match self.told.get(problem) {
            Some(told) if now < told.at + AGAIN => None,
            Some(told) => Some(told.times.saturating_add(1)),
            None => Some(2), // only used where an Event from before a restart is there
        }
    }

    /// Whether it was told before.
    pub(super) fn knows(&self, problem: &Problem) -> bool {
        self.told.contains_key(problem)
    }

    pub(super) fn told(&mut self, problem: &Problem, now: Instant) {
        let told = self.told.entry(problem.clone()).or_insert(Told { at: now, times: 0 });
        told.at = now;
        told.times = told.times.saturating_add(1);
    }

    /// Forgets what is solved, in time. `standing` is in order.
    pub(super) fn forget(&mut self, standing: &[Problem], now: Instant) {
        self.told.retain(|problem, told| standing.binary_search(problem).is_ok() || now < told.at + FLAPPING);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use compile::{Reason, Severity};
    use snapshot::Origin;

    use super::*;

    fn problem(message: &str) -> Problem {
        Problem {
            object: Arc::new(Origin::new("Ingress", "default", "a")),
            severity: Severity::Error,
            field: "spec".into(),
            message: message.into(),
            reason: Reason::BadAnnotation,
        }
    }

    #[test]
    fn a_problem_is_told_once_and_again_after_long() {
        let (mut ledger, now) = (Ledger::default(), Instant::now());
        assert!(ledger.due(&problem("a"), now).is_some());
        ledger.told(&problem("a"), now);
        assert_eq!(ledger.due(&problem("a"), now + Duration::from_secs(60)), None);
        assert!(ledger.due(&problem("b"), now).is_some());
        assert_eq!(ledger.due(&problem("a"), now + AGAIN), Some(2));
        ledger.told(&problem("a"), now + AGAIN);
        assert_eq!(ledger.due(&problem("a"), now + 2 * AGAIN), Some(3));
    }

    #[test]
    fn a_flapping_problem_is_not_told_each_time() {
        let (mut ledger, now) = (Ledger::default(), Instant::now());
        ledger.told(&problem("a"), now);
        ledger.forget(&[], now + Duration::from_secs(1));
        assert_eq!(ledger.due(&problem("a"), now + Duration::from_secs(2)), None);
        ledger.forget(&[], now + FLAPPING);
        assert!(ledger.due(&problem("a"), now + FLAPPING).is_some());
    }
}
