//! What was, when.

use std::time::{Duration, Instant};

/// Times at which something was not there.
#[derive(Debug, Default)]
pub struct Spans(Vec<Away>);

#[derive(Debug)]
struct Away {
    begin: Instant,
    /// None: it is not back.
    end: Option<Instant>,
    /// What whoever is back has at least, until a change must be served.
    settles: Duration,
}

/// One of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span(usize);

impl Spans {
    /// It goes away. Once it is back it needs so long until it has seen what it missed.
    pub fn begin(&mut self, at: Instant, settles: Duration) -> Span {
        self.0.push(Away { begin: at, end: None, settles });
        Span(self.0.len() - 1)
    }

    /// It is back.
    pub fn end(&mut self, Span(index): Span, at: Instant) {
        if let Some(away) = self.0.get_mut(index) {
            away.end = Some(at);
        }
    }

    /// When a change must have been served that was taken then: once all were there for `bound`, and who was away last has
    /// settled. None: not before something is back that is away.
    #[must_use]
    pub fn due(&self, taken: Instant, bound: Duration) -> Option<Instant> {
        let (mut due, mut counted) = (taken + bound, taken);
        // In the order in which they began: each may move it into the next one.
        for away in &self.0 {
            if away.begin <= due {
                let end = away.end?;
                due += end.saturating_duration_since(counted.max(away.begin));
                if end > counted {
                    due = due.max(end + away.settles);
                    counted = end;
                }
            }
        }
        Some(due)
    }
}

/// How long a change may take until it is served.
#[derive(Debug, Clone, Copy)]
pub struct Patience<'a> {
    /// Where nothing is away.
    pub bound: Duration,
    /// What was away.
    pub away: &'a Spans,
}

/// The states of one object, in their order.
#[derive(Debug)]
pub struct History<T>(Vec<State<T>>);

#[derive(Debug)]
struct State<T> {
    value: T,
    asked: Instant,
    /// When the API server had it.
    taken: Option<Instant>,
}

impl<T> History<T> {
    /// So it was when nobody looked yet.
    #[must_use]
    pub fn new(value: T) -> Self {
        let now = Instant::now();
        Self(vec![State { value, asked: now, taken: Some(now) }])
    }

    /// It is to be like this from now on, once somebody has [taken](Self::take) it.
    pub fn ask(&mut self, value: T, at: Instant) {
        self.0.push(State { value, asked: at, taken: None });
    }

    /// The API server has what was asked for last.
    pub fn take(&mut self, at: Instant) {
        if let Some(last) = self.0.last_mut() {
            last.taken = Some(at);
        }
    }

    /// What it is to be in the end.
    #[must_use]
    pub fn last(&self) -> Option<&T> {
        self.0.last().map(|state| &state.value)
    }

    /// All that may be seen by a request that lasted from then till then.
    pub fn seen<'a>(&'a self, from: Instant, to: Instant, patience: Patience<'a>) -> impl Iterator<Item = &'a T> {
        let due = move |at| patience.away.due(at, patience.bound);
        let replaced = move |state: &State<T>| state.taken.and_then(due).is_some_and(|due| due <= from);
        // The newest that must have been served, and what came after it.
        let first = self.0.iter().rposition(replaced).unwrap_or(0);
        self.0.iter().skip(first).filter(move |state| state.asked <= to).map(|state| &state.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chaos::{BOUND, SETTLES};

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn seen(history: &History<&'static str>, at: Instant) -> Vec<&'static str> {
        history.seen(at, at, Patience { bound: BOUND, away: &Spans::default() }).copied().collect()
    }

    /// When a change must be served that was taken at the beginning, with these away, s after it.
    fn due(spans: &[(u64, u64)], settles: Duration) -> Duration {
        let taken = Instant::now() + seconds(100);
        let mut away = Spans::default();
        for (begin, end) in spans {
            let span = away.begin(taken + seconds(*begin), settles);
            away.end(span, taken + seconds(*end));
        }
        away.due(taken, BOUND).map_or(Duration::ZERO, |due| due - taken)
    }

    #[test]
    fn both_until_the_new_one_must_be_served() {
        let away = Spans::default();
        let mut history = History::new("old");
        let asked = Instant::now() + BOUND;
        history.ask("new", asked);
        assert_eq!(seen(&history, asked - seconds(1)), ["old"]);
        assert_eq!(seen(&history, asked + seconds(999)), ["old", "new"], "nobody has taken it");
        let taken = asked + seconds(2);
        history.take(taken);
        assert_eq!(seen(&history, taken + BOUND - seconds(1)), ["old", "new"]);
        assert_eq!(seen(&history, taken + BOUND), ["new"]);
        let patience = Patience { bound: BOUND, away: &away };
        let begun_before: Vec<_> = history.seen(taken + BOUND - seconds(1), taken + BOUND, patience).collect();
        assert_eq!(begun_before, [&"old", &"new"]);
    }

    #[test]
    fn several_changes_may_be_on_their_way() {
        let mut history = History::new("a");
        let start = Instant::now() + BOUND;
        for (value, after) in [("b", 0), ("c", 5)] {
            history.ask(value, start + seconds(after));
            history.take(start + seconds(after));
        }
        assert_eq!(seen(&history, start + seconds(6)), ["a", "b", "c"]);
        assert_eq!(seen(&history, start + BOUND), ["b", "c"]);
        assert_eq!(seen(&history, start + BOUND + seconds(5)), ["c"]);
    }

    #[test]
    fn nothing_is_due_before_who_is_away_is_back() {
        let taken = Instant::now() + seconds(100);
        let mut away = Spans::default();
        let span = away.begin(taken + seconds(1), SETTLES);
        assert_eq!(away.due(taken, BOUND), None);
        away.end(span, taken + seconds(2));
        assert_eq!(away.due(taken, BOUND), Some(taken + BOUND + seconds(1)));
    }

    #[test]
    fn what_was_over_before_moves_nothing() {
        let taken = Instant::now() + seconds(100);
        let mut away = Spans::default();
        let before = away.begin(taken - seconds(9), SETTLES);
        away.end(before, taken - seconds(8));
        assert_eq!(away.due(taken, BOUND), Some(taken + BOUND));
        let meanwhile = away.begin(taken - seconds(2), SETTLES);
        away.end(meanwhile, taken + seconds(3));
        assert_eq!(away.due(taken, BOUND), Some(taken + BOUND + seconds(3)), "what of it came after");
    }

    #[test]
    fn the_bound_has_as_much_more_as_was_away() {
        assert_eq!(due(&[(1, 4)], SETTLES), BOUND + seconds(3));
        assert_eq!(due(&[(1, 4), (8, 9)], SETTLES), BOUND + seconds(4), "none begins anew");
        assert_eq!(due(&[(1, 4), (2, 3), (3, 6)], SETTLES), BOUND + seconds(5), "at the same time");
        assert_eq!(due(&[(1, 4), (19, 60)], SETTLES), BOUND + seconds(3), "it was served before that");
        assert_eq!(due(&[(1, 4), (17, 50)], SETTLES), seconds(50) + SETTLES, "one after the other");
    }

    #[test]
    fn whoever_is_back_may_settle() {
        assert_eq!(due(&[(14, 15)], SETTLES), seconds(15) + SETTLES);
        assert_eq!(due(&[(1, 4)], BOUND), seconds(4) + BOUND);
        assert_eq!(due(&[(10, 14)], BOUND), seconds(14) + BOUND);
    }
}
