//! The value of a key: `namespace/name:port[:PROXY[:PROXY]]`.

use crate::{
    NamespacedName,
    draft::{BackendRef, PortRef},
};

/// Where a port leads.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Reference {
    pub backend: BackendRef,
    /// Clients send a PROXY header (the third part).
    pub decode: bool,
    /// Endpoints get one (the fourth part).
    pub encode: bool,
}

/// Reads a value. ingress-nginx ignores a third or fourth part that it does not know; but who writes one means
/// something by it, and without it endpoints would take a header for data, or the other way round.
pub(super) fn read(text: &str) -> Result<Reference, String> {
    let bad = || format!("{text:?} is not namespace/service:port, with or without :PROXY and :PROXY behind it");
    let mut parts = text.split(':');
    let (Some(service), Some(port), decode, encode, None) =
        (parts.next(), parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(bad());
    };
    let service = match service.split_once('/') {
        Some((namespace, name)) if !namespace.is_empty() && !name.is_empty() && !name.contains('/') => {
            NamespacedName::new(namespace, name)
        }
        _ => return Err(bad()),
    };
    let port = if port.bytes().all(|byte| byte.is_ascii_digit()) {
        PortRef::Number(port.parse().ok().filter(|port| *port != 0).ok_or_else(bad)?)
    } else {
        PortRef::Name(port.into())
    };
    let backend = BackendRef { service, port };
    Ok(Reference { backend, decode: proxy(decode).ok_or_else(bad)?, encode: proxy(encode).ok_or_else(bad)? })
}

/// Whether a part says PROXY, in any case; none: it says something else.
fn proxy(part: Option<&str>) -> Option<bool> {
    match part.unwrap_or_default() {
        "" => Some(false),
        part => part.eq_ignore_ascii_case("PROXY").then_some(true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> (String, String, bool, bool) {
        let Reference { backend, decode, encode } = read(text).unwrap();
        (backend.service.to_string(), backend.port.to_string(), decode, encode)
    }

    #[test]
    fn reads_what_ingress_nginx_reads() {
        let of = |port: &str, decode, encode| ("db/pg".to_owned(), port.to_owned(), decode, encode);
        assert_eq!(parsed("db/pg:5432"), of("5432", false, false));
        assert_eq!(parsed("db/pg:sql"), of("\"sql\"", false, false));
        assert_eq!(parsed("db/pg:5432:PROXY"), of("5432", true, false));
        assert_eq!(parsed("db/pg:5432:proxy:Proxy"), of("5432", true, true));
        assert_eq!(parsed("db/pg:5432::PROXY"), of("5432", false, true));
    }

    #[test]
    fn says_what_is_no_reference() {
        for bad in ["", ":", "pg:5432", "db/pg", "db/pg:", "/pg:1", "db/:1", "a/b/c:1", "db/pg:0", "db/pg:65536"] {
            assert!(read(bad).is_err(), "{bad}");
        }
        for bad in ["db/pg:1:PROXYv2", "db/pg:1:PROXY:no", "db/pg:1:PROXY:PROXY:PROXY"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
