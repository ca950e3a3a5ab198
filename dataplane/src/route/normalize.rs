//! The path that routing and authentication see (RFC 3986 section 6.2.2).

use std::borrow::Cow;

use thiserror::Error;

/// Kept by [`decode`], so that the elements are first looked at as those see them who do not decode it.
const ENCODED_SLASH: &str = "%2F";

/// A path that cannot be matched safely: the request is answered 400, as nginx does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum PathError {
    /// It does not begin with a slash.
    #[error("the path does not begin with a slash")]
    Relative,
    /// A percent sign that two hexadecimal digits do not follow.
    #[error("a percent sign is not followed by two hexadecimal digits")]
    Encoding,
    /// NUL, plain or as `%00`.
    #[error("the path holds NUL")]
    Nul,
    /// `..` elements lead above the root.
    #[error("the path leads above its root")]
    AboveRoot,
    /// `.` or `..` stands beside an encoded slash or a backslash: a backend that takes these for slashes would be led
    /// to a path that nobody here has looked at.
    #[error("a dot element stands beside an encoded slash or a backslash")]
    HiddenDots,
}

/// The normalised form of a request's path (without its query). Borrowed where it is in that form already.
///
/// - Percent-encodings are decoded, apart from those that would change what the path means: `%25`, `%3F` and `%23` are
///   structure when plain, and control bytes must never get from here into a header or a log. Bytes that are not
///   UTF-8 stay encoded as well. Those that stay are written with upper-case digits.
/// - `%2F` counts as a slash, as in nginx: a backend that takes it for one must not serve `/admin%2Fx` to somebody whom
///   the rules of `/admin` would have kept out.
/// - Empty elements are dropped (`//` is `/`), as nginx does by default (`merge_slashes`).
/// - `.` and `..` elements are resolved, also where they were encoded.
///
/// The result of normalising twice is that of normalising once.
///
/// # Errors
/// The path is one that different readers may understand differently.
pub fn normalize(path: &str) -> Result<Cow<'_, str>, PathError> {
    if !path.starts_with('/') {
        return Err(PathError::Relative);
    }
    if is_normal(path.as_bytes()) {
        return Ok(Cow::Borrowed(path));
    }
    let mut normal = resolve(&decode(path.as_bytes())?)?;
    if normal.contains(ENCODED_SLASH) {
        normal = resolve(&normal.replace(ENCODED_SLASH, "/"))?;
    }
    Ok(if normal == path { Cow::Borrowed(path) } else { Cow::Owned(normal) })
}

/// Whether nothing needs a closer look: no percent sign, backslash or control byte, no empty element and none that
/// begins with a dot.
fn is_normal(path: &[u8]) -> bool {
    let mut previous = 0;
    for &byte in path {
        let suspicious =
            matches!(byte, b'%' | b'\\' | ..b' ' | 0x7f) || (previous == b'/' && matches!(byte, b'/' | b'.'));
        if suspicious {
            return false;
        }
        previous = byte;
    }
    true
}

fn decode(path: &[u8]) -> Result<String, PathError> {
    let mut decoded = Vec::with_capacity(path.len());
    let mut bytes = path.iter().copied();
    while let Some(byte) = bytes.next() {
        match byte {
            0 => return Err(PathError::Nul),
            b'%' => match (hex(bytes.next())? << 4) | hex(bytes.next())? {
                0 => return Err(PathError::Nul),
                byte if stays_encoded(byte) => push_encoded(&mut decoded, byte),
                byte => decoded.push(byte),
            },
            byte if byte.is_ascii_control() => push_encoded(&mut decoded, byte),
            byte => decoded.push(byte),
        }
    }
    Ok(encode_invalid(&decoded))
}

fn hex(digit: Option<u8>) -> Result<u8, PathError> {
    let value = digit.and_then(|digit| char::from(digit).to_digit(16)).ok_or(PathError::Encoding)?;
    u8::try_from(value).map_err(|_| PathError::Encoding)
}

fn stays_encoded(byte: u8) -> bool {
    byte.is_ascii_control() || matches!(byte, b'/' | b'%' | b'?' | b'#')
}

fn push_encoded(path: &mut Vec<u8>, byte: u8) {
    let digit = |nibble: u8| if nibble < 10 { b'0' + nibble } else { b'A' + (nibble - 10) };
    path.extend([b'%', digit(byte >> 4), digit(byte & 15)]);
}

/// Encodes again what is not UTF-8.
fn encode_invalid(path: &[u8]) -> String {
    let mut text = String::with_capacity(path.len());
    for chunk in path.utf8_chunks() {
        text.push_str(chunk.valid());
        let mut encoded = Vec::new();
        chunk.invalid().iter().for_each(|&byte| push_encoded(&mut encoded, byte));
        text.push_str(&String::from_utf8_lossy(&encoded));
    }
    text
}

