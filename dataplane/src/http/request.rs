//! What a request asks of its connection.

use http::{HeaderValue, header};

use crate::upstream::elements;

/// The protocol that the client wants to switch to. HTTP/2 is never it: what is spoken in a tunnel is seen by no rule
/// of ours.
pub fn upgrade_of(head: &http::request::Parts) -> Option<HeaderValue> {
    let wanted = head.headers.get(header::UPGRADE)?;
    let names = wanted.to_str().ok()?.split(',').map(str::trim);
    let is_h2c = names.clone().any(|name| name.eq_ignore_ascii_case("h2c"));
    let asked = head.version == http::Version::HTTP_11
        && head.headers.get_all(header::CONNECTION).iter().flat_map(elements).any(is_upgrade);
    (asked && !is_h2c && names.count() == 1).then(|| wanted.clone())
}

fn is_upgrade(name: &str) -> bool {
    name.eq_ignore_ascii_case("upgrade")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn h2c_is_never_asked_for() {
        for (upgrade, connection, expected) in [
            ("websocket", "Upgrade", true),
            ("websocket", "keep-alive, upgrade", true),
            ("websocket", "keep-alive", false),
            ("h2c", "upgrade", false),
            ("H2C, websocket", "upgrade", false),
        ] {
            let request = http::Request::get("/").header("upgrade", upgrade).header("connection", connection);
            let head = request.body(()).unwrap().into_parts().0;
            assert_eq!(upgrade_of(&head).is_some(), expected, "{upgrade} {connection}");
        }
    }
}
