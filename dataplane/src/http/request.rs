//! The fields of a request on their way to the upstream.

use http::{HeaderMap, HeaderName, HeaderValue, header};
use snapshot::Protocol;

use super::forwarded::{X_FORWARDED_FOR, X_FORWARDED_HOST, X_FORWARDED_PORT, X_FORWARDED_PROTO};
use crate::exchange::{Exchange, RequestBody};

/// Names a request in the logs of everybody it comes through.
pub const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const X_REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");
const X_FORWARDED_SCHEME: HeaderName = HeaderName::from_static("x-forwarded-scheme");
const X_SCHEME: HeaderName = HeaderName::from_static("x-scheme");

/// Makes the fields those that the upstream is to see. Ours are set last: nothing that a client names in `Connection`
/// can take them away.
pub fn prepare(exchange: &mut Exchange, protocol: Protocol) {
    let trailers = wants_trailers(&exchange.headers);
    let headers = &mut exchange.headers;
    strip(headers, |name| is_of_connection(name) || is_kept_back(name));
    join_cookies(headers);
    match protocol {
        Protocol::Http1 => set_connection(headers, exchange.upgrade.as_ref(), trailers),
        Protocol::Http2 => {
            // There is no such switch in HTTP/2 (RFC 9113 section 8.6).
            exchange.upgrade = None;
            set_trailers(headers, trailers);
        }
    }
    set_framing(headers, &exchange.body, protocol);
    set_forwarded(exchange);
    if protocol == Protocol::Http2 {
        // The authority says it (RFC 9113 section 8.3.1).
        exchange.headers.remove(header::HOST);
    }
}

/// The protocol that the client wants to switch to. HTTP/2 is never it: what is spoken in a tunnel is seen by no rule
/// of ours.
pub fn upgrade_of(head: &http::request::Parts) -> Option<HeaderValue> {
    let wanted = head.headers.get(header::UPGRADE)?;
    let names = wanted.to_str().ok()?.split(',').map(str::trim);
    let is_h2c = names.clone().any(|name| name.eq_ignore_ascii_case("h2c"));
    let asked = head.version == http::Version::HTTP_11
        && connection_names(&head.headers).any(|name| name.eq_ignore_ascii_case("upgrade"));
    (asked && !is_h2c && names.count() == 1).then(|| wanted.clone())
}

/// Removes the fields that are about one connection alone (RFC 9110 section 7.6.1).
pub fn strip_connection(headers: &mut HeaderMap) {
    strip(headers, is_of_connection);
}

/// Removes the fields with such names, and those that `Connection` names. It walks over the names that are there: to
/// look each of the others up would cost every request more than all that comes of it.
fn strip(headers: &mut HeaderMap, is_stripped: impl Fn(&str) -> bool) {
    let mut stripped: Vec<HeaderName> = Vec::new();
    for name in headers.keys() {
        if name == header::CONNECTION {
            stripped.extend(connection_names(headers).filter_map(|name| name.parse().ok()));
        }
        if is_stripped(name.as_str()) {
            stripped.push(name.clone());
        }
    }
    for name in stripped {
        headers.remove(name);
    }
}

fn is_of_connection(name: &str) -> bool {
    matches!(name, "connection" | "keep-alive" | "proxy-connection" | "te" | "transfer-encoding" | "upgrade")
}

/// What no upstream is to see.
fn is_kept_back(name: &str) -> bool {
    match name {
        // It is for us to answer.
        "expect" => true,
        // Server software turns it into an environment variable that others obey (CVE-2016-5385, "httpoxy").
        "proxy" => true,
        "http2-settings" => true,
        // CGI and its kin cannot tell `X_Real_IP` from `X-Real-IP`: such names are dropped, as nginx does by default
        // (`underscores_in_headers`).
        _ => name.as_bytes().contains(&b'_'),
    }
}

fn connection_names(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let fields = headers.get_all(header::CONNECTION).iter().filter_map(|field| field.to_str().ok());
    fields.flat_map(|field| field.split(',')).map(str::trim)
}

fn wants_trailers(headers: &HeaderMap) -> bool {
    let fields = headers.get_all(header::TE).iter().filter_map(|field| field.to_str().ok());
    fields.flat_map(|field| field.split(',')).any(|name| name.trim().eq_ignore_ascii_case("trailers"))
}

