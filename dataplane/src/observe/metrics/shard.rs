//! Counters of several workers side by side, so that counting never waits for another core's cache.

use std::{
    num::NonZeroUsize,
    sync::atomic::{AtomicUsize, Ordering},
};

/// One value for each worker.
#[derive(Debug)]
pub(super) struct Sharded<T> {
    first: T,
    others: Box<[T]>,
}

static NEXT: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    /// Threads are numbered as they first count. With more threads than shards some share one: slower, never wrong.
    static NUMBER: usize = NEXT.fetch_add(1, Ordering::Relaxed);
}

impl<T: Default> Sharded<T> {
    /// As many values as there are workers.
    pub(super) fn new(workers: NonZeroUsize) -> Self {
        Self { first: T::default(), others: (1..workers.get()).map(|_| T::default()).collect() }
    }
}

impl<T> Sharded<T> {
    /// The value of this thread.
    pub(super) fn here(&self) -> &T {
        let number = NUMBER.with(|number| number % (self.others.len() + 1));
        self.others.get(number).unwrap_or(&self.first)
    }

    /// All of them.
    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        std::iter::once(&self.first).chain(&self.others)
    }
}