/// Drops empty and `.` elements and lets `..` take the one before (RFC 3986 section 5.2.4, but above the root is an
/// error). A path that ends in one of them ends in a slash.
fn resolve(path: &str) -> Result<String, PathError> {
    let mut resolved = String::with_capacity(path.len());
    let mut ends_in_slash = true;
    for element in path.split('/').skip(1) {
        ends_in_slash = matches!(element, "" | "." | "..");
        match element {
            "" | "." => {}
            ".." => resolved.truncate(resolved.rfind('/').ok_or(PathError::AboveRoot)?),
            _ if hides_dots(element) => return Err(PathError::HiddenDots),
            _ => resolved.extend(["/", element]),
        }
    }
    if ends_in_slash {
        resolved.push('/');
    }
    Ok(resolved)
}

fn hides_dots(element: &str) -> bool {
    element.split('\\').flat_map(|part| part.split(ENCODED_SLASH)).any(|part| matches!(part, "." | ".."))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn keeps_what_is_normal() {
        for path in ["/", "/a", "/a/", "/a/b.c", "/a..b/...", "/.well-known/x", "/é", "/%25", "/a;b=c"] {
            assert_eq!(normalize(path), Ok(Cow::Borrowed(path)));
            assert!(matches!(normalize(path), Ok(Cow::Borrowed(_))), "{path}");
        }
    }

    #[test]
    fn brings_into_form() {
        for (path, normal) in [
            ("//", "/"),
            ("//a///b//", "/a/b/"),
            ("/./a/./b/.", "/a/b/"),
            ("/a/..", "/"),
            ("/a/b/..", "/a/"),
            ("/a/b/../c", "/a/c"),
            ("/a//../b", "/b"),
            ("/a/%2e%2E/b", "/b"),
            ("/a/.%2e/b", "/b"),
            ("/%61dmin", "/admin"),
            ("/a%20b", "/a b"),
            ("/%c3%a9", "/é"),
            ("/admin%2fx", "/admin/x"),
            ("/a%2f.b%2f...", "/a/.b/..."),
            ("/a%2f%2Fb%2f", "/a/b/"),
            ("/%2f", "/"),
            ("/a%252fb", "/a%252fb"),
            ("/a%5cb", "/a\\b"),
            ("/%252e%252e", "/%252e%252e"),
            ("/%ff%41", "/%FFA"),
            ("/%c3(", "/%C3("),
            ("/%0d%0a", "/%0D%0A"),
            ("/a\u{7f}\n", "/a%7F%0A"),
            ("/%3f%23", "/%3F%23"),
        ] {
            assert_eq!(normalize(path).as_deref(), Ok(normal), "{path}");
        }
    }

    #[test]
    fn refuses_what_is_unsafe() {
        for (path, error) in [
            ("", PathError::Relative),
            ("a", PathError::Relative),
            ("*", PathError::Relative),
            ("/..", PathError::AboveRoot),
            ("/a/../../b", PathError::AboveRoot),
            ("/%2e%2e/b", PathError::AboveRoot),
            ("//../b", PathError::AboveRoot),
            ("/a%2f..%2fb", PathError::HiddenDots),
            ("/a/%2E%2e%2fb", PathError::HiddenDots),
            ("/a%2f.", PathError::HiddenDots),
            ("/a/..\\b", PathError::HiddenDots),
            ("/a\\..\\b", PathError::HiddenDots),
            ("/a/..%5cb", PathError::HiddenDots),
            ("/%", PathError::Encoding),
            ("/%2", PathError::Encoding),
            ("/%zz", PathError::Encoding),
            ("/%+1", PathError::Encoding),
            ("/%é", PathError::Encoding),
            ("/%00", PathError::Nul),
            ("/\0", PathError::Nul),
        ] {
            assert_eq!(normalize(path), Err(error), "{path:?}");
        }
    }

    fn hostile_path() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            "[a-z./%]{1,3}",
            Just("%2e".to_owned()),
            Just("%2F".to_owned()),
            Just("\\".to_owned()),
            Just("..".to_owned()),
            "%[0-9a-fA-F]{2}",
            any::<char>().prop_map(String::from),
        ];
        prop::collection::vec(piece, 0..12).prop_map(|pieces| format!("/{}", pieces.concat()))
    }

    proptest! {
        #[test]
        fn is_stable_and_free_of_tricks(path in hostile_path()) {
            if let Ok(normal) = normalize(&path) {
                prop_assert_eq!(normalize(&normal), Ok(Cow::Borrowed(&*normal)), "{}", path);
                prop_assert!(normal.starts_with('/') && !normal.contains("//") && !normal.contains('\0'));
                prop_assert!(!normal.contains(ENCODED_SLASH), "{}", normal);
                let as_slashes = normal.replace('\\', "/");
                prop_assert!(!as_slashes.split('/').any(|element| matches!(element, "." | "..")), "{}", normal);
            }
        }

        #[test]
        fn encoding_a_letter_changes_nothing(before in "/[a-c/]{0,5}", letter in "[a-zA-Z0-9._~-]", after in "[a-c/]{0,5}") {
            let encoded = format!("{before}%{:02x}{after}", letter.as_bytes()[0]);
            let plain = format!("{before}{letter}{after}");
            prop_assert_eq!(normalize(&encoded), normalize(&plain));
        }
    }
}
