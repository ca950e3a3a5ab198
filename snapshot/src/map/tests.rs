use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

/// Keys enough for several chunks.
const KEYS: u16 = 600;

/// A value for a key; none: it is taken out.
type Step = (u16, Option<u8>);

fn steps(most: usize) -> impl Strategy<Value = Vec<Step>> {
    prop::collection::vec((0..KEYS, prop::option::weighted(0.6, 0..4_u8)), 0..most)
}

/// Makes the same steps with both, the map and one that is known to be right.
fn take(map: &mut Map<u16, u8>, plain: &mut BTreeMap<u16, Arc<u8>>, steps: &[Step]) {
    for (key, value) in steps {
        match value.map(Arc::new) {
            Some(value) => assert_eq!(map.insert(*key, Arc::clone(&value)), plain.insert(*key, value)),
            None => assert_eq!(map.remove(key), plain.remove(key)),
        }
    }
}

fn entries(map: &Map<u16, u8>) -> Vec<(u16, u8)> {
    map.iter().map(|(key, value)| (*key, **value)).collect()
}

fn plain_entries(map: &BTreeMap<u16, Arc<u8>>) -> Vec<(u16, u8)> {
    map.iter().map(|(key, value)| (*key, **value)).collect()
}

/// The old map, with the differences to the new one carried over.
fn carried(old: &Map<u16, u8>, new: &Map<u16, u8>) -> Vec<(u16, u8)> {
    let mut carried: BTreeMap<u16, u8> = old.iter().map(|(key, value)| (*key, **value)).collect();
    for Change { key, old, new } in new.changes(old) {
        assert!(old.is_some() || new.is_some());
        assert_eq!(carried.get(key), old.map(|value| &**value));
        match new {
            Some(new) => drop(carried.insert(*key, **new)),
            None => drop(carried.remove(key)),
        }
    }
    carried.into_iter().collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn holds_what_a_plain_map_holds(first in steps(2_000), then in steps(40), last in steps(400)) {
        let (mut map, mut plain) = (Map::default(), BTreeMap::new());
        take(&mut map, &mut plain, &first);
        let before = (map.clone(), plain_entries(&plain));
        for steps in [then, last] {
            let (old, old_plain) = (map.clone(), plain.clone());
            take(&mut map, &mut plain, &steps);
            prop_assert_eq!(entries(&map), plain_entries(&plain));
            prop_assert_eq!((map.len(), map.is_empty()), (plain.len(), plain.is_empty()));
            prop_assert!((0..KEYS).all(|key| map.get(&key) == plain.get(&key)));

            // What changed, whichever chunks they share; and none of them, where one was made by itself.
            prop_assert_eq!(carried(&old, &map), entries(&map));
            prop_assert_eq!(carried(&map, &old), entries(&old));
            let alone: Map<u16, u8> = plain.clone().into();
            prop_assert!(alone.is(&map) && alone == map);
            prop_assert_eq!(carried(&old, &alone), entries(&map));
            let is_other = plain_entries(&old_plain) != plain_entries(&plain);
            prop_assert_eq!(old != map, is_other);
        }
        prop_assert_eq!(entries(&before.0), before.1, "a copy changed with its original");
    }
}

/// The pieces that are looked at, or copied, are counted by the chunks that are not shared.
#[test]
fn one_change_costs_one_chunk() {
    let old: Map<u16, u8> = (0..10_000).map(|key| (key, Arc::new(0))).collect();
    let mut new = old.clone();
    new.insert(5_000, Arc::new(1));
    let own = new.chunks.iter().filter(|chunk| !old.chunks.iter().any(|other| Arc::ptr_eq(chunk, other)));
    assert_eq!(own.count(), 1);
    let mut changes = new.changes(&old);
    assert_eq!(changes.next().map(|change| *change.key), Some(5_000));
    assert!(changes.next().is_none() && !new.is(&old));
}

#[test]
fn the_same_value_in_another_place_is_a_change_that_says_the_same() {
    let old: Map<u16, u8> = [(1, Arc::new(1))].into();
    let new: Map<u16, u8> = [(1, Arc::new(1))].into();
    assert!(new == old && !new.is(&old));
    assert!(new.changes(&old).all(|change| change.says_the_same()));
}
