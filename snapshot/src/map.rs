//! A map whose copies share what did not change.
//!
//! Endpoints change a hundred times a second where there are ten thousand Services, and each change makes a snapshot. So
//! that such a one costs what it changes, nothing of a snapshot is copied whole, and nobody walks along all of it.

mod changes;
mod serialize;

use std::{borrow::Borrow, collections::BTreeMap, slice, sync::Arc};

pub use changes::{Change, Changes};

/// Entries of a chunk at most; one that grows beyond is cut in two.
const MOST: usize = 128;

/// Never empty, and in order.
type Chunk<K, V> = Arc<Vec<(K, Arc<V>)>>;

/// An ordered map of shared values, in chunks that are shared too. A copy costs a pointer; a change costs one chunk and
/// the list of chunks; what differs between two maps is found without a look into the chunks that both have.
pub struct Map<K, V> {
    chunks: Arc<Vec<Chunk<K, V>>>,
    len: usize,
}

impl<K: Ord, V> Map<K, V> {
    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The value of `key`.
    pub fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&Arc<V>>
    where
        K: Borrow<Q>,
    {
        let chunk = self.chunks.get(self.chunk_of(key))?;
        chunk.get(search(chunk, key).ok()?).map(|(_, value)| value)
    }

    /// Whether `key` has a value.
    pub fn contains_key<Q: Ord + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.get(key).is_some()
    }

    /// All entries, in order.
    pub fn iter(&self) -> Iter<'_, K, V> {
        Iter { entries: [].iter(), chunks: self.chunks.iter() }
    }

    /// All keys, in order.
    pub fn keys(&self) -> impl Iterator<Item = &K> {
        self.iter().map(|(key, _)| key)
    }

    /// All values, in the order of their keys.
    pub fn values(&self) -> impl Iterator<Item = &Arc<V>> {
        self.iter().map(|(_, value)| value)
    }

    /// The chunk that `key` is in, if it is in any.
    fn chunk_of<Q: Ord + ?Sized>(&self, key: &Q) -> usize
    where
        K: Borrow<Q>,
    {
        let begins_before = |chunk: &Chunk<K, V>| chunk.first().is_some_and(|(first, _)| first.borrow() <= key);
        self.chunks.partition_point(begins_before).saturating_sub(1)
    }
}

impl<K: Ord + Clone, V> Map<K, V> {
    /// The value of `key`, to be changed.
    pub fn get_mut<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<&mut Arc<V>>
    where
        K: Borrow<Q>,
    {
        let number = self.chunk_of(key);
        let place = search(self.chunks.get(number)?, key).ok()?;
        let chunk = Arc::make_mut(&mut self.chunks).get_mut(number)?;
        Arc::make_mut(chunk).get_mut(place).map(|(_, value)| value)
    }

    /// All values, in the order of their keys, to be changed.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut Arc<V>> {
        let chunks = Arc::make_mut(&mut self.chunks).iter_mut();
        chunks.flat_map(Arc::make_mut).map(|(_, value)| value)
    }

    /// Gives `key` a value; returns the one before.
    pub fn insert(&mut self, key: K, value: Arc<V>) -> Option<Arc<V>> {
        let number = self.chunk_of(&key);
        let chunks = Arc::make_mut(&mut self.chunks);
        let Some(chunk) = chunks.get_mut(number) else {
            chunks.push(Arc::new(vec![(key, value)]));
            self.len = 1;
            return None;
        };
        let entries = Arc::make_mut(chunk);
        match search(entries, &key) {
            Ok(place) => entries.get_mut(place).map(|(_, held)| std::mem::replace(held, value)),
            Err(place) => {
                entries.insert(place, (key, value));
                if entries.len() > MOST {
                    let upper = entries.split_off(MOST / 2);
                    chunks.insert(number.saturating_add(1), Arc::new(upper));
                }
                self.len = self.len.saturating_add(1);
                None
            }
        }
    }

    /// Takes `key` out; returns its value.
    pub fn remove<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<Arc<V>>
    where
        K: Borrow<Q>,
    {
        let number = self.chunk_of(key);
        let place = search(self.chunks.get(number)?, key).ok()?;
        let chunks = Arc::make_mut(&mut self.chunks);
        let entries = Arc::make_mut(chunks.get_mut(number)?);
        let (_, value) = entries.remove(place);
        if entries.is_empty() {
            chunks.remove(number);
        }
        self.len = self.len.saturating_sub(1);
        Some(value)
    }
}

