//! TLS as clients speak it.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use rustls::{
    ClientConfig, DigitallySignedStruct, SignatureScheme, SupportedProtocolVersion,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, aws_lc_rs::default_provider},
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, UnixTime},
};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::within;

/// Takes every certificate and remembers it.
#[derive(Debug, Default)]
pub struct Seen {
    leaf: Mutex<Vec<u8>>,
    staple: Mutex<Vec<u8>>,
}

impl Seen {
    pub fn leaf(&self) -> Vec<u8> {
        self.leaf.lock().unwrap().clone()
    }

    /// The OCSP response that came with the certificate; empty: none.
    pub fn staple(&self) -> Vec<u8> {
        self.staple.lock().unwrap().clone()
    }
}

impl ServerCertVerifier for Seen {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        staple: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        *self.leaf.lock().unwrap() = leaf.to_vec();
        *self.staple.lock().unwrap() = staple.to_vec();
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
        default_provider().signature_verification_algorithms.supported_schemes()
    }
}

/// How a client does its handshakes.
pub struct Spoken {
    pub provider: CryptoProvider,
    pub versions: Vec<&'static SupportedProtocolVersion>,
    /// By ALPN.
    pub protocols: Vec<&'static str>,
    /// A chain, the leaf first, and its key in PKCS#8.
    pub identity: Option<(Vec<Vec<u8>>, Vec<u8>)>,
}

impl Default for Spoken {
    fn default() -> Self {
        Self {
            provider: default_provider(),
            versions: vec![&rustls::version::TLS13, &rustls::version::TLS12],
            protocols: vec!["http/1.1"],
            identity: None,
        }
    }
}

impl Spoken {
    pub fn version(version: &'static SupportedProtocolVersion) -> Self {
        Self { versions: vec![version], ..Self::default() }
    }

    /// Its configuration, and the certificate that it saw last. Sessions are kept in the configuration.
    pub fn config(self) -> (ClientConfig, Arc<Seen>) {
        let seen = Arc::new(Seen::default());
        let builder = ClientConfig::builder_with_provider(Arc::new(self.provider))
            .with_protocol_versions(&self.versions)
            .unwrap()
            .dangerous()
            .with_custom_certificate_verifier(Arc::clone(&seen) as Arc<dyn ServerCertVerifier>);
        let mut config = match self.identity {
            None => builder.with_no_client_auth(),
            Some((chain, key)) => {
                let chain = chain.into_iter().map(CertificateDer::from).collect();
                let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key));
                builder.with_client_auth_cert(chain, key).unwrap()
            }
        };
        config.alpn_protocols = self.protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        (config, seen)
    }
}

/// A handshake that may fail.
pub async fn try_handshake(
    address: SocketAddr,
    name: &str,
    config: &Arc<ClientConfig>,
) -> std::io::Result<TlsStream<TcpStream>> {
    let stream = TcpStream::connect(address).await?;
    let name = ServerName::try_from(name.to_owned()).unwrap();
    within("a handshake", TlsConnector::from(Arc::clone(config)).connect(name, stream)).await
}
