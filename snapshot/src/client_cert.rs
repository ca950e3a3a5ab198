//! Certificates of clients.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::Origin;

/// How a host asks for clients' certificates in the handshake (`auth-tls-secret`, `-verify-client`, `-verify-depth`).
///
/// The handshake completes whatever the client shows: what is wrong with it is answered to a request, as in nginx.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientAuth {
    /// Who vouches for clients.
    pub ca: Arc<CaBundle>,
    /// What is made of a certificate.
    pub verify: VerifyClient,
    /// How many certificates there may be between the client's and that of the CA.
    pub depth: u32,
}

impl ClientAuth {
    /// Whether a connection made under `other` does for a request under this one. The contents of the Secret may have
    /// changed in between: what the client showed is looked at again then.
    pub fn accepts_connections_of(&self, other: &Self) -> bool {
        let Self { ca, verify, depth } = self;
        ca.origin == other.ca.origin && *verify == other.verify && *depth == other.depth
    }
}

/// What is made of a client's certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum VerifyClient {
    /// It is needed and must be right (`on`).
    Required,
    /// It must be right where there is one (`optional`).
    Optional,
    /// The same, but its CA need not be known (`optional_no_ca`): the backend decides.
    OptionalNoCa,
}

/// Who vouches for clients: certificates of CAs and their revocation lists (RFC 5280).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaBundle {
    /// The Secret it comes from.
    pub origin: Arc<Origin>,
    /// The certificates in DER (`ca.crt`). Left out of dumps: they are long, and `fingerprint` tells two apart.
    #[serde(skip)]
    pub certs: Vec<Vec<u8>>,
    /// Revocation lists in DER (`ca.crl`). Where there are any, each certificate of a chain must be covered by one.
    #[serde(skip)]
    pub crls: Vec<Vec<u8>>,
    /// SHA-256 of all of it, in hexadecimal.
    pub fingerprint: Arc<str>,
    /// Whether the handshake tells clients the names of the CAs: not where they are too many for it.
    pub tell_names: bool,
}

/// What holds for the requests of a host that is about clients' certificates.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientCertRule {
    /// The object that asked for it.
    pub origin: Arc<Origin>,
    /// What the handshake must have asked for; none: nothing (`auth-tls-verify-client: off`).
    pub auth: Option<Arc<ClientAuth>>,
    /// A regular expression that the certificate's subject (RFC 4514) must match: 403 otherwise (`auth-tls-match-cn`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Arc<str>>,
    /// Whether the backend gets the certificate (`auth-tls-pass-certificate-to-upstream`).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub pass_certificate: bool,
    /// Where a client is sent whose certificate is missing or not accepted (`auth-tls-error-page`); none: 400.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_page: Option<Arc<str>>,
}
