//! Which file gives which object. Where several give the same one, the first by path does.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::Arc,
};

use crate::object::{Change, Key, Object};

/// All objects of all files.
#[derive(Default)]
pub(super) struct Owners {
    owners: BTreeMap<Key, BTreeMap<Arc<Path>, Object>>,
    /// The keys that several files give.
    shared: BTreeSet<Key>,
    /// The objects that may differ from what was told last, as they were told.
    touched: BTreeMap<Key, Option<Object>>,
}

impl Owners {
    /// Replaces what a file gave by what it gives now.
    pub(super) fn replace(&mut self, path: &Arc<Path>, old: &[Object], new: &[Object]) {
        let new: BTreeMap<Key, &Object> = new.iter().map(|object| (object.key(), object)).collect();
        for key in old.iter().map(Object::key).filter(|key| !new.contains_key(key)) {
            self.change(key, |files| drop(files.remove(path)));
        }
        for (key, object) in new {
            self.change(key, |files| drop(files.insert(Arc::clone(path), object.clone())));
        }
    }

    fn change(&mut self, key: Key, change: impl FnOnce(&mut BTreeMap<Arc<Path>, Object>)) {
        let files = self.owners.entry(key.clone()).or_default();
        self.touched.entry(key.clone()).or_insert_with(|| files.values().next().cloned());
        change(files);
        if files.len() > 1 {
            self.shared.insert(key.clone());
        } else {
            self.shared.remove(&key);
        }
        if files.is_empty() {
            self.owners.remove(&key);
        }
    }

    /// What changed since it was asked last.
    pub(super) fn take_changes(&mut self) -> Vec<Change> {
        let touched = std::mem::take(&mut self.touched);
        touched.into_iter().filter_map(|(key, before)| self.difference(key, before)).collect()
    }

    fn difference(&self, key: Key, before: Option<Object>) -> Option<Change> {
        let after = self.owners.get(&key).and_then(|files| files.values().next());
        match (before, after) {
            (None, None) => None,
            (Some(before), Some(after)) if before.same(after) => None,
            (_, Some(after)) => Some(Change::Put(after.clone())),
            (Some(_), None) => Some(Change::Remove(key)),
        }
    }

    /// The objects that several files give, with these files, the one that counts first.
    pub(super) fn duplicates(&self) -> impl Iterator<Item = (&Key, Vec<&Path>)> {
        self.shared.iter().filter_map(|key| Some((key, self.owners.get(key)?.keys().map(|path| &**path).collect())))
    }
}
