//! What differs between two maps.

use std::{cmp::Ordering, sync::Arc};

use super::{Iter, Map};

/// An entry that is not the same in two maps.
pub struct Change<'a, K, V> {
    /// Its key.
    pub key: &'a K,
    /// The value before; none: it is new.
    pub old: Option<&'a Arc<V>>,
    /// The value now; none: it is gone.
    pub new: Option<&'a Arc<V>>,
}

impl<K, V: PartialEq> Change<'_, K, V> {
    /// Whether there is a value before and after, and both say the same although they are two.
    pub fn says_the_same(&self) -> bool {
        matches!((self.old, self.new), (Some(old), Some(new)) if old == new)
    }
}

/// See [`Map::changes`].
pub struct Changes<'a, K, V> {
    old: Iter<'a, K, V>,
    new: Iter<'a, K, V>,
}

impl<K: Ord, V> Map<K, V> {
    /// The entries whose value is not the very same (`Arc`) as in `old`, in order. What both maps have of one another is
    /// not looked into.
    pub fn changes<'a>(&'a self, old: &'a Self) -> Changes<'a, K, V> {
        Changes { old: old.iter(), new: self.iter() }
    }

    /// Whether every value is the very same (`Arc`) as in `other`.
    pub fn is(&self, other: &Self) -> bool {
        self.changes(other).next().is_none()
    }
}

impl<K, V> Changes<'_, K, V> {
    /// Passes over chunks that both have. Whatever comes before them has been looked at in both.
    fn pass_shared(&mut self) {
        let begun = |iter: &Iter<'_, K, V>| !iter.entries.as_slice().is_empty();
        if begun(&self.old) || begun(&self.new) {
            return;
        }
        while let (Some(old), Some(new)) = (self.old.chunks.as_slice().first(), self.new.chunks.as_slice().first())
            && Arc::ptr_eq(old, new)
        {
            self.old.chunks.next();
            self.new.chunks.next();
        }
    }
}

impl<'a, K: Ord, V> Iterator for Changes<'a, K, V> {
    type Item = Change<'a, K, V>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            self.pass_shared();
            let order = match (self.old.peek(), self.new.peek()) {
                (Some((old, _)), Some((new, _))) => old.cmp(new),
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (None, None) => return None,
            };
            let old = if order.is_le() { self.old.next() } else { None };
            let new = if order.is_ge() { self.new.next() } else { None };
            if let (Some((_, old)), Some((_, new))) = (old, new)
                && Arc::ptr_eq(old, new)
            {
                continue;
            }
            let (key, _) = new.or(old)?;
            return Some(Change { key, old: old.map(|(_, value)| value), new: new.map(|(_, value)| value) });
        }
    }
}