/// HTTP/2 clients may send each cookie in a field of its own; elsewhere there is one (RFC 9113 section 8.2.3).
fn join_cookies(headers: &mut HeaderMap) {
    let fields = headers.get_all(header::COOKIE);
    if fields.iter().nth(1).is_some() {
        let all = fields.iter().map(HeaderValue::as_bytes).collect::<Vec<_>>().join(&b"; "[..]);
        // What was in fields can stand in one.
        if let Ok(all) = HeaderValue::from_bytes(&all) {
            headers.insert(header::COOKIE, all);
        }
    }
}

fn set_connection(headers: &mut HeaderMap, upgrade: Option<&HeaderValue>, trailers: bool) {
    if let Some(protocol) = upgrade {
        headers.insert(header::UPGRADE, protocol.clone());
        headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    } else if trailers {
        set_trailers(headers, trailers);
        headers.insert(header::CONNECTION, HeaderValue::from_static("te"));
    }
}

fn set_trailers(headers: &mut HeaderMap, trailers: bool) {
    if trailers {
        headers.insert(header::TE, HeaderValue::from_static("trailers"));
    }
}

/// Says one length: that of the body which is sent, never what the client wrote.
fn set_framing(headers: &mut HeaderMap, body: &RequestBody, protocol: Protocol) {
    let announced = headers.remove(header::CONTENT_LENGTH).is_some();
    let length = match body {
        RequestBody::Complete(bytes) if bytes.is_empty() && !announced => return,
        RequestBody::Complete(bytes) => u64::try_from(bytes.len()).ok(),
        RequestBody::Streaming(body) => body.announced(),
        RequestBody::Gone => return,
    };
    if let Some(length) = length {
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    } else if protocol == Protocol::Http1 {
        headers.insert(header::TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
    }
}

fn set_forwarded(exchange: &mut Exchange) {
    let Exchange { headers, authority, client, request_id, .. } = exchange;
    let scheme = HeaderValue::from_static(client.scheme.as_str());
    if authority.is_empty() {
        headers.remove(header::HOST);
    } else if headers.get(header::HOST) != Some(authority) {
        headers.insert(header::HOST, authority.clone());
    }
    headers.insert(X_REQUEST_ID, request_id.clone());
    headers.insert(X_REAL_IP, client.address_text.clone());
    headers.insert(X_FORWARDED_FOR, client.address_text.clone());
    match client.host.as_ref().unwrap_or(authority) {
        // A client of HTTP/1.0 named none.
        none if none.is_empty() => drop(headers.remove(X_FORWARDED_HOST)),
        host => drop(headers.insert(X_FORWARDED_HOST, host.clone())),
    }
    headers.insert(X_FORWARDED_PORT, client.port.clone());
    headers.insert(X_FORWARDED_PROTO, scheme.clone());
    headers.insert(X_FORWARDED_SCHEME, scheme.clone());
    headers.insert(X_SCHEME, scheme);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(fields: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn what_connection_names_goes_with_it() {
        let mut headers = headers(&[
            ("connection", "x-a, Keep-Alive"),
            ("connection", "x-b"),
            ("x-a", "1"),
            ("x-b", "2"),
            ("x-c", "3"),
        ]);
        strip_connection(&mut headers);
        assert_eq!(headers.keys().map(HeaderName::as_str).collect::<Vec<_>>(), ["x-c"]);
    }

    #[test]
    fn cookies_are_one_field() {
        let mut several = headers(&[("cookie", "a=1"), ("cookie", "b=2; c=3"), ("x", "y")]);
        join_cookies(&mut several);
        assert_eq!(several.get_all("cookie").iter().collect::<Vec<_>>(), ["a=1; b=2; c=3"]);
        assert_eq!(several["x"], "y");
    }

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

    #[test]
    fn a_whole_body_is_sent_with_its_length() {
        let mut headers = headers(&[("content-length", "99")]);
        set_framing(&mut headers, &RequestBody::Complete("abc".into()), Protocol::Http1);
        assert_eq!(headers["content-length"], "3");
        let mut headers = HeaderMap::new();
        set_framing(&mut headers, &RequestBody::Complete(bytes::Bytes::new()), Protocol::Http1);
        assert!(headers.is_empty());
    }
}
