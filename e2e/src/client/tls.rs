//! TLS that trusts everybody and tells whom it met.

use std::sync::Arc;

use anyhow::Context;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

/// What a server's certificate says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leaf {
    /// Its DNS names, in their order.
    pub dns_names: Vec<String>,
}

/// A client's certificate and its key.
#[derive(Clone)]
pub struct Identity {
    /// In DER, its own first.
    pub chain: Vec<Vec<u8>>,
    /// In PKCS#8.
    pub key: Vec<u8>,
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Identity")
    }
}

/// Shakes hands as a client of `host` (the SNI).
pub(super) async fn connect(
    stream: TcpStream,
    host: &str,
    identity: Option<&Identity>,
) -> anyhow::Result<(TlsStream<TcpStream>, Leaf)> {
    let name = ServerName::try_from(host.to_owned()).context("host as SNI")?;
    let stream = TlsConnector::from(Arc::new(config(identity)?)).connect(name, stream).await?;
    let certificates = stream.get_ref().1.peer_certificates().unwrap_or_default();
    let leaf = leaf(certificates.first().context("the server sent no certificate")?)?;
    Ok((stream, leaf))
}

fn leaf(der: &CertificateDer<'_>) -> anyhow::Result<Leaf> {
    let (_, certificate) = X509Certificate::from_der(der)?;
    let names = certificate.subject_alternative_name()?;
    let names = names.map(|names| names.value.general_names.as_slice()).unwrap_or_default();
    let dns_names = names
        .iter()
        .filter_map(|name| match name {
            GeneralName::DNSName(name) => Some((*name).to_owned()),
            _ => None,
        })
        .collect();
    Ok(Leaf { dns_names })
}

fn config(identity: Option<&Identity>) -> anyhow::Result<ClientConfig> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(TrustAnybody(provider)));
    let Some(Identity { chain, key }) = identity else { return Ok(builder.with_no_client_auth()) };
    let chain = chain.iter().cloned().map(CertificateDer::from).collect();
    Ok(builder.with_client_auth_cert(chain, PrivatePkcs8KeyDer::from(key.clone()).into())?)
}

/// The tests look at the certificate themselves; that the server holds its key
/// is still checked.
#[derive(Debug)]
struct TrustAnybody(Arc<CryptoProvider>);

impl ServerCertVerifier for TrustAnybody {
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
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
