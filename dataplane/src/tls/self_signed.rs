//! The certificate of last resort, made at start and kept in memory alone.

use std::sync::Arc;

use rustls::{crypto::CryptoProvider, pki_types::PrivateKeyDer, sign::CertifiedKey};
use rustls_pki_types::PrivatePkcs8KeyDer;
use thiserror::Error;

/// The common name that ingress-nginx gives its own, which tools and tests look for.
const COMMON_NAME: &str = "Kubernetes Ingress Controller Fake Certificate";

/// It could not be made.
#[derive(Debug, Error)]
pub enum SelfSignedError {
    /// No key or no signature.
    #[error("cannot make a self-signed certificate: {0}")]
    Generate(#[from] rcgen::Error),
    /// The TLS library does not take it.
    #[error("cannot use the self-signed certificate: {0}")]
    Use(#[from] rustls::Error),
}

/// Makes it: ECDSA P-256, valid for any time.
///
/// # Errors
/// It cannot be made or used.
pub fn self_signed(provider: &CryptoProvider) -> Result<Arc<CertifiedKey>, SelfSignedError> {
    let mut params = rcgen::CertificateParams::new(vec!["ingress.local".to_owned()])?;
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(rcgen::DnType::CommonName, COMMON_NAME);
    params.distinguished_name.push(rcgen::DnType::OrganizationName, "Acme Co");
    let key = rcgen::KeyPair::generate()?;
    let cert = params.self_signed(&key)?;
    let der = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    Ok(Arc::new(CertifiedKey::from_der(vec![cert.der().clone()], der, provider)?))
}
