//! The forms of values.

use crate::nginx;

/// `true` or `false`, or one of the other ways in which Go reads them.
pub(super) fn boolean(text: &str) -> Result<bool, String> {
    nginx::boolean(text).ok_or_else(|| format!("`{text}` is neither `true` nor `false`"))
}
