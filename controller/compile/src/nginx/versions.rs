//! Lists of versions of TLS, as `ssl_protocols` and `proxy_ssl_protocols` have them.

use snapshot::TlsVersions;

/// What is spoken of a list.
///
/// # Errors
/// Nothing is.
pub(crate) fn versions(text: &str) -> Result<TlsVersions, String> {
    let has = |version| text.split_whitespace().any(|name| name == version);
    match (has("TLSv1.2"), has("TLSv1.3")) {
        (true, true) => Ok(TlsVersions::Both),
        (true, false) => Ok(TlsVersions::Tls12),
        (false, true) => Ok(TlsVersions::Tls13),
        (false, false) => Err(format!("`{text}` names neither `TLSv1.2` nor `TLSv1.3`")),
    }
}

/// What of a list that can be used is not spoken.
pub(crate) fn versions_notice(text: &str) -> Option<String> {
    let left_out: Vec<&str> = text.split_whitespace().filter(|name| !matches!(*name, "TLSv1.2" | "TLSv1.3")).collect();
    (!left_out.is_empty()).then(|| format!("`{}` is not spoken and is left out", left_out.join(" ")))
}
