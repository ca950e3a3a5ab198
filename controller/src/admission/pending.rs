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
    pub(super) name: NamespacedName,
    pub(super) ingress: Arc<Ingress>,
    /// What had its name when it was allowed.
    pub(super) replaces: Option<Arc<Ingress>>,
    /// Whether it is a new version of something.
    pub(super) update: bool,
    /// Of its review, as a measure of what it holds.
    pub(super) bytes: usize,
    /// It may never be stored: another webhook refuses it, or its author goes away.
    pub(super) until: Instant,
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
        self.held.retain(|held| now < held.until && !held.has_come(&base.objects));
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
        let held = self.held.iter().map(|held| (held.name.clone(), Arc::clone(&held.ingress)));
        let with = Arc::new(base.with(held, options).basis);
        self.latest = Some(Latest { base: Arc::clone(base), with: Arc::clone(&with) });
        with
    }

    /// Holds an Ingress that was allowed; `with` was compiled of the base, all that is held, and this one.
    pub(super) fn hold(&mut self, held: Held, base: &Arc<Basis>, with: Basis) {
        self.held.retain(|other| other.name != held.name);
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
        self.held.retain(|held| now < held.until && base.is_none_or(|base| !held.has_come(&base.objects)));
        if self.held.len() != before {
            self.latest = None;
        }
    }

    fn bytes(&self) -> usize {
        self.held.iter().map(|held| held.bytes).sum()
    }
}

impl Held {
    /// Whether what has its name is something else by now than when it was allowed: itself, a later version, or nothing.
    fn has_come(&self, objects: &Objects) -> bool {
        match objects.ingresses.get(&self.name) {
            Some(stored) if is_same(stored, &self.ingress) => true,
            Some(stored) => self.replaces.as_ref().is_none_or(|replaced| !is_same(stored, replaced)),
            None => self.update,
        }
    }
}

/// A status that was written in the meantime makes no difference.
fn is_same(a: &Ingress, b: &Ingress) -> bool {
    a.spec == b.spec && a.metadata.annotations == b.metadata.annotations
}
