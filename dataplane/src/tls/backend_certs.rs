//! Whether the certificate of a backend is taken.

use std::{fmt, sync::Arc};

use rustls::{
    CertificateError, DigitallySignedStruct, OtherError, RootCertStore, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        verify_server_name,
    },
    crypto::CryptoProvider,
    pki_types::{CertificateDer, ServerName, UnixTime},
    server::ParsedCertificate,
};
use snapshot::Verification;
use thiserror::Error;
use webpki::{EndEntityCert, KeyUsage};
use x509_parser::{parse_x509_certificate, time::ASN1Time};

use super::depth::check_depth;

/// Takes any certificate (`proxy-ssl-verify: off`). Its signature in the handshake would prove nothing: whoever stands
/// between us and the backend can show a certificate of his own.
#[derive(Debug)]
pub struct Unchecked(Vec<SignatureScheme>);

impl Unchecked {
    /// Offers what the library can check.
    pub fn new(provider: &CryptoProvider) -> Self {
        Self(provider.signature_verification_algorithms.supported_schemes())
    }
}

impl ServerCertVerifier for Unchecked {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.clone()
    }
}

/// More certificates stand between the backend's and its anchor than may.
#[derive(Debug, Error)]
#[error("the chain of certificates is longer than {0} between the backend's and its CA's")]
struct TooDeep(u32);

/// Takes what leads to an anchor (RFC 5280 section 6), has the right name (RFC 6125) and is of this time.
pub struct Checked {
    library: Arc<WebPkiServerVerifier>,
    roots: Arc<RootCertStore>,
    source: Verification,
    provider: Arc<CryptoProvider>,
}

impl Checked {
    /// # Errors
    /// An anchor cannot be used; the text follows the name of its place.
    pub fn new(source: &Verification, provider: &Arc<CryptoProvider>) -> Result<Self, String> {
        let mut roots = RootCertStore::empty();
        for der in &source.anchors.certificates {
            roots
                .add(der.clone().into())
                .map_err(|error| format!("a certificate of its CA cannot be used: {error}"))?;
        }
        let roots = Arc::new(roots);
        let library = WebPkiServerVerifier::builder_with_provider(Arc::clone(&roots), Arc::clone(provider));
        let library = library.build().map_err(|error| format!("its CA cannot be used: {error}"))?;
        Ok(Self { library, roots, source: source.clone(), provider: Arc::clone(provider) })
    }

    /// A certificate that is an anchor itself needs no chain: self-signed ones as OpenSSL makes them say that they are
    /// CAs, and the library takes none for a backend's.
    fn is_anchor(&self, certificate: &CertificateDer<'_>, now: UnixTime) -> bool {
        let is_same = |anchor: &Vec<u8>| anchor.as_slice() == certificate.as_ref();
        let now = i64::try_from(now.as_secs()).ok().and_then(|now| ASN1Time::from_timestamp(now).ok());
        self.source.anchors.certificates.iter().any(is_same)
            && parse_x509_certificate(certificate)
                .is_ok_and(|(_, parsed)| now.is_some_and(|now| parsed.validity().is_valid_at(now)))
    }

    /// Walks the chain once more, because the library's verifier says nothing of the path that it found: only where what
    /// was sent could be too long.
    fn check_depth(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), rustls::Error> {
        let most = usize::try_from(self.source.depth).unwrap_or(usize::MAX);
        if intermediates.len() <= most {
            return Ok(());
        }
        let too_deep = || CertificateError::Other(OtherError(Arc::new(TooDeep(self.source.depth))));
        let within = |path: &webpki::VerifiedPath<'_>| check_depth(path, self.source.depth);
        let parsed = EndEntityCert::try_from(certificate).map_err(|_| CertificateError::BadEncoding)?;
        let algorithms = self.provider.signature_verification_algorithms.all;
        let usage = KeyUsage::server_auth();
        parsed
            .verify_for_usage(algorithms, &self.roots.roots, intermediates, now, usage, None, Some(&within))
            .map_err(|_| too_deep())?;
        Ok(())
    }
}

impl fmt::Debug for Checked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Checked").field("source", &self.source.anchors.origin).finish_non_exhaustive()
    }
}

impl ServerCertVerifier for Checked {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if self.is_anchor(certificate, now) {
            verify_server_name(&ParsedCertificate::try_from(certificate)?, name)?;
            return Ok(ServerCertVerified::assertion());
        }
        let verified = self.library.verify_server_cert(certificate, intermediates, name, ocsp, now)?;
        self.check_depth(certificate, intermediates, now)?;
        Ok(verified)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.library.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.library.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.library.supported_verify_schemes()
    }
}
