//! The fields of a request on their way to the upstream, and those of its answer that go no further.

use http::{HeaderMap, HeaderName, HeaderValue, header};
use smallvec::SmallVec;
use snapshot::Protocol;

use crate::exchange::{Exchange, RequestBody};

/// The addresses that a request has come through, the client first.
pub const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
/// The host as the client named it.
pub const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
/// The port that the client connected to.
pub const X_FORWARDED_PORT: HeaderName = HeaderName::from_static("x-forwarded-port");
/// `http` or `https`.
pub const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
/// Names a request in the logs of everybody it comes through.
const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const X_REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");
const X_FORWARDED_SCHEME: HeaderName = HeaderName::from_static("x-forwarded-scheme");
const X_SCHEME: HeaderName = HeaderName::from_static("x-scheme");

/// Fields that are added to a client's at most.
const OURS: usize = 12;

/// The fields that the upstream is to see. Those of the client stay as they came, so that each try begins with them.
pub fn of_request(exchange: &Exchange, protocol: Protocol) -> HeaderMap {
    let room = exchange.headers.len().saturating_add(OURS);
    let mut fields = HeaderMap::try_with_capacity(room).unwrap_or_default();
    if protocol == Protocol::Http1 && !exchange.authority.is_empty() {
        fields.insert(header::HOST, exchange.authority.clone());
    }
    let seen = pass_on(&exchange.headers, &mut fields);
    // Ours come last: nothing that a client names in `Connection` can take them away.
    set_connection(&mut fields, exchange, protocol, seen.wants_trailers);
    set_framing(&mut fields, &exchange.body, protocol, seen.announced);
    set_forwarded(&mut fields, exchange);
    if let Some(certificate) = &exchange.certificate {
        certificate.set(&mut fields);
    }
    fields
}

/// What the client's own fields said of the message and of the connection.
#[derive(Default)]
struct Seen<'a> {
    announced: bool,
    wants_trailers: bool,
    cookies: SmallVec<[&'a HeaderValue; 1]>,
    /// The names in `Connection`.
    named: SmallVec<[&'a str; 2]>,
}

/// Copies what may go on, in one walk: to look each name up would cost every request more than all that comes of it.
fn pass_on<'a>(sent: &'a HeaderMap, fields: &mut HeaderMap) -> Seen<'a> {
    let mut seen = Seen::default();
    for (name, value) in sent {
        match name.as_str() {
            "cookie" => seen.cookies.push(value),
            "content-length" => seen.announced = true,
            "te" => seen.wants_trailers |= elements(value).any(|name| name.eq_ignore_ascii_case("trailers")),
            "connection" => seen.named.extend(elements(value)),
            name if is_ours(name) || is_of_connection(name) || is_kept_back(name) => {}
            _ => drop(fields.append(name.clone(), value.clone())),
        }
    }
    if let Some(cookies) = joined(&seen.cookies) {
        fields.insert(header::COOKIE, cookies);
    }
    for name in &seen.named {
        // The host is the message's matter, whatever a client calls it.
        if !name.eq_ignore_ascii_case("host") {
            fields.remove(*name);
        }
    }
    seen
}

/// Removes the fields that are about one connection alone (RFC 9110 section 7.6.1), and those that `Connection` names.
pub fn strip_connection(headers: &mut HeaderMap) {
    let mut stripped: SmallVec<[HeaderName; 4]> = SmallVec::new();
    for (name, value) in headers.iter() {
        if name == header::CONNECTION {
            stripped.extend(elements(value).filter_map(|name| name.parse().ok()));
        }
        if is_of_connection(name.as_str()) {
            stripped.push(name.clone());
        }
    }
    for name in stripped {
        headers.remove(name);
    }
}

/// What we say of the client, and nobody else.
fn is_ours(name: &str) -> bool {
    matches!(
        name,
        "host"
            | "x-request-id"
            | "x-real-ip"
            | "x-forwarded-for"
            | "x-forwarded-host"
            | "x-forwarded-port"
            | "x-forwarded-proto"
            | "x-forwarded-scheme"
            | "x-scheme"
    )
}

