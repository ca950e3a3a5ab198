//! "Did you mean": the known name nearest to one that nobody knows.

/// How far a written name is from a known one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Near<'a> {
    /// The known name.
    pub(crate) name: &'a str,
    /// Letters added, left out, changed or swapped with a neighbour.
    pub(crate) distance: usize,
}

impl Near<'_> {
    /// Whether the two differ by a slip of the hand, so that hardly anything else can have been meant.
    pub(crate) fn is_slip(self) -> bool {
        self.distance <= 2
    }
}

/// The nearest of `known`, the first of equals; none where all are too far to be what was meant. Case and `_` for `-`
/// do not count.
pub(crate) fn nearest<'a>(written: &str, known: impl Iterator<Item = &'a str>) -> Option<Near<'a>> {
    let written = written.to_lowercase().replace('_', "-");
    let length = written.chars().count();
    known
        .filter(|name| name.len().abs_diff(length) <= bound(length))
        .map(|name| Near { name, distance: strsim::osa_distance(&written, name) })
        .filter(|near| near.distance <= bound(length))
        .min_by_key(|near| near.distance)
}

/// A third of a name may be wrong.
fn bound(length: usize) -> usize {
    (length / 3).clamp(1, 6)
}

#[cfg(test)]
mod tests {
    use super::{Near, nearest};

    const KNOWN: [&str; 3] = ["auth-url", "auth-type", "proxy-body-size"];

    fn find(written: &str) -> Option<Near<'static>> {
        nearest(written, KNOWN.into_iter())
    }

    #[test]
    fn finds_what_was_meant() {
        for (written, name, distance) in
            [("auth-ur1", "auth-url", 1), ("Auth_URL", "auth-url", 0), ("proxy-bdoy-size", "proxy-body-size", 1)]
        {
            assert_eq!(find(written), Some(Near { name, distance }), "{written}");
        }
    }

    #[test]
    fn does_not_guess_wildly() {
        for written in ["", "x", "session-cookie", "äöüäöüäö"] {
            assert_eq!(find(written), None, "{written}");
        }
    }
}
