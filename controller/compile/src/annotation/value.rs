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
        Some((namespace, name)) if is_namespace(namespace) && is_name(name) => Ok(NamespacedName::new(namespace, name)),
        _ => Err(format!("`{text}` is not a Secret as `namespace/name`")),
    }
}

/// A label of RFC 1123, as Kubernetes has them for namespaces.
fn is_namespace(text: &str) -> bool {
    text.len() <= 63 && is_part(text)
}

/// A subdomain, as Kubernetes has them for Secrets: bounded in all, but its parts, unlike those of a domain, are not.
fn is_name(text: &str) -> bool {
    text.len() <= 253 && text.split('.').all(is_part)
}

fn is_part(text: &str) -> bool {
    let is_inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !text.is_empty() && text.bytes().all(is_inner) && !text.starts_with('-') && !text.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_have_names_that_objects_can_have() {
        let longest = [format!("default/{}", "a".repeat(253)), format!("{}/ca", "a".repeat(63))];
        for good in ["default/ca", "a/b.c-d.e", "0/1", "default/10.0.0.1", &longest[0], &longest[1]] {
            assert_eq!(secret(good).unwrap().to_string(), good);
        }
        let too_long = [format!("default/{}", "a".repeat(254)), format!("{}/ca", "a".repeat(64))];
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
            "a/b.",
            &too_long[0],
            &too_long[1],
        ] {
            assert!(secret(bad).is_err(), "{bad}");
        }
    }
}
