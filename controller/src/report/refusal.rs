//! What the API server would not take, and when it is tried again.

use std::{borrow::Borrow, collections::BTreeMap, time::Duration};

use tokio::time::Instant;

use crate::source::cluster::explain;

/// The longest pause of what is refused for itself.
pub(super) const LONGEST: Duration = Duration::from_secs(300);

/// The longest pause of everything: who comes meanwhile waits for it too.
pub(super) const LONGEST_OF_ALL: Duration = Duration::from_secs(60);

/// How long a write may take. One that hangs must not keep all others from being written. The API server waits for 10 s for
/// a webhook that says nothing else, and then names it: that should be heard.
pub(super) const WRITE: Duration = Duration::from_secs(15);

/// A write that did not arrive.
#[derive(Debug, Clone)]
pub(super) struct Failure {
    pub(super) reach: Reach,
    /// Whether the API server has too many requests: whatever else arrives, there should be fewer.
    pub(super) busy: bool,
    pub(super) why: String,
    /// Not again before this has passed.
    pub(super) pause: Duration,
}

/// What else a failure keeps from arriving.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// Most of what is written anywhere, as far as one failure says.
    Everything,
    /// Most of what is written into the same namespace.
    Namespace,
    /// Nothing else, as far as is known.
    Object,
}

impl Failure {
    pub(super) fn of(error: &kube::Error) -> Self {
        let (busy, pause) = match error {
            kube::Error::Api(status) => {
                (status.code == 429, status.details.as_ref().map_or(0, |details| details.retry_after_seconds))
            }
            _ => (false, 0),
        };
        Self { reach: reach(error), busy, why: explain(error), pause: Duration::from_secs(u64::from(pause)) }
    }

    pub(super) fn too_slow(limit: Duration) -> Self {
        let why = format!("the API server did not answer within {limit:?}");
        Self { reach: Reach::Everything, busy: false, why, pause: Duration::ZERO }
    }
}

fn reach(error: &kube::Error) -> Reach {
    let kube::Error::Api(status) = error else { return Reach::Everything };
    match status.code {
        // What is missing is a permission; whoever else refuses looks at the object.
        403 if status.message.contains(" cannot ") => Reach::Namespace,
        // One of somebody's webhooks cannot be reached: those are for some objects, of some namespaces.
        500 if status.message.contains("webhook") => Reach::Namespace,
        401 | 408 | 429 | 500.. => Reach::Everything,
        _ => Reach::Object,
    }
}

/// What was refused: tried again less and less often.
pub(super) struct Refusals<K> {
    /// The first pause; each further one is twice as long, up to the longest.
    first: Duration,
    longest: Duration,
    of: BTreeMap<K, Refusal>,
    /// When the first of them may be tried again.
    wake: Option<Instant>,
}

struct Refusal {
    until: Instant,
    pause: Duration,
    why: String,
}

impl<K: Ord> Refusals<K> {
    pub(super) fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest, of: BTreeMap::new(), wake: None }
    }

    /// Whether this must not be tried now.
    pub(super) fn hold<Q: Ord + ?Sized>(&self, what: &Q, now: Instant) -> bool
    where
        K: Borrow<Q>,
    {
        self.of.get(what).is_some_and(|refusal| now < refusal.until)
    }

    /// Whether it was refused, and not taken since.
    pub(super) fn knows<Q: Ord + ?Sized>(&self, what: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.of.contains_key(what)
    }

    /// Remembers a refusal. What was under way when the first one came makes it no longer.
    pub(super) fn refused(&mut self, what: K, failure: &Failure, now: Instant) {
        let before = self.of.get(&what);
        if before.is_some_and(|refusal| now < refusal.until) {
            return;
        }
        let pause = before.map_or(self.first, |refusal| (2 * refusal.pause).min(self.longest));
        let until = now + pause.max(failure.pause.min(LONGEST));
        self.of.insert(what, Refusal { until, pause, why: failure.why.clone() });
        self.wake = Some(self.wake.map_or(until, |wake| wake.min(until)));
    }

    pub(super) fn taken<Q: Ord + ?Sized>(&mut self, what: &Q)
    where
        K: Borrow<Q>,
    {
        self.of.remove(what);
    }

    /// Forgets what nobody wants to write any more.
    pub(super) fn retain(&mut self, wanted: impl Fn(&K) -> bool) {
        self.of.retain(|what, _| wanted(what));
    }

    pub(super) fn clear(&mut self) {
        *self = Self::new(self.first, self.longest);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.of.is_empty()
    }

    /// One of them, and why.
    pub(super) fn first(&self) -> Option<(&K, &str)> {
        self.of.first_key_value().map(|(what, refusal)| (what, refusal.why.as_str()))
    }

    /// When to look again, or earlier.
    pub(super) fn wake(&self) -> Option<Instant> {
        self.wake
    }

    /// What may be tried again by now needs no other moment.
    pub(super) fn woken(&mut self, now: Instant) {
        if self.wake.is_some_and(|wake| wake <= now) {
            self.wake = self.of.values().map(|refusal| refusal.until).filter(|until| now < *until).min();
        }
    }
}

#[cfg(test)]
mod tests {
    use kube::core::Status;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn failure(pause: Duration) -> Failure {
        Failure { reach: Reach::Everything, busy: false, why: "no".to_owned(), pause }
    }

    #[test]
    fn what_is_refused_is_tried_less_and_less_often() {
        let (mut refusals, mut now) = (Refusals::new(5 * SECOND, 100 * SECOND), Instant::now());
        for seconds in [5, 10, 20, 40, 80, 100, 100] {
            refusals.refused("a", &failure(Duration::ZERO), now);
            refusals.refused("a", &failure(Duration::ZERO), now);
            let until = now + seconds * SECOND;
            assert_eq!(refusals.wake(), Some(until));
            assert!(refusals.hold("a", until - SECOND) && !refusals.hold("a", until) && !refusals.hold("b", now));
            now = until;
            refusals.woken(now);
            assert_eq!(refusals.wake(), None);
        }
        refusals.taken("a");
        refusals.refused("a", &failure(Duration::ZERO), now);
        assert!(!refusals.hold("a", now + 5 * SECOND));
    }

    #[test]
    fn the_api_server_may_ask_for_a_longer_pause() {
        let (mut refusals, now) = (Refusals::new(5 * SECOND, 10 * SECOND), Instant::now());
        refusals.refused("a", &failure(30 * SECOND), now);
        assert!(refusals.hold("a", now + 29 * SECOND) && !refusals.hold("a", now + 30 * SECOND));
    }

    #[test]
    fn one_object_is_not_all_of_them() {
        let of =
            |code: u16, message: &str| reach(&kube::Error::Api(Status::failure(message, "").with_code(code).boxed()));
        assert_eq!(of(403, "User \"x\" cannot patch resource \"ingresses/status\""), Reach::Namespace);
        assert_eq!(of(403, "exceeded quota: events"), Reach::Object);
        assert_eq!(of(422, "status is invalid"), Reach::Object);
        assert_eq!(of(500, "failed calling webhook \"x\""), Reach::Namespace);
        for code in [401, 429, 500, 503] {
            assert_eq!(of(code, "not now"), Reach::Everything);
        }
    }
}
