//! The forms of values.

use crate::nginx;

/// `true` or `false`, or one of the other ways in which Go reads them.
pub(super) fn boolean(text: &str) -> Result<bool, String> {
    nginx::boolean(text).ok_or_else(|| format!("`{text}` is neither `true` nor `false`"))
}

/// `on` or `off`.
pub(super) fn on_or_off(text: &str) -> Result<bool, String> {
    match text {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err(format!("`{text}` is neither `on` nor `off`")),
    }
}
