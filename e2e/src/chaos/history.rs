//! What was, when.

use std::time::Instant;

use super::BOUND;

/// Times at which something was not there.
#[derive(Debug, Default)]
pub struct Spans(Vec<(Instant, Option<Instant>)>);

/// One of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span(usize);

impl Spans {
    /// It goes away.
    pub fn begin(&mut self, at: Instant) -> Span {
        self.0.push((at, None));
        Span(self.0.len() - 1)
    }

    /// It is back.
    pub fn end(&mut self, Span(index): Span, at: Instant) {
        if let Some((_, end)) = self.0.get_mut(index) {
            *end = Some(at);
        }
    }

    /// Whether it was away at any time between these.
    #[must_use]
    pub fn meet(&self, from: Instant, to: Instant) -> bool {
        self.0.iter().any(|(begin, end)| *begin <= to && end.is_none_or(|end| end >= from))
    }

    /// When a change must have been served that was taken then. None: not before something is back that is away.
    #[must_use]
    pub fn due(&self, taken: Instant) -> Option<Instant> {
        let mut due = taken + BOUND;
        // In the order in which they began: each may move it into the next one.
        for (begin, end) in &self.0 {
            if *begin <= due {
                match end {
                    None => return None,
                    Some(end) if *end > taken => due = due.max(*end + BOUND),
                    Some(_) => {}
                }
            }
        }
        Some(due)
    }
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
    pub fn seen<'a>(&'a self, from: Instant, to: Instant, away: &'a Spans) -> impl Iterator<Item = &'a T> {
        let replaced = move |state: &State<T>| state.taken.and_then(|at| away.due(at)).is_some_and(|due| due <= from);
        // The newest that must have been served, and what came after it.
        let first = self.0.iter().rposition(replaced).unwrap_or(0);
        self.0.iter().skip(first).filter(move |state| state.asked <= to).map(|state| &state.value)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn seen(history: &History<&'static str>, at: Instant, away: &Spans) -> Vec<&'static str> {
        history.seen(at, at, away).copied().collect()
    }

    #[test]
    fn both_until_the_new_one_must_be_served() {
        let away = Spans::default();
        let mut history = History::new("old");
        let asked = Instant::now() + BOUND;
        history.ask("new", asked);
        assert_eq!(seen(&history, asked - seconds(1), &away), ["old"]);
        assert_eq!(seen(&history, asked + seconds(999), &away), ["old", "new"], "nobody has taken it");
        let taken = asked + seconds(2);
        history.take(taken);
        assert_eq!(seen(&history, taken + BOUND - seconds(1), &away), ["old", "new"]);
        assert_eq!(seen(&history, taken + BOUND, &away), ["new"]);
        let begun_before: Vec<_> = history.seen(taken + BOUND - seconds(1), taken + BOUND, &away).collect();
        assert_eq!(begun_before, [&"old", &"new"]);
    }

    #[test]
    fn several_changes_may_be_on_their_way() {
        let away = Spans::default();
        let mut history = History::new("a");
        let start = Instant::now() + BOUND;
        for (value, after) in [("b", 0), ("c", 5)] {
            history.ask(value, start + seconds(after));
            history.take(start + seconds(after));
        }
        assert_eq!(seen(&history, start + seconds(6), &away), ["a", "b", "c"]);
        assert_eq!(seen(&history, start + BOUND, &away), ["b", "c"]);
        assert_eq!(seen(&history, start + BOUND + seconds(5), &away), ["c"]);
    }

    #[test]
    fn the_bound_counts_from_when_everything_is_back() {
        let taken = Instant::now() + seconds(100);
        let mut away = Spans::default();
        let before = away.begin(taken - seconds(9));
        away.end(before, taken - seconds(8));
        assert_eq!(away.due(taken), Some(taken + BOUND), "it was over");
        let first = away.begin(taken + seconds(1));
        assert_eq!(away.due(taken), None);
        away.end(first, taken + seconds(4));
        assert_eq!(away.due(taken), Some(taken + seconds(4) + BOUND));
        let second = away.begin(taken + seconds(5) + BOUND);
        away.end(second, taken + seconds(60));
        assert_eq!(away.due(taken), Some(taken + seconds(4) + BOUND), "it was served before that");

        let mut away = Spans::default();
        for (begin, end) in [(seconds(1), seconds(4)), (seconds(3) + BOUND, seconds(50))] {
            let span = away.begin(taken + begin);
            assert_eq!(away.due(taken), None);
            away.end(span, taken + end);
        }
        assert_eq!(away.due(taken), Some(taken + seconds(50) + BOUND), "one after the other");
    }

    #[test]
    fn who_was_away_and_when() {
        let at = Instant::now() + seconds(100);
        let mut away = Spans::default();
        assert!(!away.meet(at, at));
        let span = away.begin(at);
        assert!(away.meet(at + seconds(5), at + seconds(6)), "it is not back");
        assert!(!away.meet(at - seconds(2), at - seconds(1)));
        away.end(span, at + seconds(3));
        assert!(away.meet(at - seconds(1), at) && away.meet(at + seconds(3), at + seconds(9)));
        assert!(!away.meet(at + seconds(4), at + seconds(9)));
    }
}
