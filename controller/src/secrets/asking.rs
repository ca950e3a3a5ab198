//! The cycle's side: what it asked for, and whether it was answered.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use compile::NamespacedName;
use tokio::{sync::watch, time::Instant};

use super::Named;

/// Where new names follow one another, they keep compiling waiting no longer than this (but for the first of them).
const PATIENCE: Duration = Duration::from_secs(1);

/// Says which Secrets are named.
#[derive(Default)]
pub(crate) struct Asking {
    /// None: all Secrets are there anyway.
    keeper: Option<watch::Sender<Named>>,
    /// What was asked for last.
    named: Option<Named>,
    unanswered: bool,
    /// Since when compiling waits.
    since: Option<Instant>,
}

/// What a compile may count on.
pub(crate) struct Held {
    /// None: nothing was asked for yet.
    secrets: Option<Arc<BTreeSet<NamespacedName>>>,
    /// Whether it should be broken off where it needs others.
    patient: bool,
}

impl Held {
    /// Whether it is to wait until these are there.
    pub(crate) fn lacks(&self, named: &BTreeSet<NamespacedName>) -> bool {
        self.patient && self.secrets.as_ref().is_none_or(|held| !named.is_subset(held))
    }

    pub(crate) fn is(&self, named: &BTreeSet<NamespacedName>) -> bool {
        self.secrets.as_ref().is_some_and(|held| **held == *named)
    }
}

impl Asking {
    pub(crate) fn of(keeper: watch::Sender<Named>) -> Self {
        Self { keeper: Some(keeper), ..Self::default() }
    }

    /// None: all Secrets are there.
    pub(crate) fn held(&self, now: Instant) -> Option<Held> {
        self.keeper.as_ref()?;
        let secrets = self.named.as_ref().map(|named| Arc::clone(&named.secrets));
        Some(Held { secrets, patient: self.since.is_none_or(|since| now < since + PATIENCE) })
    }

    /// Whether compiling waits for an answer.
    pub(crate) fn waits(&self) -> bool {
        self.unanswered
    }

    /// A compile was broken off: these are named.
    pub(crate) fn wait_for(&mut self, secrets: BTreeSet<NamespacedName>, now: Instant) {
        self.tell(secrets);
        self.unanswered = true;
        self.since.get_or_insert(now);
    }

    /// A compile came to its end. `changed`: what is named, if that is not what was asked for last.
    pub(crate) fn compiled(&mut self, changed: Option<BTreeSet<NamespacedName>>) {
        self.since = None;
        if let Some(secrets) = changed {
            self.tell(secrets);
        }
    }

    /// Takes an answer. Returns whether compiling has waited for it.
    pub(crate) fn answer(&mut self, number: u64) -> bool {
        let latest = self.named.as_ref().is_some_and(|named| named.number == number);
        latest && std::mem::take(&mut self.unanswered)
    }

    /// Whether something names a Secret, as far as it was asked for.
    pub(crate) fn names(&self, secret: &NamespacedName) -> bool {
        self.keeper.is_none() || self.named.as_ref().is_some_and(|named| named.secrets.contains(secret))
    }

    fn tell(&mut self, secrets: BTreeSet<NamespacedName>) {
        let Some(keeper) = &self.keeper else { return };
        let number = self.named.as_ref().map_or(0, |named| named.number).saturating_add(1);
        let named = Named { number, secrets: Arc::new(secrets) };
        keeper.send_replace(named.clone());
        self.named = Some(named);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(names: &[&str]) -> BTreeSet<NamespacedName> {
        names.iter().map(|name| NamespacedName::new("default", name)).collect()
    }

    #[test]
    fn compiling_waits_for_what_is_not_held_and_for_the_latest_answer() {
        let (keeper, named) = watch::channel(Named::default());
        let (mut asking, now) = (Asking::of(keeper), Instant::now());
        assert!(asking.held(now).unwrap().lacks(&set(&[])), "even nothing is told once");
        asking.wait_for(set(&["a"]), now);
        assert_eq!((named.borrow().number, asking.waits()), (1, true));
        asking.wait_for(set(&["a", "b"]), now);
        assert!(!asking.answer(1) && asking.answer(2) && !asking.waits() && !asking.answer(2));
        let held = asking.held(now).unwrap();
        assert!(held.is(&set(&["a", "b"])) && !held.lacks(&set(&["a"])) && held.lacks(&set(&["c"])));
        asking.compiled(Some(set(&["a"])));
        assert!(!asking.waits() && !asking.names(&NamespacedName::new("default", "b")));
        assert_eq!(*named.borrow().secrets, set(&["a"]));
    }

    #[test]
    fn a_stream_of_new_names_does_not_keep_everything_waiting() {
        let (mut asking, now) = (Asking::of(watch::Sender::new(Named::default())), Instant::now());
        asking.wait_for(set(&["a"]), now);
        asking.wait_for(set(&["b"]), now + PATIENCE / 2);
        assert!(asking.held(now + PATIENCE / 2).unwrap().lacks(&set(&["c"])));
        assert!(!asking.held(now + PATIENCE).unwrap().lacks(&set(&["c"])));
        asking.compiled(None);
        assert!(asking.held(now + PATIENCE).unwrap().lacks(&set(&["c"])));
    }

    #[test]
    fn without_a_keeper_nothing_is_asked_for() {
        let asking = Asking::default();
        assert!(asking.held(Instant::now()).is_none() && !asking.waits());
        assert!(asking.names(&NamespacedName::new("default", "a")));
    }
}
