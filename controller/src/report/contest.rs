//! Statuses that somebody else keeps replacing: written again less and less often, so that nobody fights for them.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use compile::{NamespacedName, Problem, Reason, Severity};
use k8s_openapi::api::networking::v1::IngressLoadBalancerIngress;
use snapshot::Origin;
use tokio::time::Instant;

/// So many writes of the same, each within [`WINDOW`] of the one before, need no explanation.
const FREE: u32 = 5;

/// A write that was undone after longer than this is none of a fight.
const WINDOW: Duration = Duration::from_secs(60);

/// The first and the longest hold-off.
const HOLD_OFF: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(600));

/// What we say that a status is: the addresses, of this very object.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Claim {
    pub(super) uid: Option<String>,
    pub(super) addresses: Vec<IngressLoadBalancerIngress>,
}

/// Who needs the same status again and again.
#[derive(Default)]
pub(super) struct Contests {
    by_ingress: BTreeMap<NamespacedName, Contest>,
    /// See [`Contests::wake`]. Kept, because it is asked for far more often than something is written.
    wake: Option<Instant>,
}

struct Contest {
    claim: Claim,
    writes: u32,
    last: Instant,
}

impl Contest {
    fn hold_off(&self) -> Duration {
        match self.writes.checked_sub(FREE + 1) {
            None => Duration::ZERO,
            Some(more) => HOLD_OFF.0.saturating_mul(2_u32.saturating_pow(more)).min(HOLD_OFF.1),
        }
    }

    fn held_until(&self) -> Instant {
        self.last + self.hold_off()
    }

    /// When it is over, if nobody has undone the last write by then.
    fn over(&self) -> Instant {
        self.last + WINDOW.max(2 * self.hold_off())
    }

    fn contested(&self) -> bool {
        self.writes > FREE
    }

    /// When there is something to do about it. Those that nobody fights for are forgotten together, in time.
    fn next(&self, now: Instant) -> Instant {
        match self.contested() {
            false => now + WINDOW,
            true if now < self.held_until() => self.held_until(),
            true => self.over(),
        }
    }
}

impl Contests {
    /// Whether this must not be written now.
    pub(super) fn holds_off(&self, ingress: &NamespacedName, claim: &Claim, now: Instant) -> bool {
        let contest = self.by_ingress.get(ingress);
        contest.is_some_and(|contest| contest.claim == *claim && now < contest.held_until())
    }

    /// Remembers a write.
    pub(super) fn wrote(&mut self, ingress: NamespacedName, claim: Claim, now: Instant) {
        let before = self.by_ingress.get(&ingress);
        let again = before.filter(|contest| contest.claim == claim && now < contest.over());
        let writes = again.map_or(1, |contest| contest.writes.saturating_add(1));
        let contest = Contest { claim, writes, last: now };
        let next = contest.next(now);
        self.wake = Some(self.wake.map_or(next, |wake| wake.min(next)));
        self.by_ingress.insert(ingress, contest);
    }

    /// Forgets what is over, and what is no Ingress any more.
    pub(super) fn forget(&mut self, now: Instant, exists: impl Fn(&NamespacedName) -> bool) {
        self.by_ingress.retain(|ingress, contest| now < contest.over() && exists(ingress));
        if self.wake.is_some_and(|wake| wake <= now) {
            self.wake = self.by_ingress.values().map(|contest| contest.next(now)).min();
        }
    }

    /// When there is something to do or to forget, or earlier.
    pub(super) fn wake(&self) -> Option<Instant> {
        self.wake
    }

    pub(super) fn problems(&self) -> Vec<Problem> {
        let contested = self.by_ingress.iter().filter(|(_, contest)| contest.contested());
        contested.map(|(ingress, _)| problem(ingress)).collect()
    }
}

fn problem(ingress: &NamespacedName) -> Problem {
    let message = "somebody else keeps replacing the status that we write, maybe another ingress controller; it is \
                   written again less and less often, at least once in ten minutes";
    Problem {
        object: Arc::new(Origin::new("Ingress", &ingress.namespace, &ingress.name)),
        severity: Severity::Warning,
        field: "status.loadBalancer".to_owned(),
        message: message.to_owned(),
        reason: Reason::StatusContested,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn name() -> NamespacedName {
        NamespacedName::new("default", "a")
    }

    fn claim(uid: &str) -> Claim {
        Claim { uid: Some(uid.to_owned()), addresses: Vec::new() }
    }

    fn fought(times: u32, now: Instant) -> Contests {
        let mut contests = Contests::default();
        (0..times).for_each(|_| contests.wrote(name(), claim("u"), now));
        contests
    }

    #[test]
    fn a_status_that_is_undone_again_and_again_is_held_off_for_longer_each_time() {
        let now = Instant::now();
        let contests = fought(FREE, now);
        assert!(!contests.holds_off(&name(), &claim("u"), now) && contests.problems().is_empty());
        for (more, hold_off) in [(1, 10), (2, 20), (3, 40), (7, 600), (100, 600)] {
            let mut contests = fought(FREE + more, now);
            let until = now + hold_off * SECOND;
            assert!(contests.holds_off(&name(), &claim("u"), until - SECOND), "{more}");
            assert!(!contests.holds_off(&name(), &claim("u"), until), "{more}");
            // It wakes for what it held off before, too; then for this.
            let wake = contests.wake().unwrap();
            contests.forget(wake, |_| true);
            assert!(wake == until || contests.wake() == Some(until), "{more}");
            assert_eq!(contests.problems().len(), 1);
        }
    }

    #[test]
    fn another_object_or_address_is_another_matter() {
        let now = Instant::now();
        let contests = fought(FREE + 1, now);
        assert!(!contests.holds_off(&name(), &claim("v"), now));
        assert!(!contests.holds_off(&NamespacedName::new("default", "b"), &claim("u"), now));
    }

    #[test]
    fn a_fight_is_over_when_nobody_goes_on() {
        let now = Instant::now();
        let mut contests = fought(FREE + 1, now);
        contests.forget(now + WINDOW - SECOND, |_| true);
        assert_eq!(contests.problems().len(), 1);
        contests.forget(now + WINDOW, |_| true);
        assert!(contests.problems().is_empty());

        let mut slow = Contests::default();
        (0..20).for_each(|round| slow.wrote(name(), claim("u"), now + round * WINDOW));
        assert!(slow.problems().is_empty());
    }

    #[test]
    fn it_is_looked_at_when_a_hold_off_ends_and_when_it_is_over() {
        let (mut contests, now) = (fought(FREE + 1, Instant::now()), Instant::now());
        let mut wakes = Vec::new();
        while let Some(wake) = contests.wake() {
            wakes.push(wake.duration_since(now).as_secs_f64().round());
            contests.forget(wake, |_| true);
        }
        assert_eq!(wakes, [10.0, 60.0]);
    }

    #[test]
    fn what_nobody_fights_for_is_forgotten_too() {
        let (mut contests, now) = (Contests::default(), Instant::now());
        for number in 0..100 {
            contests.wrote(NamespacedName::new("default", &number.to_string()), claim("u"), now + number * SECOND / 2);
        }
        let mut looks = 0;
        while let Some(wake) = contests.wake() {
            looks += 1;
            contests.forget(wake, |_| true);
        }
        assert!(contests.by_ingress.is_empty() && looks <= 3, "{looks}");
    }
}
