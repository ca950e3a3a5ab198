//! TLS configurations of listeners.

use std::{collections::BTreeMap, sync::Arc};

use ahash::AHashMap;
use rustls::{
    ServerConfig,
    crypto::CryptoProvider,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs1KeyDer, PrivatePkcs8KeyDer, PrivateSec1KeyDer},
    server::ProducesTickets,
    sign::CertifiedKey,
};
use snapshot::{Cert, CertId, HostPattern, KeyFormat, PrivateKey, Rejection, Snapshot};

use super::{
    resolver::Resolver,
    self_signed::{SelfSignedError, self_signed},
};

/// What a listener's configuration is made from: where nothing of it changed, the configuration stays.
#[derive(Clone)]
pub struct TlsSource {
    sni: BTreeMap<HostPattern, CertId>,
    default_cert: Option<CertId>,
    http2: bool,
}

impl TlsSource {
    /// The `sni` and `default_cert` of a listener, and whether HTTP/2 is spoken there.
    pub fn new(sni: &BTreeMap<HostPattern, CertId>, default_cert: Option<&CertId>, http2: bool) -> Self {
        Self { sni: sni.clone(), default_cert: default_cert.cloned(), http2 }
    }
}

/// ALPN's name of HTTP/2 (RFC 7301 section 6).
pub const HTTP2: &[u8] = b"h2";
/// ALPN's name of HTTP/1.1 (RFC 7301 section 6).
pub const HTTP1: &[u8] = b"http/1.1";

/// Whether a client and we agreed on HTTP/2.
pub fn is_http2(session: &rustls::ServerConnection) -> bool {
    session.alpn_protocol() == Some(HTTP2)
}

/// A certificate with the snapshot's parts that it was made from.
struct Parsed {
    cert: Arc<Cert>,
    key: Arc<PrivateKey>,
    usable: Result<Arc<CertifiedKey>, String>,
}

/// Makes TLS configurations, and keeps what survives a change: parsed certificates, ticket keys, the self-signed
/// certificate.
pub struct TlsFactory {
    provider: Arc<CryptoProvider>,
    fallback: Arc<CertifiedKey>,
    tickets: Arc<dyn ProducesTickets>,
    parsed: AHashMap<CertId, Parsed>,
}

impl TlsFactory {
    /// Makes the self-signed certificate and the first ticket key.
    ///
    /// # Errors
    /// The certificate cannot be made, or there is no randomness.
    pub fn new() -> Result<Self, SelfSignedError> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let fallback = self_signed(&provider)?;
        // Rotates its keys by itself; one for all listeners and configurations, so that a change costs no handshakes.
        let tickets = rustls::crypto::aws_lc_rs::Ticketer::new()?;
        Ok(Self { provider, fallback, tickets, parsed: AHashMap::new() })
    }

    /// Takes up the certificates of a snapshot. Only those that changed are parsed.
    ///
    /// Returns whether anything changed, and what cannot be used.
    pub fn update(&mut self, snapshot: &Snapshot) -> (bool, Vec<Rejection>) {
        let before = self.parsed.len();
        self.parsed.retain(|id, _| snapshot.certs.contains_key(id));
        let mut changed = before != self.parsed.len();
        let mut rejected = Vec::new();
        for (id, cert) in &snapshot.certs {
            let Some(key) = snapshot.keys.get(id) else {
                rejected.push(reject(cert, "its key is missing"));
                changed |= self.parsed.remove(id).is_some();
                continue;
            };
            let same = |p: &Parsed| Arc::ptr_eq(&p.cert, cert) && Arc::ptr_eq(&p.key, key);
            if !self.parsed.get(id).is_some_and(same) {
                let usable = self.parse(cert, key);
                self.parsed.insert(id.clone(), Parsed { cert: Arc::clone(cert), key: Arc::clone(key), usable });
                changed = true;
            }
            if let Some(Err(reason)) = self.parsed.get(id).map(|p| &p.usable) {
                rejected.push(reject(cert, reason));
            }
        }
        (changed, rejected)
    }

    /// A certificate that can be used.
    pub fn certified(&self, id: &CertId) -> Option<Arc<CertifiedKey>> {
        self.parsed.get(id).and_then(|parsed| parsed.usable.as_ref().ok()).cloned()
    }

    /// The configuration of one listener. A name whose certificate is not usable falls back to the default.
    ///
    /// # Errors
    /// The library supports neither TLS 1.2 nor 1.3.
    pub fn config(&self, source: &TlsSource) -> Result<Arc<ServerConfig>, rustls::Error> {
        let usable = |id: &CertId| self.certified(id);
        let default = source.default_cert.as_ref().and_then(usable).unwrap_or_else(|| Arc::clone(&self.fallback));
        let names = source.sni.iter().filter(|(host, _)| **host != HostPattern::Any);
        let names = names.filter_map(|(host, id)| Some((host.clone(), usable(id)?))).collect();
        let builder = ServerConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?;
        let mut config = builder.with_no_client_auth().with_cert_resolver(Arc::new(Resolver::new(names, default)));
        let offered = if source.http2 { &[HTTP2, HTTP1][..] } else { &[HTTP1] };
        config.alpn_protocols = offered.iter().map(|name| name.to_vec()).collect();
        config.ticketer = Arc::clone(&self.tickets);
        Ok(Arc::new(config))
    }

    fn parse(&self, cert: &Cert, key: &PrivateKey) -> Result<Arc<CertifiedKey>, String> {
        let chain: Vec<_> = cert.chain.iter().cloned().map(CertificateDer::from).collect();
        if chain.is_empty() {
            return Err("it holds no certificate".to_owned());
        }
        let der = key.secret_der().to_vec();
        let der: PrivateKeyDer<'static> = match key.format() {
            KeyFormat::Pkcs1 => PrivatePkcs1KeyDer::from(der).into(),
            KeyFormat::Pkcs8 => PrivatePkcs8KeyDer::from(der).into(),
            KeyFormat::Sec1 => PrivateSec1KeyDer::from(der).into(),
        };
        CertifiedKey::from_der(chain, der, &self.provider).map(Arc::new).map_err(|error| error.to_string())
    }
}

fn reject(cert: &Cert, reason: &str) -> Rejection {
    Rejection { origin: Arc::clone(&cert.origin), reason: format!("the certificate cannot be used: {reason}") }
}
