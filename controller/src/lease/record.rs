//! What stands in a Lease, and what that means to us. Pure: time comes as an argument.

use std::time::Duration;

use k8s_openapi::{api::coordination::v1::LeaseSpec, apimachinery::pkg::apis::meta::v1::MicroTime, jiff::Timestamp};
use tokio::time::Instant;

/// What was last seen of the Lease.
pub(super) struct Record {
    identity: String,
    ttl: Duration,
    /// Since when it stands as it does, by our clock.
    seen: Option<(LeaseSpec, Instant)>,
}

/// What to do about it.
#[derive(Debug, PartialEq)]
pub(super) enum Step {
    /// It is ours, or free: write this.
    Write(LeaseSpec),
    /// It is held by somebody else, and expires then.
    Wait(Instant),
}

impl Record {
    pub(super) fn new(identity: String, ttl: Duration) -> Self {
        Self { identity, ttl, seen: None }
    }

    /// `current`: what stands there now; `now` and `time` are the same moment, by our clock and by the calendar.
    pub(super) fn step(&mut self, current: Option<&LeaseSpec>, now: Instant, time: Timestamp) -> Step {
        let Some(current) = current else { return Step::Write(self.taken(0, time)) };
        let since = match &self.seen {
            Some((seen, since)) if seen == current => *since,
            _ => now,
        };
        self.seen = Some((current.clone(), since));
        let transitions = current.lease_transitions.unwrap_or_default();
        match current.holder_identity.as_deref().filter(|holder| !holder.is_empty()) {
            Some(holder) if holder == self.identity => {
                let acquire_time = current.acquire_time.clone();
                Step::Write(LeaseSpec { acquire_time, ..self.taken(transitions, time) })
            }
            Some(_) if now < since + self.lasts(current) => Step::Wait(since + self.lasts(current)),
            Some(_) | None => Step::Write(self.taken(transitions.saturating_add(1), time)),
        }
    }

    /// What to write to give it up at once; none where it is not ours.
    pub(super) fn vacated(&self, current: &LeaseSpec, time: Timestamp) -> Option<LeaseSpec> {
        if current.holder_identity.as_ref() != Some(&self.identity) {
            return None;
        }
        Some(LeaseSpec {
            holder_identity: Some(String::new()),
            lease_duration_seconds: Some(1),
            renew_time: Some(MicroTime(time)),
            ..current.clone()
        })
    }

    fn taken(&self, transitions: i32, time: Timestamp) -> LeaseSpec {
        LeaseSpec {
            holder_identity: Some(self.identity.clone()),
            lease_duration_seconds: Some(self.seconds()),
            acquire_time: Some(MicroTime(time)),
            renew_time: Some(MicroTime(time)),
            lease_transitions: Some(transitions),
            ..LeaseSpec::default()
        }
    }

    /// The next full second: a Lease counts in them.
    fn seconds(&self) -> i32 {
        let seconds = self.ttl.as_secs().saturating_add(u64::from(self.ttl.subsec_nanos() > 0));
        i32::try_from(seconds).unwrap_or(i32::MAX).max(1)
    }

    /// How long its holder may be silent.
    fn lasts(&self, current: &LeaseSpec) -> Duration {
        let seconds = current.lease_duration_seconds.and_then(|seconds| u64::try_from(seconds).ok());
        seconds.filter(|seconds| *seconds > 0).map_or(self.ttl, Duration::from_secs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TTL: Duration = Duration::from_secs(10);

    fn record(identity: &str) -> Record {
        Record::new(identity.to_owned(), TTL)
    }

    fn written(step: Step) -> LeaseSpec {
        match step {
            Step::Write(spec) => spec,
            Step::Wait(_) => panic!("it is free or ours"),
        }
    }

    #[test]
    fn a_lease_is_made_and_renewed() {
        let (mut a, now, time) = (record("a"), Instant::now(), Timestamp::now());
        let made = written(a.step(None, now, time));
        assert_eq!((made.holder_identity.as_deref(), made.lease_transitions), (Some("a"), Some(0)));
        assert_eq!(made.lease_duration_seconds, Some(10));
        let later = time + Duration::from_secs(3);
        let renewed = written(a.step(Some(&made), now + Duration::from_secs(3), later));
        assert_eq!((renewed.acquire_time, renewed.renew_time), (made.acquire_time, Some(MicroTime(later))));
        assert_eq!(renewed.lease_transitions, Some(0));
    }

    #[test]
    fn a_silent_holder_is_followed_after_what_its_lease_says_by_our_own_clock() {
        let (mut a, mut b, now) = (record("a"), record("b"), Instant::now());
        // A clock that is an hour behind changes nothing.
        let held = written(a.step(None, now, Timestamp::now() - Duration::from_secs(3600)));
        assert_eq!(b.step(Some(&held), now, Timestamp::now()), Step::Wait(now + TTL));
        let almost = now + TTL - Duration::from_millis(1);
        assert_eq!(b.step(Some(&held), almost, Timestamp::now()), Step::Wait(now + TTL));
        let taken = written(b.step(Some(&held), now + TTL, Timestamp::now()));
        assert_eq!((taken.holder_identity.as_deref(), taken.lease_transitions), (Some("b"), Some(1)));
    }

    #[test]
    fn each_sign_of_life_counts() {
        let (mut a, mut b, now) = (record("a"), record("b"), Instant::now());
        let held = written(a.step(None, now, Timestamp::now()));
        b.step(Some(&held), now, Timestamp::now());
        let (later, time) = (now + Duration::from_secs(8), Timestamp::now() + Duration::from_secs(8));
        let renewed = written(a.step(Some(&held), later, time));
        assert_eq!(b.step(Some(&renewed), now + TTL, time), Step::Wait(now + TTL + TTL));
    }

    #[test]
    fn what_is_given_up_is_free_at_once() {
        let (mut a, mut b, now) = (record("a"), record("b"), Instant::now());
        let held = written(a.step(None, now, Timestamp::now()));
        assert_eq!(b.vacated(&held, Timestamp::now()), None);
        let free = a.vacated(&held, Timestamp::now()).unwrap();
        assert_eq!(written(b.step(Some(&free), now, Timestamp::now())).holder_identity.as_deref(), Some("b"));
    }
}
