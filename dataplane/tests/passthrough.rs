//! Hosts whose TLS is handed on, beside those whose TLS ends here, on one port.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

mod support;

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use rustls::{
    ClientConfig, ServerConfig,
    client::{EchConfig, EchMode},
    pki_types::{EchConfigListBytes, PrivatePkcs8KeyDer, ServerName},
};
use support::{Backend, Client, Proxy, World, eventually, tls, within};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader, ReadBuf},
    net::TcpStream,
};
use tokio_rustls::{TlsAcceptor, TlsConnector, client::TlsStream};

/// Ends TLS itself, says the server name that it was asked for, and sends back what it gets.
async fn tls_backend() -> (Backend, Vec<u8>) {
    let key = rcgen::KeyPair::generate().unwrap();
    let cert = rcgen::CertificateParams::new(vec!["backend".to_owned()]).unwrap().self_signed(&key).unwrap();
    let der = cert.der().to_vec();
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], PrivatePkcs8KeyDer::from(key.serialize_der()).into())
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let backend = Backend::raw(move |stream, _| {
        let acceptor = acceptor.clone();
        async move {
            let Ok(mut stream) = acceptor.accept(stream).await else { return };
            let name = stream.get_ref().1.server_name().unwrap_or("nobody").to_owned();
            stream.write_all(format!("{name}\n").as_bytes()).await.unwrap();
            let (mut read, mut write) = tokio::io::split(stream);
            tokio::io::copy(&mut read, &mut write).await.ok();
            write.shutdown().await.ok();
        }
    })
    .await;
    (backend, der)
}

/// A client that takes every certificate.
fn client() -> ClientConfig {
    tls::Spoken::default().config().0
}

fn server_name(name: &str) -> ServerName<'static> {
    name.to_owned().try_into().unwrap()
}

/// How a ClientHello is sent.
#[derive(Clone, Copy)]
enum Sent {
    /// As the library makes it.
    Plainly,
    /// A few bytes in each segment.
    InSegments,
    /// A few bytes in each record, and a few bytes in each segment.
    InRecords,
}

/// Sends what it gets first in another form.
struct Reshaping {
    stream: TcpStream,
    sent: Sent,
    /// What is on its way instead.
    reshaped: Vec<u8>,
    /// How long what it replaces was.
    replaces: usize,
    is_first: bool,
}

