use std::fmt;

/// Median, 90th percentile and maximum of some sizes.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Figures {
    pub(super) median: usize,
    pub(super) p90: usize,
    pub(super) max: usize,
}

impl Figures {
    pub(super) fn of(sizes: impl IntoIterator<Item = usize>) -> Self {
        let mut sizes: Vec<usize> = sizes.into_iter().collect();
        sizes.sort_unstable();
        Self { median: percentile(&sizes, 50), p90: percentile(&sizes, 90), max: percentile(&sizes, 100) }
    }
}

/// The nearest rank: the least of the sizes that so many percent are not above.
fn percentile(sorted: &[usize], percent: usize) -> usize {
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or_default()
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} / {} / {}", self.median, self.p90, self.max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearest_rank() {
        assert_eq!(Figures::of(1..=10), Figures { median: 5, p90: 9, max: 10 });
        assert_eq!(Figures::of([7]), Figures { median: 7, p90: 7, max: 7 });
        assert_eq!(Figures::of([]), Figures::default());
    }
}
