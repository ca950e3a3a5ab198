//! What goes wrong over and over is logged once, and then now and then.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

/// How many different causes are remembered. More of them are logged each time.
const MOST: usize = 32;

/// What was logged, and when.
pub(crate) struct Causes {
    told: HashMap<String, Instant>,
    again: Duration,
}

impl Causes {
    pub(crate) fn new(again: Duration) -> Self {
        Self { told: HashMap::new(), again }
    }

    /// Whether to log this now.
    pub(crate) fn is_news(&mut self, cause: &str) -> bool {
        let now = Instant::now();
        if self.told.get(cause).is_some_and(|told| now.duration_since(*told) < self.again) {
            return false;
        }
        if self.told.len() >= MOST {
            self.told.retain(|_, told| now.duration_since(*told) < self.again);
        }
        if self.told.len() < MOST {
            self.told.insert(cause.to_owned(), now);
        }
        true
    }

    /// All is well: whatever comes is news again.
    pub(crate) fn clear(&mut self) {
        self.told.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn once_and_then_again() {
        let mut causes = Causes::new(Duration::from_secs(3600));
        assert!(causes.is_news("a") && causes.is_news("b"));
        assert!(!causes.is_news("a"));
        causes.clear();
        assert!(causes.is_news("a"));
        let mut causes = Causes::new(Duration::ZERO);
        assert!(causes.is_news("a") && causes.is_news("a"));
    }

    #[test]
    fn a_flood_of_causes_is_not_remembered() {
        let mut causes = Causes::new(Duration::from_secs(3600));
        (0..1000).for_each(|number| assert!(causes.is_news(&number.to_string())));
        assert_eq!(causes.told.len(), MOST);
        assert!(!causes.is_news("0"));
    }
}
