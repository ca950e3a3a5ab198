//! Histograms with ingress-nginx's buckets, in whole numbers: one addition each for bucket and sum.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

/// Upper bounds, in nanoseconds: .005 to 10 seconds.
pub(super) const TIME_BOUNDS: [u64; 11] = [
    5_000_000,
    10_000_000,
    25_000_000,
    50_000_000,
    100_000_000,
    250_000_000,
    500_000_000,
    1_000_000_000,
    2_500_000_000,
    5_000_000_000,
    10_000_000_000,
];

/// Upper bounds, in bytes: ingress-nginx's own end at 100, which tells nothing.
pub(super) const SIZE_BOUNDS: [u64; 7] = [10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000];

const NANOSECONDS: f64 = 1e9;

/// What a histogram measures, and thus its bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    /// Kept in nanoseconds, shown in seconds.
    Time,
    /// Bytes.
    Size,
}

impl Unit {
    pub(super) fn bounds(self) -> &'static [u64] {
        match self {
            Self::Time => &TIME_BOUNDS,
            Self::Size => &SIZE_BOUNDS,
        }
    }

    /// A value as it is shown.
    pub(super) fn shown(self, value: u64) -> f64 {
        let value = super::family::float(value);
        match self {
            Self::Time => value / NANOSECONDS,
            Self::Size => value,
        }
    }
}

/// A histogram of times.
pub(super) type Times = Histogram<{ TIME_BOUNDS.len() }>;
/// A histogram of sizes.
pub(super) type Sizes = Histogram<{ SIZE_BOUNDS.len() }>;

/// Counts of values, each in the bucket of the least bound that is not below it.
#[derive(Debug)]
pub(super) struct Histogram<const N: usize> {
    buckets: [AtomicU64; N],
    /// Those above all bounds.
    above: AtomicU64,
    sum: AtomicU64,
}

impl<const N: usize> Default for Histogram<N> {
    fn default() -> Self {
        Self { buckets: [const { AtomicU64::new(0) }; N], above: AtomicU64::new(0), sum: AtomicU64::new(0) }
    }
}

impl Times {
    pub(super) fn observe(&self, time: Duration) {
        self.count(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX), &TIME_BOUNDS);
    }
}

impl Sizes {
    pub(super) fn observe(&self, bytes: u64) {
        self.count(bytes, &SIZE_BOUNDS);
    }
}

impl<const N: usize> Histogram<N> {
    fn count(&self, value: u64, bounds: &[u64; N]) {
        let bucket = self.buckets.iter().zip(bounds).find(|(_, bound)| value <= **bound);
        let bucket = bucket.map_or(&self.above, |(bucket, _)| bucket);
        bucket.fetch_add(1, Ordering::Relaxed);
        self.sum.fetch_add(value, Ordering::Relaxed);
    }

    /// Adds what was counted here.
    pub(super) fn add_to(&self, totals: &mut Totals) {
        totals.buckets.resize(N, 0);
        for (total, bucket) in totals.buckets.iter_mut().zip(&self.buckets) {
            *total += bucket.load(Ordering::Relaxed);
        }
        totals.above += self.above.load(Ordering::Relaxed);
        totals.sum = totals.sum.wrapping_add(self.sum.load(Ordering::Relaxed));
    }
}

/// Several histograms together.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Totals {
    buckets: Vec<u64>,
    above: u64,
    sum: u64,
}

impl Totals {
    /// How many values.
    pub(super) fn count(&self) -> u64 {
        self.buckets.iter().sum::<u64>() + self.above
    }

    /// All values together.
    pub(super) fn sum(&self) -> u64 {
        self.sum
    }

    /// For each bound, how many values are not above it.
    pub(super) fn cumulative(&self) -> impl Iterator<Item = u64> {
        self.buckets.iter().scan(0, |total, bucket| {
            *total += bucket;
            Some(*total)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_belongs_to_its_bucket() {
        let sizes = Sizes::default();
        for bytes in [0, 10, 11, 10_000_000, 10_000_001] {
            sizes.observe(bytes);
        }
        let mut totals = Totals::default();
        sizes.add_to(&mut totals);
        assert_eq!(totals.cumulative().collect::<Vec<_>>(), [2, 3, 3, 3, 3, 3, 4]);
        assert_eq!((totals.count(), totals.sum()), (5, 20_000_022));
    }

    #[test]
    fn times_are_shown_in_seconds() {
        let times = Times::default();
        times.observe(Duration::from_millis(5));
        times.observe(Duration::MAX);
        let mut totals = Totals::default();
        times.add_to(&mut totals);
        assert_eq!(totals.cumulative().next(), Some(1));
        assert_eq!(totals.count(), 2);
        assert!((Unit::Time.shown(1_500_000_000) - 1.5).abs() < 1e-9);
    }
}