/// Where `key` is in a chunk, or would be.
fn search<K: Ord + Borrow<Q>, V, Q: Ord + ?Sized>(chunk: &[(K, V)], key: &Q) -> Result<usize, usize> {
    chunk.binary_search_by(|(other, _)| other.borrow().cmp(key))
}

/// See [`Map::iter`].
pub struct Iter<'a, K, V> {
    /// What is left of the chunk that was begun.
    entries: slice::Iter<'a, (K, Arc<V>)>,
    /// Those that were not.
    chunks: slice::Iter<'a, Chunk<K, V>>,
}

impl<'a, K, V> Iter<'a, K, V> {
    fn peek(&mut self) -> Option<(&'a K, &'a Arc<V>)> {
        if self.entries.as_slice().is_empty() {
            self.entries = self.chunks.next()?.iter();
        }
        self.entries.as_slice().first().map(|(key, value)| (key, value))
    }
}

impl<'a, K, V> Iterator for Iter<'a, K, V> {
    type Item = (&'a K, &'a Arc<V>);

    fn next(&mut self) -> Option<Self::Item> {
        let next = self.peek();
        self.entries.next();
        next
    }
}

impl<'a, K: Ord, V> IntoIterator for &'a Map<K, V> {
    type Item = (&'a K, &'a Arc<V>);
    type IntoIter = Iter<'a, K, V>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<K, V> Clone for Map<K, V> {
    fn clone(&self) -> Self {
        Self { chunks: Arc::clone(&self.chunks), len: self.len }
    }
}

impl<K, V> Default for Map<K, V> {
    fn default() -> Self {
        Self { chunks: Arc::default(), len: 0 }
    }
}

impl<K: Ord, V: PartialEq> PartialEq for Map<K, V> {
    fn eq(&self, other: &Self) -> bool {
        self.len == other.len && self.changes(other).all(|change| change.says_the_same())
    }
}

/// Half-full chunks, so that there is room in each.
impl<K, V> From<BTreeMap<K, Arc<V>>> for Map<K, V> {
    fn from(map: BTreeMap<K, Arc<V>>) -> Self {
        let (len, mut entries) = (map.len(), map.into_iter());
        let next = || Some(entries.by_ref().take(MOST / 2).collect::<Vec<_>>()).filter(|chunk| !chunk.is_empty());
        let chunks = std::iter::from_fn(next).map(Arc::new).collect();
        Self { chunks: Arc::new(chunks), len }
    }
}

impl<K: Ord, V> FromIterator<(K, Arc<V>)> for Map<K, V> {
    fn from_iter<I: IntoIterator<Item = (K, Arc<V>)>>(entries: I) -> Self {
        BTreeMap::from_iter(entries).into()
    }
}

impl<K: Ord, V, const N: usize> From<[(K, Arc<V>); N]> for Map<K, V> {
    fn from(entries: [(K, Arc<V>); N]) -> Self {
        BTreeMap::from(entries).into()
    }
}

impl<K: Ord + Clone, V> Extend<(K, Arc<V>)> for Map<K, V> {
    fn extend<I: IntoIterator<Item = (K, Arc<V>)>>(&mut self, entries: I) {
        entries.into_iter().for_each(|(key, value)| drop(self.insert(key, value)));
    }
}

#[cfg(test)]
mod tests;
