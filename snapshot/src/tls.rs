//! How TLS is spoken with clients.

use std::{fmt, num::NonZeroU32, sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};

use crate::ClientAuth;

/// What holds for every handshake of a listener, but for what [`HostTls`] says of a host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TlsOptions {
    /// Which versions are spoken (`ssl-protocols`).
    pub versions: TlsVersions,
    /// Which cipher suites are offered (`ssl-ciphers`, `ssl-prefer-server-ciphers`).
    pub ciphers: Ciphers,
    /// How sessions are taken up again (`ssl-session-*`).
    pub resumption: Resumption,
    /// Whether a client is refused that names a host which no rule has, or none (`ssl-reject-handshake`).
    pub reject_unknown_names: bool,
    /// Whether clients are handed what CAs say of certificates (`enable-ocsp`); none: not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stapling: Option<Stapling>,
}

/// How CAs are asked about the certificates that are served, so that what they say is sent with them (RFC 6066 section 8).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stapling {
    /// Whether a certificate may name a loopback, link-local, multicast or unspecified address as the one to ask. It names
    /// what its owner likes, and that may be a tenant.
    pub allow_local: bool,
}

/// What holds for the handshakes of a host in place of the listener's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostTls {
    /// Which cipher suites are offered; none: those of the listener.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ciphers: Option<Ciphers>,
    /// How clients' certificates are asked for; none: not at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_auth: Option<Arc<ClientAuth>>,
}

/// Versions of TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum TlsVersions {
    /// TLS 1.2 alone (RFC 5246).
    Tls12,
    /// TLS 1.3 alone (RFC 8446).
    Tls13,
    /// Both; the newer one where the client speaks it.
    Both,
}

/// A choice of cipher suites.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Ciphers {
    /// Those of TLS 1.2, the most wanted first. Those of TLS 1.3 are always all offered.
    pub suites: Vec<Tls12Suite>,
    /// Whether our order decides (`ssl-prefer-server-ciphers`), not the client's.
    pub server_order: bool,
}

/// The cipher suites of TLS 1.2 that can be offered: those with forward secrecy and authenticated encryption.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Tls12Suite {
    /// `TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256` (RFC 5289).
    EcdheEcdsaAes128Gcm,
    /// `TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256` (RFC 5289).
    EcdheRsaAes128Gcm,
    /// `TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384` (RFC 5289).
    EcdheEcdsaAes256Gcm,
    /// `TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384` (RFC 5289).
    EcdheRsaAes256Gcm,
    /// `TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256` (RFC 7905).
    EcdheEcdsaChacha20,
    /// `TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256` (RFC 7905).
    EcdheRsaChacha20,
}

/// How a client may take up a session again, without another full handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Resumption {
    /// Not at all.
    Off,
    /// By a ticket that the client keeps (RFC 5077, RFC 8446 section 4.6.1), under keys that change.
    Tickets {
        /// How long a ticket is taken.
        lifetime: Duration,
    },
    /// By a session that we keep.
    Sessions {
        /// How many are kept at most, for all workers and hosts.
        most: NonZeroU32,
        /// How long one is kept.
        lifetime: Duration,
    },
}

/// What holds where no setting says otherwise.
impl Default for TlsOptions {
    fn default() -> Self {
        Self {
            versions: TlsVersions::Both,
            ciphers: Ciphers::default(),
            resumption: Resumption::Tickets { lifetime: Duration::from_secs(600) },
            reject_unknown_names: false,
            stapling: None,
        }
    }
}

/// The order of ingress-nginx v1.15.1.
impl Default for Ciphers {
    fn default() -> Self {
        Self { suites: Tls12Suite::ALL.to_vec(), server_order: true }
    }
}

impl Tls12Suite {
    /// All of them, in the order of ingress-nginx v1.15.1.
    pub const ALL: [Self; 6] = [
        Self::EcdheEcdsaAes128Gcm,
        Self::EcdheRsaAes128Gcm,
        Self::EcdheEcdsaAes256Gcm,
        Self::EcdheRsaAes256Gcm,
        Self::EcdheEcdsaChacha20,
        Self::EcdheRsaChacha20,
    ];
}

/// A secret from which the keys of tickets are derived, the same on every replica (`ssl-session-ticket-key`). Without
/// `Serialize` or `Display`, and `Debug` says nothing of it.
#[derive(Clone, PartialEq, Eq)]
pub struct TicketKey(Arc<[u8]>);

impl TicketKey {
    /// A key of these bytes.
    pub fn new(bytes: impl Into<Arc<[u8]>>) -> Self {
        Self(bytes.into())
    }

    /// The bytes. For the derivation of keys and for nothing else.
    pub fn secret(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for TicketKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TicketKey")
    }
}
