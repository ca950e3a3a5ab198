//! Asking clients for certificates in the handshake.

use std::sync::Arc;

use rustls::{
    DigitallySignedStruct, DistinguishedName, SignatureScheme,
    client::danger::HandshakeSignatureValid,
    crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, UnixTime},
    server::danger::{ClientCertVerified, ClientCertVerifier},
};

use super::authority::Authority;

/// Asks for a certificate and takes what comes, also nothing; only that the client has its key is checked. Whether it
/// may be used is looked at for each connection after the handshake, also of a session that is resumed, so that the
/// client gets an answer that says what is wrong.
#[derive(Debug)]
pub struct AskAny {
    authority: Arc<Authority>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl AskAny {
    /// Tells clients the names of an authority.
    pub fn new(authority: Arc<Authority>, algorithms: WebPkiSupportedAlgorithms) -> Self {
        Self { authority, algorithms }
    }
}

impl ClientCertVerifier for AskAny {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &self.authority.names
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, signed, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
