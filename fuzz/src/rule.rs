//! The path of a rule and the path of a request: two crates know what a normalised path looks like, and neither knows
//! the other.

use dataplane::route;

/// Whatever path a request is matched by can stand in a rule, and a rule that is taken is matched by a request.
///
/// # Panics
/// It does not hold.
pub fn rule(data: &[u8]) {
    let Ok(path) = std::str::from_utf8(data) else { return };
    // The path of a target ends before these.
    let is_path = !path.contains(['?', '#']);
    if let (true, Ok(normal)) = (is_path, route::normalize(path)) {
        assert_eq!(compile::can_match(&normal), Ok(()), "{path:?} is matched as {normal:?}");
    }
    if compile::can_match(path).is_ok() && !is_ambiguous(path) {
        let asked = encode(path);
        assert_eq!(route::normalize(&asked).as_deref(), Ok(path), "a rule, and the request {asked:?}");
    }
}

/// Such requests are refused.
fn is_ambiguous(path: &str) -> bool {
    path.split(['/', '\\']).any(|element| matches!(element, "." | ".."))
}

/// As a client would ask for it: everything encoded but slashes, and what is encoded in a rule.
fn encode(path: &str) -> String {
    let encoded = |byte: u8| match byte {
        b'/' | b'%' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    let mut kept = 0u8;
    let mut asked = String::new();
    for byte in path.bytes() {
        if kept > 0 {
            asked.push(char::from(byte));
            kept -= 1;
        } else {
            asked.push_str(&encoded(byte));
            kept = if byte == b'%' { 2 } else { 0 };
        }
    }
    asked
}