/// Whether a field is about one connection alone, whatever `Connection` names.
pub fn is_of_connection(name: &str) -> bool {
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

/// The elements of a list (RFC 9110 section 5.6.1).
pub fn elements(value: &HeaderValue) -> impl Iterator<Item = &str> {
    value.to_str().unwrap_or_default().split(',').map(str::trim)
}

/// HTTP/2 clients may send each cookie in a field of its own; elsewhere there is one (RFC 9113 section 8.2.3).
fn joined(cookies: &[&HeaderValue]) -> Option<HeaderValue> {
    match cookies {
        [] => None,
        [one] => Some((*one).clone()),
        // What was in fields can stand in one.
        all => {
            let all = all.iter().map(|value| value.as_bytes()).collect::<Vec<_>>().join(&b"; "[..]);
            HeaderValue::from_bytes(&all).ok()
        }
    }
}

fn set_connection(fields: &mut HeaderMap, exchange: &Exchange, protocol: Protocol, trailers: bool) {
    match (&exchange.upgrade, protocol) {
        // There is no such switch in HTTP/2 (RFC 9113 section 8.6).
        (Some(upgrade), Protocol::Http1) => {
            fields.insert(header::UPGRADE, upgrade.clone());
            fields.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
        }
        _ if trailers => {
            fields.insert(header::TE, HeaderValue::from_static("trailers"));
            if protocol == Protocol::Http1 {
                fields.insert(header::CONNECTION, HeaderValue::from_static("te"));
            }
        }
        _ => {}
    }
}

/// Says one length: that of the body which is sent, never what the client wrote.
fn set_framing(fields: &mut HeaderMap, body: &RequestBody, protocol: Protocol, announced: bool) {
    let length = match body {
        RequestBody::Complete(bytes) if bytes.is_empty() && !announced => return,
        RequestBody::Complete(bytes) => u64::try_from(bytes.len()).ok(),
        RequestBody::Streaming(body) => body.announced(),
        RequestBody::Gone => return,
    };
    if let Some(length) = length {
        fields.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    } else if protocol == Protocol::Http1 {
        fields.insert(header::TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
    }
}

fn set_forwarded(fields: &mut HeaderMap, exchange: &Exchange) {
    let Exchange { authority, client, request_id, .. } = exchange;
    let scheme = HeaderValue::from_static(client.scheme.as_str());
    fields.insert(X_REQUEST_ID, request_id.clone());
    fields.insert(X_REAL_IP, client.address_text.clone());
    fields.insert(X_FORWARDED_FOR, client.address_text.clone());
    let host = client.host.as_ref().unwrap_or(authority);
    // A client of HTTP/1.0 may have named none.
    if !host.is_empty() {
        fields.insert(X_FORWARDED_HOST, host.clone());
    }
    fields.insert(X_FORWARDED_PORT, client.port.clone());
    fields.insert(X_FORWARDED_PROTO, scheme.clone());
    fields.insert(X_FORWARDED_SCHEME, scheme.clone());
    fields.insert(X_SCHEME, scheme);
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

    fn passed_on(sent: &[(&'static str, &'static str)]) -> HeaderMap {
        let (sent, mut fields) = (headers(sent), HeaderMap::new());
        pass_on(&sent, &mut fields);
        fields
    }

    #[test]
    fn what_connection_names_goes_with_it() {
        let sent = [("connection", "x-a, Keep-Alive"), ("connection", "x-b"), ("x-a", "1"), ("x-b", "2"), ("x-c", "3")];
        let mut answer = headers(&sent);
        strip_connection(&mut answer);
        for fields in [answer, passed_on(&sent)] {
            assert_eq!(fields.keys().map(HeaderName::as_str).collect::<Vec<_>>(), ["x-c"]);
        }
    }

    #[test]
    fn cookies_are_one_field() {
        let fields = passed_on(&[("cookie", "a=1"), ("cookie", "b=2; c=3"), ("x", "y")]);
        assert_eq!(fields.get_all("cookie").iter().collect::<Vec<_>>(), ["a=1; b=2; c=3"]);
        assert_eq!(fields["x"], "y");
        assert_eq!(passed_on(&[("cookie", "a=1")])["cookie"], "a=1");
    }

    #[test]
    fn fields_of_one_name_stay_several_and_in_order() {
        let fields = passed_on(&[("x", "1"), ("y", "2"), ("x", "3")]);
        assert_eq!(fields.get_all("x").iter().collect::<Vec<_>>(), ["1", "3"]);
    }

    #[test]
    fn a_whole_body_is_sent_with_its_length() {
        let framed = |body: &RequestBody, announced| {
            let mut fields = HeaderMap::new();
            set_framing(&mut fields, body, Protocol::Http1, announced);
            fields
        };
        assert_eq!(framed(&RequestBody::Complete("abc".into()), true)["content-length"], "3");
        assert_eq!(framed(&RequestBody::Complete(bytes::Bytes::new()), true)["content-length"], "0");
        assert!(framed(&RequestBody::Complete(bytes::Bytes::new()), false).is_empty());
    }
}
