//! What a watch has told so far, and what each of its events changes.

use std::collections::{BTreeMap, BTreeSet};

use compile::{Problem, Reason, Severity};
use kube::{
    core::{DeserializeGuard, error_boundary::InvalidObject},
    runtime::watcher::Event,
};

use super::watch::Object;
use crate::{
    cycle::Update,
    object::{Change, Key},
};

/// Follows one watch.
#[derive(Default)]
pub(super) struct Mirror {
    /// The objects that were told of.
    known: BTreeSet<Key>,
    /// A list that is not complete yet: nothing of it counts before.
    listing: Listing,
    /// Objects that cannot be read: their last good version stays.
    broken: BTreeMap<Key, Problem>,
}

#[derive(Default)]
struct Listing {
    present: BTreeSet<Key>,
    changes: Vec<Change>,
    broken: BTreeMap<Key, Problem>,
}

impl Mirror {
    /// Takes an event in. A list comes out as one update when it is complete.
    pub(super) fn take<K: Object>(&mut self, event: Event<DeserializeGuard<K>>) -> Option<Update> {
        match event {
            Event::Init => {
                self.listing = Listing::default();
                None
            }
            Event::InitApply(object) => {
                self.list(object);
                None
            }
            Event::InitDone => Some(self.listed()),
            Event::Apply(object) => self.put(object),
            Event::Delete(object) => self.remove(&Key::new(K::KIND, object_meta(&object))),
        }
    }

    /// What cannot be read now.
    pub(super) fn problems(&self) -> Vec<Problem> {
        self.broken.values().cloned().collect()
    }

    fn list<K: Object>(&mut self, object: DeserializeGuard<K>) {
        let Listing { present, changes, broken } = &mut self.listing;
        match read(object) {
            Ok((key, change)) => {
                present.insert(key);
                changes.push(change);
            }
            Err((key, problem)) => {
                // A version from before stays; where there is none, there is nothing to remove later.
                if self.known.contains(&key) {
                    present.insert(key.clone());
                }
                broken.insert(key, problem);
            }
        }
    }

    fn listed(&mut self) -> Update {
        let Listing { present, mut changes, broken } = std::mem::take(&mut self.listing);
        changes.extend(self.known.difference(&present).cloned().map(Change::Remove));
        self.known = present;
        self.broken = broken;
        Update { changes, ..Update::default() }
    }

    fn put<K: Object>(&mut self, object: DeserializeGuard<K>) -> Option<Update> {
        match read(object) {
            Ok((key, change)) => {
                self.broken.remove(&key);
                self.known.insert(key);
                Some(Update { changes: vec![change], ..Update::default() })
            }
            Err((key, problem)) => {
                self.broken.insert(key, problem);
                None
            }
        }
    }

    fn remove(&mut self, key: &Key) -> Option<Update> {
        self.broken.remove(key);
        let known = self.known.take(key)?;
        Some(Update { changes: vec![Change::Remove(known)], ..Update::default() })
    }
}

fn read<K: Object>(object: DeserializeGuard<K>) -> Result<(Key, Change), (Key, Problem)> {
    match object.0 {
        Ok(mut object) => {
            object.trim();
            let object = object.into();
            Ok((object.key(), Change::Put(object)))
        }
        Err(InvalidObject { error, metadata }) => {
            let key = Key::new(K::KIND, &metadata);
            let problem = Problem {
                object: key.origin(),
                severity: Severity::Error,
                field: "content".to_owned(),
                message: format!("cannot be read, so that its last good version counts, if there was one: {error}"),
                reason: Reason::ObjectUnreadable,
            };
            Err((key, problem))
        }
    }
}

fn object_meta<K: Object>(object: &DeserializeGuard<K>) -> &k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta {
    kube::Resource::meta(object)
}
