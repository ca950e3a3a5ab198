//! The forms of values.

use crate::{NamespacedName, nginx};

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

/// A Secret as `namespace/name`. Names that no object can have are asked for in vain, and some of them spoil the question.
pub(super) fn secret(text: &str) -> Result<NamespacedName, String> {
    match text.split_once('/') {
        Some((namespace, name)) if is_label(namespace) && name.len() <= 253 && name.split('.').all(is_label) => {
            Ok(NamespacedName::new(namespace, name))
        }
        _ => Err(format!("`{text}` is not a Secret as `namespace/name`")),
    }
}

/// A label of RFC 1123, as Kubernetes has them in names.
fn is_label(text: &str) -> bool {
    let is_inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=63).contains(&text.len()) && text.bytes().all(is_inner) && !text.starts_with('-') && !text.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_have_names_that_objects_can_have() {
        for good in ["default/ca", "a/b.c-d.e", "0/1", "default/10.0.0.1"] {
            assert_eq!(secret(good).unwrap().to_string(), good);
        }
        let long = format!("default/{}", "a.".repeat(127));
        for bad in [
            "",
            "ca",
            "/ca",
            "default/",
            "default/x,y=z",
            "default/..",
            "default/a/b",
            "default/-a",
            "a.b/c",
            "A/b",
            "a/b ",
            &long,
        ] {
            assert!(secret(bad).is_err(), "{bad}");
        }
    }
}
