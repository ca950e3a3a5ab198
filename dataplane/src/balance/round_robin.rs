//! Each endpoint in turn: ingress-nginx's default (`load-balance: round_robin`).

use std::sync::atomic::{AtomicUsize, Ordering};

/// Hands out indices in turn. One for each upstream, shared by all workers: an index says nothing about other
/// memory, so the counter needs no ordering.
#[derive(Debug)]
pub struct RoundRobin {
    next: AtomicUsize,
}

impl RoundRobin {
    /// Begins at `seed`, which should be random: replicas that began at the same endpoint would march in step.
    pub fn new(seed: usize) -> Self {
        Self { next: AtomicUsize::new(seed) }
    }

    /// The next of `len` endpoints; none where there are none.
    pub fn pick(&self, len: usize) -> Option<usize> {
        self.pick_except(len, |_| false)
    }

    /// The next of `len` endpoints for which `excluded` is false; none where it is true for all.
    pub fn pick_except(&self, len: usize, excluded: impl Fn(usize) -> bool) -> Option<usize> {
        let start = self.next.fetch_add(1, Ordering::Relaxed).checked_rem(len)?;
        (start..len).chain(0..start).find(|&index| !excluded(index))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_each_its_turn() {
        let turns = RoundRobin::new(2);
        let picks: Vec<_> = (0..6).filter_map(|_| turns.pick(3)).collect();
        assert_eq!(picks, [2, 0, 1, 2, 0, 1]);
    }

    #[test]
    fn passes_over_the_excluded() {
        let turns = RoundRobin::new(0);
        let picks: Vec<_> = (0..4).filter_map(|_| turns.pick_except(3, |i| i == 1)).collect();
        assert_eq!(picks, [0, 2, 2, 0]);
    }

    #[test]
    fn none_where_there_is_none() {
        let turns = RoundRobin::new(5);
        assert_eq!(turns.pick(0), None);
        assert_eq!(turns.pick_except(2, |_| true), None);
    }

    #[test]
    fn survives_the_end_of_its_counter() {
        let turns = RoundRobin::new(usize::MAX);
        assert!(turns.pick(7).is_some_and(|i| i < 7));
        assert_eq!(turns.pick(7), Some(0));
    }

    #[test]
    fn threads_share_the_turns() {
        let turns = RoundRobin::new(0);
        let counts = std::thread::scope(|scope| {
            let handles: Vec<_> =
                (0..4).map(|_| scope.spawn(|| (0..300).filter_map(|_| turns.pick(3)).fold([0; 3], count))).collect();
            handles.into_iter().map(|h| h.join().unwrap()).fold([0; 3], |a, b| [a[0] + b[0], a[1] + b[1], a[2] + b[2]])
        });
        assert_eq!(counts, [400; 3]);
    }

    fn count(mut counts: [u32; 3], index: usize) -> [u32; 3] {
        counts[index] += 1;
        counts
    }
}
