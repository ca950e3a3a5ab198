//! Paths of rules.

use std::sync::Arc;

use crate::draft::PathClass;

/// Bytes of a path: no target is longer that the data plane takes by default.
const LONGEST: usize = 8 << 10;

/// A path that can match something.
pub(crate) struct RulePath {
    pub class: PathClass,
    /// Without a trailing slash unless the class is `Exact`.
    pub path: Arc<str>,
    /// As written.
    pub label: Arc<str>,
}

/// Reads `path` and `pathType` of a rule.
///
/// # Errors
/// Kubernetes refuses the path, or no request can match it: requests are matched by their normalised path.
pub(crate) fn parse(path: Option<&str>, path_type: &str) -> Result<RulePath, String> {
    let class = match path_type {
        "Exact" => PathClass::Exact,
        "Prefix" => PathClass::Prefix,
        "ImplementationSpecific" => PathClass::ImplementationSpecific,
        "" => return Err("pathType is missing; it must be Exact, Prefix or ImplementationSpecific".to_owned()),
        other => return Err(format!("pathType {other:?} is none of Exact, Prefix and ImplementationSpecific")),
    };
    let text = match path.unwrap_or_default() {
        // Kubernetes lets only this type go without a path; it is everything then, as in ingress-nginx.
        "" if class == PathClass::ImplementationSpecific => "/",
        "" => return Err(format!("pathType {path_type} needs a path")),
        text => text,
    };
    if text.len() > LONGEST {
        return Err(format!("a path of {} bytes is longer than {LONGEST}", text.len()));
    }
    can_match(text)?;
    let path = if class == PathClass::Exact { text } else { text.strip_suffix('/').unwrap_or(text) };
    Ok(RulePath { class, path: path.into(), label: text.into() })
}

/// Whether a byte stays percent-encoded in a normalised path: as a plain one it would be structure, must not be in a
/// header or a log, or is no UTF-8.
fn stays_encoded(byte: u8) -> bool {
    matches!(byte, b'%' | b'?' | b'#' | ..b' ' | 0x7f..)
}

/// Whether what follows a percent sign is a byte that stays encoded, with upper-case digits.
fn is_kept(rest: &str) -> bool {
    let Some(digits) = rest.get(..2) else { return false };
    let is_upper = digits.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'A'..=b'F'));
    is_upper && u8::from_str_radix(digits, 16).is_ok_and(|byte| byte != 0 && stays_encoded(byte))
}

/// Whether encoded bytes make a character together. Those are decoded, and only bytes that are no UTF-8 stay as they are.
fn holds_encoded_character(path: &str) -> bool {
    let mut bytes = Vec::with_capacity(path.len());
    let mut parts = path.split('%');
    bytes.extend(parts.next().unwrap_or_default().bytes());
    for part in parts {
        let byte = part.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        let encoded = byte.filter(|byte| !byte.is_ascii());
        bytes.extend(encoded);
        bytes.extend(part.bytes().skip(if encoded.is_some() { 2 } else { 0 }));
    }
    let beyond_ascii = |text: &str| text.chars().filter(|c| !c.is_ascii()).count();
    let decoded: usize = bytes.utf8_chunks().map(|chunk| beyond_ascii(chunk.valid())).sum();
    decoded > beyond_ascii(path)
}

/// Whether the path of a request can look like this once the data plane has normalised it.
///
/// # Errors
/// It can not, and why.
pub fn can_match(path: &str) -> Result<(), String> {
    if !path.starts_with('/') {
        return Err(format!("path {path:?} does not begin with a slash"));
    }
    if path.contains("//") {
        return Err(format!("path {path:?} can match nothing: repeated slashes of a request count as one"));
    }
    if path.split('/').any(|element| matches!(element, "." | "..")) {
        return Err(format!("path {path:?} can match nothing: `.` and `..` of a request are resolved before"));
    }
    if !path.split('%').skip(1).all(is_kept) || holds_encoded_character(path) {
        return Err(format!("path {path:?} can match nothing: write the character instead of its percent-encoding"));
    }
    if path.contains(['?', '#']) || path.chars().any(|c| c.is_ascii_control()) {
        return Err(format!("path {path:?} can match nothing: it holds what is no part of a path"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(path: &str, path_type: &str) -> Option<String> {
        parse(Some(path), path_type).ok().map(|read| read.path.to_string())
    }

    #[test]
    fn only_exact_keeps_the_trailing_slash() {
        assert_eq!(read("/foo/", "Exact").unwrap(), "/foo/");
        assert_eq!(read("/foo/", "Prefix").unwrap(), "/foo");
        assert_eq!(read("/", "Prefix").unwrap(), "");
        assert_eq!(read("/", "Exact").unwrap(), "/");
    }

    #[test]
    fn no_path_is_every_path_where_kubernetes_allows_it() {
        assert_eq!(parse(None, "ImplementationSpecific").unwrap().path.as_ref(), "");
        assert_eq!(read("", "ImplementationSpecific").unwrap(), "");
        assert!(parse(None, "Prefix").is_err());
        assert!(read("", "Exact").is_none());
    }

    #[test]
    fn refuses_what_can_match_nothing() {
        for bad in [
            "foo",
            "//",
            "/a//b",
            "/a/./b",
            "/a/..",
            "/.",
            "/%61",
            "/a%2fb",
            "/a%2Fb",
            "/a%",
            "/%253f%3f",
            "/a?b",
            "/a#b",
            "/a%00",
            "/caf%C3%A9",
            "/%F0%9F%8C%8A",
            "/%A9%C3%A9",
            "/é%C3%A9",
            "/a\0",
            "/a\n",
        ] {
            assert!(read(bad, "Prefix").is_none(), "{bad}");
            assert!(read(bad, "ImplementationSpecific").is_none(), "{bad}");
        }
        assert!(read("/a", "prefix").is_none());
        assert!(read("/a", "").is_none());
    }

    #[test]
    fn what_stays_encoded_can_match() {
        for path in ["/a/100%25/%23/%3F", "/%0A", "/%FF", "/café%A9", "/%C3é", "/%E2%82", "/%C3%25%A9", "/%C3/%A9"] {
            assert_eq!(read(path, "ImplementationSpecific").unwrap(), path);
        }
    }

    #[test]
    fn dots_inside_of_a_name_are_a_name() {
        assert_eq!(read("/.well-known/a..b/...", "Prefix").unwrap(), "/.well-known/a..b/...");
    }
}
