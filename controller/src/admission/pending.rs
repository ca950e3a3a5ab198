//! Candidates that were allowed and that no watch has brought yet. What is reviewed next is judged with them, so that of
//! two Ingresses which are written within the same moment the second one meets the first.

use std::{collections::VecDeque, sync::Arc};

use compile::{NamespacedName, Objects, Options};
use k8s_openapi::api::networking::v1::Ingress;
use tokio::time::Instant;

use super::{basis::Basis, limits};

/// What is held, and what was compiled with it last.
#[derive(Default)]
pub(super) struct Pending {
    /// In the order in which they were allowed; one of a name.
    held: VecDeque<Held>,
    latest: Option<Latest>,
}

/// An Ingress that was allowed.
pub(super) struct Held {
    name: NamespacedName,
    version: Version,
    /// What may still be seen under its name before it comes: what was known when it was allowed, and what was allowed
    /// after that. In order.
    before: Vec<Version>,
    /// Whether it is a new version of something.
    update: bool,
    /// Whether it was deleted where nothing has its name.
    was_there: bool,
    /// It may never be stored: another webhook refuses it, or its author goes away.
    until: Instant,
}

/// What was written under a name.
struct Version {
    ingress: Arc<Ingress>,
    /// Of its review, as a measure of what it holds; none where it is held anyway.
    bytes: usize,
}

struct Latest {
    base: Arc<Basis>,
    /// The base with all that is held.
    with: Arc<Basis>,
}

impl Pending {
    /// What a candidate is to be compiled with.
    pub(super) fn over(&mut self, base: &Arc<Basis>, options: &Options, now: Instant) -> Arc<Basis> {
        let before = self.held.len();
        self.held.retain_mut(|held| now < held.until && !held.has_come(&base.objects));
        if self.held.is_empty() {
            self.latest = None;
            return Arc::clone(base);
        }
        if let Some(Latest { base: of, with }) = &self.latest
            && before == self.held.len()
            && Arc::ptr_eq(of, base)
        {
            return Arc::clone(with);
        }
        let held = self.held.iter().map(|held| (held.name.clone(), Arc::clone(&held.version.ingress)));
        let with = Arc::new(base.with(held, options).basis);
        self.latest = Some(Latest { base: Arc::clone(base), with: Arc::clone(&with) });
        with
    }

    /// Holds an Ingress that was allowed; `with` was compiled of the base, all that is held, and this one.
    pub(super) fn hold(&mut self, mut held: Held, base: &Arc<Basis>, with: Basis) {
        let place = self.held.iter().position(|other| other.name == held.name);
        if let Some(other) = place.and_then(|place| self.held.remove(place)) {
            held.follow(other);
        }
        // What is written again as it is makes no difference.
        if held.has_come(&base.objects) {
            return;
        }
        self.held.push_back(held);
        self.latest = Some(Latest { base: Arc::clone(base), with: Arc::new(with) });
        while self.held.len() > limits::HELD || self.bytes() > limits::HELD_BYTES {
            self.held.pop_front();
            self.latest = None;
        }
    }

    /// Lets go of what has been held for long enough and of what `base` knows about, whether or not anybody asks: what
    /// has come may be gone again by the time somebody does.
    pub(super) fn settle(&mut self, base: Option<&Basis>, now: Instant) {
        let before = self.held.len();
        self.held.retain_mut(|held| now < held.until && base.is_none_or(|base| !held.has_come(&base.objects)));
        if self.held.len() != before {
            self.latest = None;
        }
    }

    fn bytes(&self) -> usize {
        self.held.iter().flat_map(|held| held.before.iter().chain([&held.version])).map(|version| version.bytes).sum()
    }
}

impl Held {
    /// What the last compile knew by its name is in `base`.
    pub(super) fn new(name: NamespacedName, ingress: Arc<Ingress>, update: bool, bytes: usize, base: &Objects) -> Self {
        let known = base.ingresses.get(&name).cloned();
        let was_there = update && known.is_some();
        // As it was already: nothing is to come.
        let known = known.filter(|known| !is_same(known, &ingress));
        let before = known.into_iter().map(|ingress| Version { ingress, bytes: 0 }).collect();
        let until = Instant::now() + limits::HELD_FOR;
        Self { name, version: Version { ingress, bytes }, before, update, was_there, until }
    }

    /// Comes after `other`, which no watch has brought yet: neither that nor what may be seen before it says that this one
    /// was overtaken.
    fn follow(&mut self, other: Self) {
        self.was_there = self.update && other.was_there;
        self.before = other.before;
        if !is_same(&other.version.ingress, &self.version.ingress) {
            self.before.push(other.version);
        }
        // The first one is what is seen now, most likely, and the last ones come last.
        if self.before.len() > limits::VERSIONS {
            self.before.remove(1);
        }
    }

    /// Whether what has its name is something else by now than what may come before it: itself, a later version, or
    /// nothing. What comes after something that is seen is all that may still come.
    fn has_come(&mut self, objects: &Objects) -> bool {
        match objects.ingresses.get(&self.name) {
            Some(stored) => match self.before.iter().position(|version| is_same(stored, &version.ingress)) {
                Some(seen) => {
                    self.before.drain(..seen);
                    false
                }
                None => true,
            },
            None => self.was_there,
        }
    }
}

/// A status that was written in the meantime makes no difference.
fn is_same(a: &Ingress, b: &Ingress) -> bool {
    a.spec == b.spec && a.metadata.annotations == b.metadata.annotations
}