impl AsyncRead for Reshaping {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Reshaping {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        if this.is_first {
            this.is_first = false;
            this.replaces = bytes.len();
            this.reshaped = match this.sent {
                Sent::InRecords => in_records(bytes, 50),
                Sent::Plainly | Sent::InSegments => bytes.to_vec(),
            };
        }
        if this.reshaped.is_empty() && this.replaces == 0 {
            return Pin::new(&mut this.stream).poll_write(cx, bytes);
        }
        while !this.reshaped.is_empty() {
            let most = if matches!(this.sent, Sent::Plainly) { usize::MAX } else { 37 };
            let next = this.reshaped.len().min(most);
            let count = ready!(Pin::new(&mut this.stream).poll_write(cx, &this.reshaped[..next]))?;
            this.reshaped.drain(..count);
        }
        Poll::Ready(Ok(std::mem::take(&mut this.replaces)))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// The same handshake message in records of `most` bytes (RFC 8446 section 5.1).
fn in_records(mut bytes: &[u8], most: usize) -> Vec<u8> {
    let mut out = Vec::new();
    while let [kind, major, minor, high, low, rest @ ..] = bytes {
        let (content, behind) = rest.split_at(usize::from(u16::from_be_bytes([*high, *low])));
        for part in content.chunks(most) {
            out.extend([*kind, *major, *minor]);
            out.extend(u16::try_from(part.len()).unwrap().to_be_bytes());
            out.extend(part);
        }
        bytes = behind;
    }
    assert!(bytes.is_empty());
    out
}

async fn connect(
    address: SocketAddr,
    name: &str,
    config: ClientConfig,
    sent: Sent,
) -> io::Result<(TlsStream<Reshaping>, Vec<u8>)> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let stream = Reshaping { stream, sent, reshaped: Vec::new(), replaces: 0, is_first: true };
    let connector = TlsConnector::from(Arc::new(config));
    let stream = within("a handshake", connector.connect(server_name(name), stream)).await?;
    let cert = stream.get_ref().1.peer_certificates().unwrap()[0].to_vec();
    Ok((stream, cert))
}

/// A ClientHello of more than 16 KiB, which takes two records.
fn padded() -> ClientConfig {
    let mut config = client();
    config.alpn_protocols.extend((0..100u8).map(|number| vec![number; 200]));
    config
}

/// `through.example` and `*.wild.example` are handed on; `a.example` and `ours.wild.example` end here.
async fn world() -> (World, Backend, Vec<u8>, Backend) {
    let (through, cert) = tls_backend().await;
    let web = Backend::named("ours").await;
    let mut world = World::new();
    for host in ["a.example", "ours.wild.example", "through.example", "*.wild.example"] {
        world.add_route(host, "/", &[web.address]);
    }
    let world = world
        .cert("ours", &["a.example", "*.wild.example"])
        .tls(&[("a.example", "ours"), ("*.wild.example", "ours")], Some("ours"))
        .passthrough("through.example", &[through.address])
        .passthrough("*.wild.example", &[through.address]);
    (world, through, cert, web)
}

/// The backend itself talks to us, told this server name.
async fn is_handed_on(mut stream: TlsStream<Reshaping>, name: &str) {
    let mut lines = BufReader::new(&mut stream);
    let mut said = String::new();
    within("a name", lines.read_line(&mut said)).await.unwrap();
    assert_eq!(said, format!("{name}\n"));
    lines.write_all(b"hello").await.unwrap();
    lines.flush().await.unwrap();
    let mut echo = [0; 5];
    within("an echo", lines.read_exact(&mut echo)).await.unwrap();
    assert_eq!(&echo, b"hello");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_name_decides_on_one_port() {
    let (world, through, cert, _web) = world().await;
    let proxy = Proxy::start(&world).await;
    for config in [client, padded] {
        for sent in [Sent::Plainly, Sent::InSegments, Sent::InRecords] {
            for name in ["through.example", "THROUGH.example", "any.wild.example"] {
                let (stream, seen) = connect(proxy.https(), name, config(), sent).await.unwrap();
                assert_eq!(seen, cert, "the backend's own certificate");
                is_handed_on(stream, &name.to_ascii_lowercase()).await;
            }
            for name in ["a.example", "ours.wild.example", "other.example", "127.0.0.1"] {
                let before = through.connections();
                let (stream, seen) = connect(proxy.https(), name, config(), sent).await.unwrap();
                assert_ne!(seen, cert);
                let host = if name == "127.0.0.1" { "a.example" } else { name };
                let status = if name == "other.example" { 404 } else { 200 };
                assert_eq!(Client::new(stream).get(host, "/").await.status, status, "{name}");
                assert_eq!(through.connections(), before);
            }
        }
    }
    let sessions = || proxy.metric("tidegate_stream_sessions_total", "host=\"through.example\"");
    eventually("their ends", || sessions() == 12.0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn http_in_the_clear_is_served_as_ever() {
    let (world, ..) = world().await;
    let web = Backend::named("x").await;
    let mut world = world;
    world.set_endpoints("through.example", "/", &[web.address]);
    let proxy = Proxy::start(&world).await;
    assert_eq!(proxy.client().await.get("through.example", "/").await.text(), "x");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_endpoint_the_connection_is_cut() {
    let (world, ..) = world().await;
    let proxy = Proxy::start(&world.passthrough("through.example", &[])).await;
    assert!(connect(proxy.https(), "through.example", client(), Sent::Plainly).await.is_err());
    assert!(connect(proxy.https(), "a.example", client(), Sent::Plainly).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_hello_or_does_not_come_is_not_waited_for() {
    let (world, through, ..) = world().await;
    let proxy = Proxy::start(&world.options(|http| http.header_timeout = Duration::from_millis(300))).await;
    for start in [&b"GET / HTTP/1.1\r\n\r\n"[..], b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"", &[0x16; 100]] {
        let mut stream = TcpStream::connect(proxy.https()).await.unwrap();
        stream.write_all(start).await.unwrap();
        within("a close", stream.read_to_end(&mut Vec::new())).await.ok();
    }
    // A message that claims to have 16 MB, in records of their full size.
    let mut stream = TcpStream::connect(proxy.https()).await.unwrap();
    let record = [&b"\x16\x03\x01\x40\x00"[..], &[0; 1 << 14]].concat();
    let first = [&b"\x16\x03\x01\x40\x00\x01\xff\xff\xff"[..], &[0; (1 << 14) - 4]].concat();
    let mut sent = stream.write_all(&first).await;
    for _ in 0..1000 {
        if sent.is_err() {
            break;
        }
        sent = within("a refusal", stream.write_all(&record)).await;
    }
    assert!(sent.is_err());
    assert_eq!(through.connections(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_header_comes_before_the_hello() {
    let (world, through, cert, _web) = world().await;
    let proxy = Proxy::start(&world.proxy_protocol(&["127.0.0.0/8"])).await;
    let mut stream = TcpStream::connect(proxy.https()).await.unwrap();
    stream.write_all(b"PROXY TCP4 192.0.2.7 192.0.2.8 5000 443\r\n").await.unwrap();
    let connector = TlsConnector::from(Arc::new(client()));
    let stream = within("a handshake", connector.connect(server_name("through.example"), stream)).await.unwrap();
    assert_eq!(stream.get_ref().1.peer_certificates().unwrap()[0].to_vec(), cert);
    drop(stream);
    let log = proxy.stop().await;
    assert!(log.starts_with("[192.0.2.7] ["), "{log}");
    assert_eq!(through.connections(), 1);
}

/// Of an encrypted hello the outer name is all that there is to see (RFC 9849).
#[tokio::test(flavor = "multi_thread")]
async fn an_encrypted_hello_goes_by_its_outer_name() {
    let (world, through, ..) = world().await;
    let proxy = Proxy::start(&world).await;
    let suite = rustls::crypto::aws_lc_rs::hpke::ALL_SUPPORTED_SUITES[0];
    let (public, _) = suite.generate_key_pair().unwrap();
    let list = ech_config_list(suite.suite(), &public.0, "through.example");
    let ech = EchConfig::new(list, rustls::crypto::aws_lc_rs::hpke::ALL_SUPPORTED_SUITES).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_ech(EchMode::from(ech))
        .unwrap()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    // The backend has no such key and answers as `through.example`, which this client does not take for an answer.
    assert!(connect(proxy.https(), "a.example", config, Sent::Plainly).await.is_err());
    assert_eq!(through.connections(), 1);
}

/// RFC 9849 section 4: one configuration of version 0xfe0d.
fn ech_config_list(suite: rustls::crypto::hpke::HpkeSuite, key: &[u8], name: &str) -> EchConfigListBytes<'static> {
    let with_length = |bytes: &[u8]| [&u16::try_from(bytes.len()).unwrap().to_be_bytes()[..], bytes].concat();
    let ciphers = [u16::from(suite.sym.kdf_id).to_be_bytes(), u16::from(suite.sym.aead_id).to_be_bytes()].concat();
    let mut contents = vec![7];
    contents.extend(u16::from(suite.kem).to_be_bytes());
    contents.extend(with_length(key));
    contents.extend(with_length(&ciphers));
    contents.push(0);
    contents.push(u8::try_from(name.len()).unwrap());
    contents.extend(name.as_bytes());
    contents.extend([0, 0]);
    let config = [&[0xfe, 0x0d][..], &with_length(&contents)].concat();
    EchConfigListBytes::from(with_length(&config))
}
