//! TLS to backends.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{CertId, Origin, Tls12Suite, TlsVersions};

/// How TLS is spoken to an upstream. Connections are shared only by what asks for the same.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct UpstreamTls {
    /// For which requests.
    pub when: TlsWhen,
    /// The name that the endpoint's certificate must have where it is checked: a DNS name or an address
    /// (`proxy-ssl-name`).
    pub name: Arc<str>,
    /// Whether the endpoint is told that name (SNI, RFC 6066 section 3; `proxy-ssl-server-name`). An address never is.
    pub send_name: bool,
    /// Which versions are offered (`proxy-ssl-protocols`).
    pub versions: TlsVersions,
    /// Which cipher suites of TLS 1.2 are offered, the most wanted first (`proxy-ssl-ciphers`).
    pub suites: Vec<Tls12Suite>,
    /// How the endpoint's certificate is checked; none: any is taken (`proxy-ssl-verify`).
    pub verify: Option<Verification>,
    /// The certificate that an endpoint is shown which asks for one (`proxy-ssl-secret`).
    pub identity: Option<CertId>,
}

/// For which requests TLS is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum TlsWhen {
    /// For all.
    Always,
    /// For those whose clients speak it (`backend-protocol: AUTO_HTTP`).
    ClientDoes,
}

/// How an endpoint's certificate is checked (RFC 5280 section 6).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Verification {
    /// Where its chain must end.
    pub anchors: Arc<TrustAnchors>,
    /// How many certificates may stand between it and one of the anchors (`proxy-ssl-verify-depth`).
    pub depth: u32,
}

/// Certificates that are trusted to sign others.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TrustAnchors {
    /// The Secret they come from.
    pub origin: Arc<Origin>,
    /// Each in DER. Left out of dumps: they are long, and `fingerprint` tells two bundles apart.
    #[serde(skip)]
    pub certificates: Vec<Vec<u8>>,
    /// SHA-256 of all of them in hexadecimal.
    pub fingerprint: Arc<str>,
}
