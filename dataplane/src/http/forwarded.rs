//! Who asks: the connection's peer, or whom a trusted proxy names.

use std::net::IpAddr;

use http::{HeaderMap, HeaderName, HeaderValue};
use ipnet::IpNet;

use super::connection::Accepted;
use crate::{
    exchange::{Client, Scheme},
    upstream::{X_FORWARDED_FOR, X_FORWARDED_HOST, X_FORWARDED_PORT, X_FORWARDED_PROTO},
};

/// Who asks where nobody else is believed: the peer itself. It is the same for all requests of a connection.
pub fn peer(accepted: &Accepted) -> Client {
    let address = accepted.peer.ip().to_canonical();
    // Whoever connected to a proxy's port 443 sees https, as in ingress-nginx.
    let encrypted_before_us = accepted.proxied && accepted.local.port() == 443;
    let scheme = if accepted.tls || encrypted_before_us { Scheme::Https } else { Scheme::Http };
    Client { address, address_text: text(address), scheme, port: port(accepted, scheme), host: None }
}

/// Finds out who asks. `X-Forwarded-*` is believed where the peer is one of `trusted`, and there as ingress-nginx does
/// it: of the addresses, the last one that is not itself trusted is the client's.
pub fn client(headers: &HeaderMap, accepted: &Accepted, peer: &Client, trusted: &[IpNet]) -> Client {
    if !is_trusted(peer.address, trusted) {
        return peer.clone();
    }
    let scheme = match first(headers, &X_FORWARDED_PROTO) {
        Some(proto) if proto.eq_ignore_ascii_case("https") => Scheme::Https,
        Some(proto) if proto.eq_ignore_ascii_case("http") => Scheme::Http,
        _ => peer.scheme,
    };
    let named = first(headers, &X_FORWARDED_PORT).and_then(|port| port.parse::<u16>().ok()).map(HeaderValue::from);
    let address = original(headers, peer.address, trusted);
    Client {
        address,
        address_text: text(address),
        scheme,
        port: named.unwrap_or_else(|| port(accepted, scheme)),
        host: headers.get(X_FORWARDED_HOST).filter(|host| !host.is_empty()).cloned(),
    }
}

fn text(address: IpAddr) -> HeaderValue {
    HeaderValue::try_from(address.to_string()).unwrap_or(HeaderValue::from_static("-"))
}

/// 443 for TLS: the container's port is not the one that clients see.
fn port(accepted: &Accepted, scheme: Scheme) -> HeaderValue {
    match scheme {
        Scheme::Https => HeaderValue::from_static("443"),
        Scheme::Http => match accepted.local.port() {
            80 => HeaderValue::from_static("80"),
            port => HeaderValue::from(port),
        },
    }
}

fn is_trusted(address: IpAddr, trusted: &[IpNet]) -> bool {
    trusted.iter().any(|net| net.contains(&address))
}

fn first<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()?.split(',').next().map(str::trim)
}

/// From the right: the first address that is not trusted; else the leftmost. What is no address ends the search, since
/// nothing left of it can be believed.
fn original(headers: &HeaderMap, peer: IpAddr, trusted: &[IpNet]) -> IpAddr {
    let mut client = peer;
    let fields: Vec<&str> = headers.get_all(X_FORWARDED_FOR).iter().filter_map(|field| field.to_str().ok()).collect();
    for text in fields.iter().rev().flat_map(|field| field.rsplit(',')) {
        let Some(address) = address(text.trim()) else { break };
        client = address;
        if !is_trusted(address, trusted) {
            break;
        }
    }
    client
}

/// With or without a port, as proxies write them.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.parse().ok();
    let with_port = || text.parse::<std::net::SocketAddr>().ok().map(|address| address.ip());
    bare.or_else(with_port).map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepted(peer: &str, tls: bool) -> Accepted {
        let local = "10.0.0.1:8080".parse().unwrap();
        Accepted { listener: "x".into(), peer: peer.parse().unwrap(), local, tls, proxied: false }
    }

    fn client(headers: &HeaderMap, accepted: &Accepted, trusted: &[IpNet]) -> Client {
        super::client(headers, accepted, &peer(accepted), trusted)
    }

    fn headers(fields: &[(&'static str, &'static str)]) -> HeaderMap {
        let field = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        fields.iter().map(field).collect()
    }

    const SENT: [(&str, &str); 4] = [
        ("x-forwarded-for", "198.51.100.1, 203.0.113.9, 10.0.0.7"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-port", "8443"),
        ("x-forwarded-host", "outer.b"),
    ];

    #[test]
    fn strangers_are_not_believed() {
        let client = client(&headers(&SENT), &accepted("192.0.2.1:5000", false), &["10.0.0.0/8".parse().unwrap()]);
        assert_eq!(client.address, "192.0.2.1".parse::<IpAddr>().unwrap());
        assert_eq!((client.scheme, client.port.as_bytes(), client.host), (Scheme::Http, &b"8080"[..], None));
    }

    #[test]
    fn trusted_proxies_are() {
        let client = client(&headers(&SENT), &accepted("10.9.9.9:5000", false), &["10.0.0.0/8".parse().unwrap()]);
        assert_eq!(client.address, "203.0.113.9".parse::<IpAddr>().unwrap());
        assert_eq!((client.scheme, client.port.as_bytes()), (Scheme::Https, &b"8443"[..]));
        assert_eq!(client.host.unwrap(), "outer.b");
    }

    #[test]
    fn where_all_are_trusted_the_leftmost_asks() {
        let client =
            client(&headers(&SENT), &accepted("[::ffff:10.9.9.9]:5000", true), &["0.0.0.0/0".parse().unwrap()]);
        assert_eq!(client.address, "198.51.100.1".parse::<IpAddr>().unwrap());
    }

    #[test]
    fn who_came_by_port_443_of_a_proxy_sees_https() {
        for (port, scheme) in [(443, Scheme::Https), (80, Scheme::Http)] {
            let local = std::net::SocketAddr::from(([192, 0, 2, 9], port));
            let client = peer(&Accepted { local, proxied: true, ..accepted("192.0.2.1:5000", false) });
            assert_eq!((client.scheme, client.port.to_str().unwrap()), (scheme, port.to_string().as_str()));
        }
    }

    #[test]
    fn junk_ends_the_search() {
        let sent = headers(&[("x-forwarded-for", "198.51.100.1, unknown, 10.0.0.7")]);
        let client = client(&sent, &accepted("10.9.9.9:5000", true), &["10.0.0.0/8".parse().unwrap()]);
        assert_eq!(client.address, "10.0.0.7".parse::<IpAddr>().unwrap());
        assert_eq!(client.port, "443");
    }
}
