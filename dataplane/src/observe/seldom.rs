//! What may happen with each packet that somebody sends.

use std::{
    cell::Cell,
    time::{Duration, Instant},
};

/// How often the log speaks of it.
const SELDOM: Duration = Duration::from_secs(10);

/// Something that may happen very often and is to be logged seldom.
#[derive(Debug, Default)]
pub struct Seldom {
    times: Cell<u64>,
    said: Cell<Option<Instant>>,
}

impl Seldom {
    /// It happened. Returns how often since it was said last, if it is to be said now.
    pub fn say(&self) -> Option<u64> {
        let times = self.times.get().saturating_add(1);
        self.times.set(times);
        if self.said.get().is_some_and(|said| said.elapsed() < SELDOM) {
            return None;
        }
        self.said.set(Some(Instant::now()));
        self.times.set(0);
        Some(times)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_the_first_and_then_seldom() {
        let log = Seldom::default();
        assert_eq!(log.say(), Some(1));
        assert_eq!((0..5).find_map(|_| log.say()), None);
        log.said.set(Instant::now().checked_sub(SELDOM));
        assert_eq!(log.say(), Some(6));
    }
}
