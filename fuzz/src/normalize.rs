//! The path that routing and authentication see.

use std::borrow::Cow;

use dataplane::route;

/// Whatever path a request carries, what routing sees is in one form, hides no dot element, and does not depend on
/// which unreserved characters were percent-encoded (RFC 3986 section 6.2.2.2).
///
/// # Panics
/// It does not hold.
pub fn normalize(data: &[u8]) {
    let Ok(path) = std::str::from_utf8(data) else { return };
    let result = route::normalize(path);
    assert_eq!(result, route::normalize(&encode_unreserved(path)), "percent-encoding changes the meaning of {path:?}");
    let Ok(normal) = result else { return };
    assert_eq!(route::normalize(&normal), Ok(Cow::Borrowed(&*normal)), "{path:?} has two normal forms");
    if matches!(normal, Cow::Borrowed(_)) {
        assert_eq!(normal, path, "borrowed, but not what came");
    }
    assert!(normal.starts_with('/') && !normal.contains("//"), "{path:?} became {normal:?}");
    assert!(!normal.bytes().any(|byte| byte.is_ascii_control()), "a control byte in {normal:?}");
    assert!(!has_dot_element(&normal), "a dot element in {normal:?}");
    assert!(!has_dot_element(&decode(&normal)), "decoding uncovers a dot element in {normal:?}");
}

/// Also between backslashes: some backends take these for slashes.
fn has_dot_element(path: &str) -> bool {
    path.split(['/', '\\']).any(|element| matches!(element, "." | ".."))
}

/// The path with each unreserved character percent-encoded, apart from the two characters after a percent sign.
fn encode_unreserved(path: &str) -> String {
    let mut encoded = String::new();
    let mut kept = 0;
    for character in path.chars() {
        let unreserved = character.is_ascii_alphanumeric() || matches!(character, '-' | '.' | '_' | '~');
        match character {
            _ if kept > 0 => {
                kept -= 1;
                encoded.push(character);
            }
            _ if unreserved => encoded.push_str(&format!("%{:02x}", u32::from(character))),
            _ => {
                kept = if character == '%' { 2 } else { 0 };
                encoded.push(character);
            }
        }
    }
    encoded
}

/// As a backend would decode it once: written apart from the product's own, so that they do not err together.
fn decode(path: &str) -> String {
    let mut pieces = path.split('%');
    let mut decoded = pieces.next().unwrap_or_default().as_bytes().to_vec();
    for piece in pieces {
        match piece.get(..2).zip(piece.get(2..)).and_then(|(hex, rest)| Some((u8::from_str_radix(hex, 16).ok()?, rest)))
        {
            Some((byte, rest)) => {
                decoded.push(byte);
                decoded.extend(rest.bytes());
            }
            None => decoded.extend(piece.bytes()),
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}
