//! Sizes: `8k`, `1m`, `0`.

/// A size in bytes: digits, then optionally `b`, `k`, `m` or `g` in either case (powers of 1024).
pub(crate) fn size(text: &str) -> Result<u64, String> {
    let (digits, factor) = match text.char_indices().next_back() {
        Some((at, unit)) if unit.is_ascii_alphabetic() => (text.get(..at).unwrap_or_default(), factor(unit)),
        _ => (text, Some(1)),
    };
    let malformed = || format!("`{text}` is not a size such as `512`, `8k`, `1m` or `1g`");
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(malformed());
    }
    let factor = factor.ok_or_else(malformed)?;
    let number: u64 = digits.parse().map_err(|_| format!("`{text}` is too large"))?;
    number.checked_mul(factor).ok_or_else(|| format!("`{text}` is too large"))
}

fn factor(unit: char) -> Option<u64> {
    match unit.to_ascii_lowercase() {
        'b' => Some(1),
        'k' => Some(1 << 10),
        'm' => Some(1 << 20),
        'g' => Some(1 << 30),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::size;

    #[test]
    fn units_in_either_case() {
        for (text, bytes) in
            [("0", 0), ("512", 512), ("512b", 512), ("8k", 8192), ("8K", 8192), ("1m", 1 << 20), ("2G", 2 << 30)]
        {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for text in ["", "k", "-1", "+1", "1.5m", "1 m", "1kb", "1t", "ä", "1ä", "99999999999999999999", "99999999999g"]
        {
            assert!(size(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(text in ".*") {
            let _ = size(&text);
        }

        #[test]
        fn reads_what_was_written(number in 0..1_u64 << 40) {
            prop_assert_eq!(size(&format!("{number}k")), Ok(number << 10));
        }
    }
}
