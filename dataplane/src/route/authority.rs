//! The host a request is for, out of `Host` or `:authority`.

use std::{borrow::Cow, net::Ipv6Addr};

use thiserror::Error;

/// The longest name the DNS has, in bytes of text (RFC 1035 section 2.3.4).
const MAX_NAME: usize = 253;

/// An authority that names no host: the request is answered 400 (RFC 9112 section 3.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum HostError {
    /// Nothing before the port.
    #[error("the host is empty")]
    Empty,
    /// `user@host`: never valid for http (RFC 9110 section 4.2.4).
    #[error("the host carries user information")]
    UserInfo,
    /// The port is no number of 16 bits.
    #[error("the port is not a number up to 65535")]
    Port,
    /// Brackets that hold no IPv6 address.
    #[error("the brackets hold no IPv6 address")]
    Ipv6,
    /// A byte, an empty label or a length that no host name has.
    #[error("the host is not a name")]
    Name,
}

/// The host of an authority (RFC 3986 section 3.2): without port and without a trailing dot, in lower case; an IPv6
/// address keeps its brackets. Borrowed where it is written that way already.
///
/// A name may hold letters, digits, hyphens and underscores. RFC 3986 would allow percent-encoding and punctuation
/// too, but no Ingress host can hold them, and two readers of one such name may differ about it.
///
/// # Errors
/// What the authority holds is no host.
pub fn host_of(authority: &str) -> Result<Cow<'_, str>, HostError> {
    if is_plain(authority.as_bytes()) {
        return Ok(Cow::Borrowed(authority));
    }
    if authority.contains('@') {
        return Err(HostError::UserInfo);
    }
    let (host, port) = split_port(authority)?;
    if !port.is_empty() && port.parse::<u16>().is_err() || port.starts_with('+') {
        return Err(HostError::Port);
    }
    if !host.starts_with('[') {
        return name(host);
    }
    Ok(lower(host))
}

/// Whether this is a host and nothing else, as most clients write it: a name in lower case, without port, empty labels
/// or a trailing dot.
fn is_plain(authority: &[u8]) -> bool {
    let mut previous = b'.';
    for &byte in authority {
        if !matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_') && (byte != b'.' || previous == b'.') {
            return false;
        }
        previous = byte;
    }
    previous != b'.' && authority.len() <= MAX_NAME
}

/// The host, and what follows its colon. RFC 3986 allows the port to be empty.
fn split_port(authority: &str) -> Result<(&str, &str), HostError> {
    let Some(rest) = authority.strip_prefix('[') else {
        return Ok(authority.split_once(':').unwrap_or((authority, "")));
    };
    let (address, after) = rest.split_once(']').ok_or(HostError::Ipv6)?;
    address.parse::<Ipv6Addr>().map_err(|_| HostError::Ipv6)?;
    let port = match after {
        "" => "",
        _ => after.strip_prefix(':').ok_or(HostError::Port)?,
    };
    let host = authority.get(..address.len().saturating_add(2)).ok_or(HostError::Ipv6)?;
    Ok((host, port))
}

fn name(host: &str) -> Result<Cow<'_, str>, HostError> {
    let host = host.strip_suffix('.').unwrap_or(host);
    if host.is_empty() {
        return Err(HostError::Empty);
    }
    if host.len() > MAX_NAME {
        return Err(HostError::Name);
    }
    let mut previous = b'.';
    for byte in host.bytes() {
        let allowed = byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_') || (byte == b'.' && previous != b'.');
        if !allowed {
            return Err(HostError::Name);
        }
        previous = byte;
    }
    if previous == b'.' { Err(HostError::Name) } else { Ok(lower(host)) }
}

fn lower(host: &str) -> Cow<'_, str> {
    if host.bytes().any(|b| b.is_ascii_uppercase()) {
        Cow::Owned(host.to_ascii_lowercase())
    } else {
        Cow::Borrowed(host)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strips_port_and_dot_and_lowers() {
        for (authority, host) in [
            ("a.example", "a.example"),
            ("A.Example:8080", "a.example"),
            ("a.example.", "a.example"),
            ("a.example.:80", "a.example"),
            ("a.example:", "a.example"),
            ("a_b-c.example", "a_b-c.example"),
            ("10.0.0.1:65535", "10.0.0.1"),
            ("[::1]", "[::1]"),
            ("[2001:DB8::1]:443", "[2001:db8::1]"),
        ] {
            assert_eq!(host_of(authority).as_deref(), Ok(host), "{authority}");
        }
    }

    #[test]
    fn borrows_what_needs_no_change() {
        assert!(matches!(host_of("a.example:80"), Ok(Cow::Borrowed("a.example"))));
        assert!(matches!(host_of("[::1]:80"), Ok(Cow::Borrowed("[::1]"))));
    }

    #[test]
    fn refuses_what_is_no_host() {
        for (authority, error) in [
            ("", HostError::Empty),
            (":80", HostError::Empty),
            (".", HostError::Empty),
            ("user@a.example", HostError::UserInfo),
            ("a.example:65536", HostError::Port),
            ("a.example:+80", HostError::Port),
            ("a.example:8a", HostError::Port),
            ("a:80:80", HostError::Port),
            ("::1", HostError::Port),
            ("[::1]80", HostError::Port),
            ("[::1", HostError::Ipv6),
            ("[]", HostError::Ipv6),
            ("[fe80::1%25eth0]", HostError::Ipv6),
            ("[1.2.3.4]", HostError::Ipv6),
            ("a..b", HostError::Name),
            (".a", HostError::Name),
            ("a..", HostError::Name),
            ("a/b", HostError::Name),
            ("a b", HostError::Name),
            ("a,b", HostError::Name),
            ("a%2eb", HostError::Name),
            ("ü.example", HostError::Name),
            ("a\0", HostError::Name),
        ] {
            assert_eq!(host_of(authority), Err(error), "{authority:?}");
        }
        assert_eq!(host_of(&"a".repeat(254)), Err(HostError::Name));
    }

    proptest::proptest! {
        #[test]
        fn is_stable(authority in ".{0,40}|[a-zA-Z0-9._:\\[\\]-]{0,40}") {
            if let Ok(host) = host_of(&authority) {
                assert_eq!(host_of(&host).as_deref(), Ok(&*host));
            }
        }
    }
}
