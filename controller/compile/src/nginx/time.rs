//! Times: `60`, `60s`, `1m30s`, `1h 30m`, `500ms`.

use std::time::Duration;

/// The units in the only order in which nginx takes them, in milliseconds. A month has 30 days, a year 365.
const UNITS: [(&str, u64); 8] = [
    ("y", 365 * 86_400_000),
    ("M", 30 * 86_400_000),
    ("w", 7 * 86_400_000),
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

/// A time in nginx's syntax: numbers with units, from the largest to the smallest, each at most once; a number
/// without a unit is seconds and stands last.
pub(crate) fn time(text: &str) -> Result<Duration, String> {
    let malformed = || format!("`{text}` is not a time such as `60`, `60s`, `1m30s` or `1h`");
    let mut rest = text.trim();
    let mut units = UNITS.iter();
    let mut total: u64 = 0;
    if rest.is_empty() {
        return Err(malformed());
    }
    while !rest.is_empty() {
        let (digits, after) = split(rest, |c| c.is_ascii_digit());
        let (unit, after) = split(after, |c| c.is_ascii_alphabetic());
        let name = if unit.is_empty() && after.is_empty() { "s" } else { unit };
        let (_, scale) = units.by_ref().find(|(unit, _)| *unit == name).ok_or_else(malformed)?;
        let number: u64 = digits.parse().map_err(|_| malformed())?;
        let part = number.checked_mul(*scale);
        total = part.and_then(|part| total.checked_add(part)).ok_or_else(|| format!("`{text}` is too long"))?;
        rest = after.trim_start_matches(' ');
    }
    Ok(Duration::from_millis(total))
}

/// The longest beginning of which each character is `wanted`, and the rest.
fn split(text: &str, wanted: fn(&char) -> bool) -> (&str, &str) {
    let end = text.char_indices().find(|(_, c)| !wanted(c)).map_or(text.len(), |(at, _)| at);
    text.split_at_checked(end).unwrap_or((text, ""))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::time;

    #[test]
    fn units_add_up() {
        let cases = [
            ("0", 0),
            ("60", 60_000),
            ("60s", 60_000),
            ("1m30s", 90_000),
            ("1h", 3_600_000),
            ("1h 30m", 5_400_000),
            ("1m30", 90_000),
            ("500ms", 500),
            ("1s500ms", 1_500),
            ("1M", 2_592_000_000),
            (" 2d ", 172_800_000),
        ];
        for (text, milliseconds) in cases {
            assert_eq!(time(text), Ok(Duration::from_millis(milliseconds)), "{text}");
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            "",
            " ",
            "s",
            "1x",
            "30s1m",
            "1s1s",
            "-1",
            "1.5s",
            "60 60",
            "1h30x",
            "99999999999999999999",
            "ä",
            "9999999999999y",
        ] {
            assert!(time(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(text in ".*") {
            let _ = time(&text);
        }

        #[test]
        fn never_panics_on_what_looks_right(text in "[0-9yMwdhms ]*") {
            let _ = time(&text);
        }
    }
}
