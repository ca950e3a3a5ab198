//! Backends that speak TLS, and the certificates for it.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::{
    HandshakeKind, RootCertStore, ServerConfig, ServerConnection, SupportedProtocolVersion,
    pki_types::{CertificateDer, PrivatePkcs8KeyDer},
    server::WebPkiClientVerifier,
};
use tokio::{io::AsyncWriteExt, net::TcpStream};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use super::{Backend, read_request};

/// A CA.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    /// Its certificate, and those above it that are sent along.
    chain: Vec<Vec<u8>>,
}

/// A certificate with its chain and its key.
#[derive(Clone)]
pub struct Leaf {
    pub chain: Vec<Vec<u8>>,
    pub key: Vec<u8>,
}

impl Authority {
    pub fn new() -> Self {
        let (params, key) = authority();
        let der = params.self_signed(&key).unwrap().der().to_vec();
        Self { issuer: Issuer::new(params, key), chain: vec![der] }
    }

    /// One that this one signed.
    pub fn intermediate(&self) -> Self {
        let (params, key) = authority();
        let der = params.signed_by(&key, &self.issuer).unwrap().der().to_vec();
        Self { issuer: Issuer::new(params, key), chain: [vec![der], self.chain.clone()].concat() }
    }

    /// What it is trusted by.
    pub fn der(&self) -> Vec<u8> {
        self.chain[0].clone()
    }

    pub fn issue(&self, name: &str) -> Leaf {
        self.issue_with(name, |_| ())
    }

    pub fn issue_with(&self, name: &str, change: impl Fn(&mut CertificateParams)) -> Leaf {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        change(&mut params);
        let der = params.signed_by(&key, &self.issuer).unwrap().der().to_vec();
        Leaf { chain: [vec![der], self.chain.clone()].concat(), key: key.serialize_der() }
    }
}

fn authority() -> (CertificateParams, KeyPair) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    // Names tell CAs apart when chains are built.
    let name = key.serialize_pem().lines().nth(2).unwrap().to_owned();
    params.distinguished_name.push(rcgen::DnType::CommonName, name);
    (params, key)
}

/// A certificate that signed itself and says that it is a CA, as OpenSSL makes them.
pub fn self_signed(name: &str) -> Leaf {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    Leaf { chain: vec![params.self_signed(&key).unwrap().der().to_vec()], key: key.serialize_der() }
}

/// How a backend speaks TLS.
#[derive(Clone)]
pub struct Speaks {
    pub leaf: Leaf,
    /// None: all.
    pub version: Option<&'static SupportedProtocolVersion>,
    /// Clients must have a certificate of this CA.
    pub clients: Option<Vec<u8>>,
    pub alpn: &'static [&'static [u8]],
}

impl Speaks {
    pub fn with(leaf: Leaf) -> Self {
        Self { leaf, version: None, clients: None, alpn: &[b"h2", b"http/1.1"] }
    }

    pub fn acceptor(&self) -> TlsAcceptor {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let versions = self.version.map_or(rustls::ALL_VERSIONS.to_vec(), |only| vec![only]);
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider));
        let builder = builder.with_protocol_versions(&versions).unwrap();
        let builder = match &self.clients {
            None => builder.with_no_client_auth(),
            Some(anchor) => {
                let mut roots = RootCertStore::empty();
                roots.add(anchor.clone().into()).unwrap();
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
                builder.with_client_cert_verifier(verifier)
            }
        };
        let chain = self.leaf.chain.iter().cloned().map(CertificateDer::from).collect();
        let key = PrivatePkcs8KeyDer::from(self.leaf.key.clone());
        let mut config = builder.with_single_cert(chain, key.into()).unwrap();
        config.alpn_protocols = self.alpn.iter().map(|name| name.to_vec()).collect();
        TlsAcceptor::from(Arc::new(config))
    }
}

/// A connection that a backend has accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handshake {
    pub name: Option<String>,
    pub alpn: Option<Vec<u8>>,
    pub client: Option<Vec<u8>>,
    pub resumed: bool,
}

impl Handshake {
    pub fn of(session: &ServerConnection) -> Self {
        Self {
            name: session.server_name().map(str::to_owned),
            alpn: session.alpn_protocol().map(<[u8]>::to_vec),
            client: session.peer_certificates().map(|chain| chain[0].to_vec()),
            resumed: session.handshake_kind() == Some(HandshakeKind::Resumed),
        }
    }
}

/// A server that speaks HTTP/1.1 over TLS, keeps connections and answers with the number of bytes that it got.
pub struct TlsBackend {
    pub address: SocketAddr,
    handshakes: Arc<Mutex<Vec<Handshake>>>,
    requests: Arc<Mutex<Vec<String>>>,
    _backend: Backend,
}

impl TlsBackend {
    pub async fn start(speaks: Speaks) -> Self {
        Self::with(speaks, "").await
    }

    /// Each answer has this field too.
    pub async fn with(speaks: Speaks, field: &'static str) -> Self {
        let (handshakes, requests) = (Arc::<Mutex<Vec<_>>>::default(), Arc::<Mutex<Vec<_>>>::default());
        let (seen, asked, acceptor) = (Arc::clone(&handshakes), Arc::clone(&requests), speaks.acceptor());
        let backend = Backend::raw(move |stream, _| {
            let (seen, asked, acceptor) = (Arc::clone(&seen), Arc::clone(&asked), acceptor.clone());
            async move {
                let Ok(stream) = acceptor.accept(stream).await else { return };
                seen.lock().unwrap().push(Handshake::of(stream.get_ref().1));
                answer(stream, &asked, field).await;
            }
        })
        .await;
        Self { address: backend.address, handshakes, requests, _backend: backend }
    }

    pub fn handshakes(&self) -> Vec<Handshake> {
        self.handshakes.lock().unwrap().clone()
    }

    /// The heads of what it was asked.
    pub fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

async fn answer(mut stream: TlsStream<TcpStream>, asked: &Mutex<Vec<String>>, field: &str) {
    while let Some(request) = read_request(&mut stream).await {
        let text = request.body.len().to_string();
        asked.lock().unwrap().push(request.head);
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n{field}\r\n{text}", text.len());
        if stream.write_all(head.as_bytes()).await.is_err() || stream.flush().await.is_err() {
            return;
        }
        if field.starts_with("connection: close") {
            let _ = stream.shutdown().await;
            return;
        }
    }
}
