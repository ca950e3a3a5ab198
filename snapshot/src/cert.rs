//! Certificates and their keys.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::Origin;

/// The public part of a certificate that was checked and belongs to its key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cert {
    /// The Secret it comes from.
    pub origin: Arc<Origin>,
    /// The chain in DER, the leaf first. Left out of dumps: it is long, and `fingerprint` tells two apart.
    #[serde(skip)]
    pub chain: Vec<Vec<u8>>,
    /// The DNS names of the leaf.
    pub names: Vec<Arc<str>>,
    /// What the certificate metric tells.
    pub info: CertInfo,
    /// When the leaf expires, in seconds since 1970.
    pub not_after: i64,
    /// SHA-256 of the leaf's DER in hexadecimal: two certificates of the same name differ here.
    pub fingerprint: Arc<str>,
}

/// What `nginx_ingress_controller_ssl_certificate_info` tells of a certificate.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertInfo {
    /// The issuer's common name.
    pub issuer_common_name: Arc<str>,
    /// The issuer's organisation.
    pub issuer_organization: Arc<str>,
    /// The serial number, decimal.
    pub serial_number: Arc<str>,
    /// The algorithm of the public key, such as `RSA` or `ECDSA`.
    pub public_key_algorithm: Arc<str>,
}

/// How a private key is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyFormat {
    /// RFC 8017 (RSA).
    Pkcs1,
    /// RFC 5958.
    Pkcs8,
    /// RFC 5915 (EC).
    Sec1,
}

/// A private key in DER. Without `Serialize`, `Debug` or `Display`, so that it can get into no dump or log by accident.
#[derive(Clone, PartialEq, Eq)]
pub struct PrivateKey {
    format: KeyFormat,
    der: Arc<[u8]>,
}

impl PrivateKey {
    /// A key of the given encoding.
    pub fn new(format: KeyFormat, der: impl Into<Arc<[u8]>>) -> Self {
        Self { format, der: der.into() }
    }

    /// The encoding.
    pub fn format(&self) -> KeyFormat {
        self.format
    }

    /// The bytes. For the TLS library and for nothing else.
    pub fn secret_der(&self) -> &[u8] {
        &self.der
    }
}
