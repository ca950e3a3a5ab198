//! The head of a request over HTTP/1.1, and the fields that its upstream gets to see.

use std::net::SocketAddr;

use dataplane::measured::FieldRules;
use http::{HeaderMap, Request, Version};
use snapshot::{HeadLimits, HttpOptions};

const PEER: &str = "192.0.2.7";
/// What only concerns one connection (RFC 9110 section 7.6.1), or is nobody's to send through us. `Connection`,
/// `Upgrade` and `TE` are set anew.
const GONE: [&str; 6] = ["keep-alive", "proxy-connection", "proxy", "expect", "http2-settings", "transfer-encoding"];
/// What a stranger must not say in our place.
const OURS: [(&str, &str); 6] = [
    ("x-real-ip", PEER),
    ("x-forwarded-for", PEER),
    ("x-forwarded-proto", "http"),
    ("x-forwarded-scheme", "http"),
    ("x-scheme", "http"),
    ("x-forwarded-port", "80"),
];

/// Whatever head a stranger sends: what is passed on of it speaks of no other connection than ours, says who asked, and
/// would be passed on unchanged.
///
/// # Panics
/// It does not hold.
pub fn head(data: &[u8]) {
    let Some(request) = parse(data) else { return };
    let peer = SocketAddr::new(PEER.parse().expect("an address"), 5000);
    let rules = FieldRules::new(HttpOptions::default(), peer);
    let (method, uri, version) = (request.method().clone(), request.uri().clone(), request.version());
    let named: Vec<String> = named_by_connection(request.headers());
    let Some(fields) = rules.request(request) else { return };

    let once = |name: &str| fields.get_all(name).iter().count() == 1;
    for name in GONE {
        assert!(!fields.contains_key(name), "{name} is passed on");
    }
    for (name, value) in OURS {
        assert!(once(name) && fields[name] == value, "{name} is not ours: {fields:?}");
    }
    for name in named.iter().filter(|name| !is_set_by_us(name)) {
        assert!(!fields.contains_key(name.as_str()), "{name} was named by Connection: {fields:?}");
    }
    assert!(!fields.keys().any(|name| name.as_str().contains('_')), "an underscore: {fields:?}");
    assert!(once("host") || (version == Version::HTTP_10 && !fields.contains_key("host")), "hosts: {fields:?}");
    assert!(fields.get_all("content-length").iter().count() < 2, "two lengths: {fields:?}");
    assert!(fields.get_all("cookie").iter().count() < 2, "two cookies: {fields:?}");
    for (name, allowed) in [("connection", &["upgrade", "te"][..]), ("te", &["trailers"])] {
        assert!(fields.get_all(name).iter().all(|value| allowed.iter().any(|a| value == a)), "{fields:?}");
    }

    // An absolute target has become a field.
    let target = uri.path_and_query().map_or("/", |target| target.as_str());
    let target = if target.starts_with('/') || target == "*" { target.to_owned() } else { format!("/{target}") };
    let mut again = Request::builder().method(method).uri(target).version(version).body(()).expect("as before");
    *again.headers_mut() = fields.clone();
    // With our own fields it may be more than a client's head may be.
    let head = HeadLimits { target: 16 << 10, field: 16 << 10, total: 64 << 10, fields: 200 };
    let wide = HttpOptions { head, ..HttpOptions::default() };
    let again = FieldRules::new(wide, peer).request(again);
    assert_eq!(again, Some(fields), "passed on twice it is another one");
}

fn is_set_by_us(name: &str) -> bool {
    OURS.iter().any(|(ours, _)| *ours == name)
        || ["host", "x-request-id", "x-forwarded-host", "connection", "upgrade", "te", "content-length"].contains(&name)
}

fn named_by_connection(fields: &HeaderMap) -> Vec<String> {
    let values = fields.get_all("connection").iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(|name| name.trim().to_ascii_lowercase()).collect()
}

/// As hyper does it.
fn parse(data: &[u8]) -> Option<Request<()>> {
    let mut fields = [httparse::EMPTY_HEADER; 100];
    let mut head = httparse::Request::new(&mut fields);
    if !head.parse(data).ok()?.is_complete() {
        return None;
    }
    let version = if head.version? == 0 { Version::HTTP_10 } else { Version::HTTP_11 };
    let mut request = Request::builder().method(head.method?).uri(head.path?).version(version);
    for field in head.headers.iter() {
        request = request.header(field.name, field.value);
    }
    request.body(()).ok()
}
