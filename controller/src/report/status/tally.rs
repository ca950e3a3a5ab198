//! What the failures of a round say of what was not tried in it.
//!
//! A write that hangs may do so because the API server does, or because of a webhook that is for this Ingress, or for its
//! namespace. Only what happens to others tells. Who is taken for all of them keeps everybody waiting.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use compile::NamespacedName;

use super::{FAILURES, round::Written};
use crate::report::refusal::{Failure, Reach};

#[derive(Default)]
pub(super) struct Tally {
    /// The namespaces in which something arrived.
    arrived: BTreeSet<Arc<str>>,
    /// How many failed, and maybe not for themselves, by namespace.
    failed: BTreeMap<Arc<str>, usize>,
    /// Of those, how many never did so before.
    first_time: BTreeMap<Arc<str>, usize>,
    /// To how many the API server said that it has too many requests.
    busy: usize,
}

impl Tally {
    /// What `has_failed` before says nothing of other namespaces when it does so again.
    pub(super) fn new(round: &[Written], has_failed: impl Fn(&NamespacedName) -> bool) -> Self {
        let mut tally = Self::default();
        for Written { ingress, result, .. } in round {
            match result {
                Ok(()) => {
                    tally.arrived.insert(Arc::clone(&ingress.namespace));
                }
                Err(failure) if failure.reach == Reach::Everything => {
                    tally.busy += usize::from(failure.busy);
                    *tally.failed.entry(Arc::clone(&ingress.namespace)).or_default() += 1;
                    if !has_failed(ingress) {
                        *tally.first_time.entry(Arc::clone(&ingress.namespace)).or_default() += 1;
                    }
                }
                Err(_) => {}
            }
        }
        tally
    }

    /// What the failure keeps from arriving, by all that is known.
    pub(super) fn reach(&self, ingress: &NamespacedName, failure: &Failure) -> Reach {
        if failure.reach != Reach::Everything {
            return failure.reach;
        }
        if self.is_of_everything() {
            return Reach::Everything;
        }
        let here = self.failed.get(&ingress.namespace).is_some_and(|failed| *failed >= FAILURES);
        if here && !self.arrived.contains(&ingress.namespace) { Reach::Namespace } else { Reach::Object }
    }

    /// Whether what was not tried would not arrive either.
    pub(super) fn is_of_everything(&self) -> bool {
        let first_time: usize = self.first_time.values().sum();
        self.busy >= FAILURES || (self.arrived.is_empty() && self.first_time.len() > 1 && first_time >= FAILURES)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::report::{contest::Claim, status::round::Version};

    fn silent() -> Failure {
        Failure::too_slow(Duration::from_secs(1))
    }

    /// What is known after a round: namespace and name, and what came of it.
    fn tally(round: &[(&str, &str, Option<Failure>)], known: &[&str]) -> Tally {
        let claim = Claim { uid: None, addresses: Vec::new() };
        let written = |(namespace, name, failure): &(&str, &str, Option<Failure>)| Written {
            ingress: NamespacedName::new(namespace, name),
            version: Version { version: None, claim: claim.clone() },
            result: failure.clone().map_or(Ok(()), Err),
        };
        let round: Vec<Written> = round.iter().map(written).collect();
        Tally::new(&round, |ingress| known.contains(&&*ingress.name))
    }

    fn reach(tally: &Tally, namespace: &str) -> Reach {
        tally.reach(&NamespacedName::new(namespace, "x"), &silent())
    }

    #[test]
    fn silence_is_of_everything_where_nothing_arrives_in_any_namespace() {
        let silence = [("a", "1", Some(silent())), ("a", "2", Some(silent())), ("b", "3", Some(silent()))];
        assert_eq!(reach(&tally(&silence, &[]), "a"), Reach::Everything);
        assert_eq!(reach(&tally(&silence, &["1"]), "a"), Reach::Object, "it hung before, while others arrived");
        assert_eq!(reach(&tally(&silence[1..], &[]), "a"), Reach::Object, "two are no proof");
        let one_arrives = [silence.to_vec(), vec![("c", "4", None)]].concat();
        assert_eq!(reach(&tally(&one_arrives, &[]), "a"), Reach::Object);
    }

    #[test]
    fn silence_of_one_namespace_is_of_that_unless_something_arrives_there() {
        let silence = ["1", "2", "3"].map(|name| ("a", name, Some(silent())));
        assert_eq!(reach(&tally(&silence, &[]), "a"), Reach::Namespace);
        let elsewhere = [silence.to_vec(), vec![("b", "4", None), ("b", "5", Some(silent()))]].concat();
        assert_eq!(reach(&tally(&elsewhere, &[]), "a"), Reach::Namespace);
        assert_eq!(reach(&tally(&elsewhere, &[]), "b"), Reach::Object);
        let here = [silence.to_vec(), vec![("a", "4", None)]].concat();
        assert_eq!(reach(&tally(&here, &[]), "a"), Reach::Object);
        // Also again, and beside another one of which that was known.
        let both = [silence.to_vec(), ["4", "5", "6"].map(|name| ("b", name, Some(silent()))).to_vec()].concat();
        let known = tally(&both, &["1", "2", "3", "4", "5", "6"]);
        assert_eq!((reach(&known, "a"), reach(&known, "b")), (Reach::Namespace, Reach::Namespace));
    }

    #[test]
    fn too_many_requests_are_of_everything_whatever_arrives() {
        let busy = || Failure { busy: true, ..silent() };
        let round = ["1", "2", "3"].map(|name| ("a", name, Some(busy())));
        let round = [round.to_vec(), vec![("a", "4", None)]].concat();
        assert_eq!(reach(&tally(&round, &[]), "a"), Reach::Everything);
        assert_eq!(reach(&tally(&round[1..], &[]), "a"), Reach::Object);
    }

    #[test]
    fn what_is_said_of_an_object_stays_so() {
        let refused = Failure { reach: Reach::Object, ..silent() };
        let round = [("a", "1", Some(silent())), ("a", "2", Some(silent())), ("b", "3", Some(silent()))];
        let tally = tally(&round, &[]);
        assert_eq!(tally.reach(&NamespacedName::new("a", "4"), &refused), Reach::Object);
    }
}
