//! Certificates.
#![allow(missing_docs, clippy::unwrap_used)]

mod support;

use std::sync::Arc;

use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use snapshot::{HostHsts, Hsts, KeyFormat, PrivateKey, Report};
use support::{
    Backend, Client, Proxy, World,
    h2::Http2,
    tls::{Spoken, try_handshake},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::client::TlsStream;

/// A connection and the certificate that was shown.
async fn connect(
    proxy: &Proxy,
    name: &str,
    version: &'static rustls::SupportedProtocolVersion,
) -> (Client<TlsStream<TcpStream>>, Vec<u8>) {
    let (stream, leaf) = handshake(proxy, name, version, &["http/1.1"]).await;
    (Client::new(stream), leaf)
}

/// The same of a client that speaks these protocols.
async fn handshake(
    proxy: &Proxy,
    name: &str,
    version: &'static rustls::SupportedProtocolVersion,
    protocols: &[&'static str],
) -> (TlsStream<TcpStream>, Vec<u8>) {
    let spoken = Spoken { protocols: protocols.to_vec(), ..Spoken::version(version) };
    let (config, seen) = spoken.config();
    let stream = try_handshake(proxy.https(), name, &Arc::new(config)).await.unwrap();
    (stream, seen.leaf())
}

async fn shown(proxy: &Proxy, name: &str) -> Vec<u8> {
    connect(proxy, name, &rustls::version::TLS13).await.1
}

fn leaf(world: &World, id: &str) -> Vec<u8> {
    world.snapshot.certs.get(id).unwrap().chain[0].clone()
}

async fn world() -> (World, Backend) {
    let backend = Backend::named("secret").await;
    let world = World::new()
        .route("a.example", "/", &[backend.address])
        .cert("exact", &["a.example"])
        .cert("wild", &["*.example"])
        .cert("default", &["default"]);
    (world, backend)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_name_picks_the_certificate() {
    let (world, _backend) = world().await;
    let world = world.tls(&[("a.example", "exact"), ("*.example", "wild")], Some("default"));
    let proxy = Proxy::start(&world).await;
    for (name, cert) in [
        ("a.example", "exact"),
        ("A.Example", "exact"),
        ("b.example", "wild"),
        ("x.b.example", "default"),
        ("127.0.0.1", "default"),
    ] {
        assert!(shown(&proxy, name).await == leaf(&world, cert), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_are_served_in_both_versions() {
    let (world, backend) = world().await;
    let hsts = Hsts { max_age: 31_536_000, include_subdomains: true, preload: false };
    let world = world.tls(&[("a.example", "exact")], None).options(|http| http.hsts = Some(hsts));
    let proxy = Proxy::start(&world).await;
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let (mut client, _) = connect(&proxy, "a.example", version).await;
        for path in ["/", "/again"] {
            let answer = client.get("a.example", path).await;
            assert_eq!(answer.text(), "secret");
            assert_eq!(answer.header("strict-transport-security"), Some("max-age=31536000; includeSubDomains"));
        }
        assert!(client.get("other.example", "/").await.header("strict-transport-security").is_some());
    }
    let request = backend.requests().pop().unwrap();
    assert_eq!(request.header("x-forwarded-proto"), Some("https"));
    assert_eq!(request.header("x-forwarded-port"), Some("443"));
    assert_eq!(proxy.client().await.get("a.example", "/").await.header("strict-transport-security"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_may_have_hsts_of_its_own() {
    let (world, _backend) = world().await;
    let hsts = Hsts { max_age: 31_536_000, include_subdomains: true, preload: false };
    let world = world.tls(&[("a.example", "exact")], None).options(|http| http.hsts = Some(hsts));
    let mut proxy = Proxy::start(&world).await;
    let own = Hsts { max_age: 5, include_subdomains: false, preload: true };
    for (hsts, expected) in [(HostHsts::On(own), Some("max-age=5; preload")), (HostHsts::Off, None)] {
        proxy.apply(&world.clone().hsts("a.example", hsts)).await;
        let (mut client, _) = connect(&proxy, "a.example", &rustls::version::TLS13).await;
        for path in ["/", "/again"] {
            assert_eq!(client.get("a.example", path).await.header("strict-transport-security"), expected);
        }
        let other = client.get("other.example", "/").await;
        assert_eq!(other.header("strict-transport-security"), Some("max-age=31536000; includeSubDomains"));
        assert_eq!(proxy.client().await.get("a.example", "/").await.header("strict-transport-security"), None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn http2_is_spoken_with_who_asks_for_it() {
    let (world, backend) = world().await;
    let world = world.tls(&[("a.example", "exact")], None);
    let mut proxy = Proxy::start(&world).await;
    let agreed = |stream: &TlsStream<TcpStream>| stream.get_ref().1.alpn_protocol().map(<[u8]>::to_vec);
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let (stream, _) = handshake(&proxy, "a.example", version, &["http/1.1", "h2"]).await;
        assert_eq!(agreed(&stream).unwrap(), b"h2");
        let mut client = Http2::over(stream).await;
        assert_eq!(client.get("https://a.example/").await, (200, "secret".to_owned()));
        assert_eq!(backend.requests().pop().unwrap().header("x-forwarded-proto"), Some("https"));
        for protocols in [&["http/1.1"][..], &[]] {
            let (stream, _) = handshake(&proxy, "a.example", version, protocols).await;
            assert_ne!(agreed(&stream).unwrap_or_default(), b"h2");
            assert_eq!(Client::new(stream).get("a.example", "/").await.text(), "secret");
        }
    }
    proxy.apply(&world.options(|http| http.http2 = None)).await;
    let (stream, _) = handshake(&proxy, "a.example", &rustls::version::TLS13, &["h2", "http/1.1"]).await;
    assert_eq!(agreed(&stream).unwrap(), b"http/1.1");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_any_certificate_there_is_a_fake_one() {
    let (world, _backend) = world().await;
    let proxy = Proxy::start(&world.tls(&[], None)).await;
    let leaf = shown(&proxy, "a.example").await;
    let name = b"Kubernetes Ingress Controller Fake Certificate";
    assert!(leaf.windows(name.len()).any(|window| window == name));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_certificate_is_shown_at_the_next_handshake() {
    let (world, _backend) = world().await;
    let mut world = world.tls(&[("a.example", "exact")], None);
    let mut proxy = Proxy::start(&world).await;
    let (mut open, old) = connect(&proxy, "a.example", &rustls::version::TLS13).await;
    world.set_cert("exact", &["a.example"]);
    proxy.apply(&world).await;
    let new = shown(&proxy, "a.example").await;
    assert!(new == leaf(&world, "exact") && new != old);
    assert_eq!(open.get("a.example", "/").await.text(), "secret");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_is_refused_harms_its_own_host_alone() {
    let (world, _backend) = world().await;
    let mut world = world.tls(&[("a.example", "exact"), ("*.example", "wild")], Some("default"));
    world.put_cert("exact", &["a.example"], b"junk".to_vec(), b"junk".to_vec());
    world.snapshot.keys.remove("wild");
    let mut proxy = Proxy::idle(std::time::Duration::ZERO);
    let Report::Applied { rejected, .. } = proxy.apply(&world).await else { panic!("rejected as a whole") };
    let mut names: Vec<_> = rejected.iter().map(|item| item.origin.to_string()).collect();
    names.sort();
    assert_eq!(names, ["Secret default/exact", "Secret default/wild"]);
    for name in ["a.example", "b.example"] {
        let (mut client, shown) = connect(&proxy, name, &rustls::version::TLS13).await;
        assert!(shown == leaf(&world, "default"), "{name}");
        assert!(client.get("a.example", "/").await.status == 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_speak_tls_is_left() {
    let (world, _backend) = world().await;
    let proxy = Proxy::start(&world.tls(&[], None)).await;
    let mut client = Client::connect(proxy.https()).await;
    client.send("GET / HTTP/1.1\r\nhost: a.example\r\n\r\n").await;
    let text = client.rest().await;
    assert!(!text.contains("HTTP/1.1"), "{text}");
}

/// It is no request that was refused: whatever breaks under a connection is no client's line in the access log.
#[tokio::test(flavor = "multi_thread")]
async fn a_broken_record_is_no_refused_request() {
    let (world, _backend) = world().await;
    let proxy = Proxy::start(&world.tls(&[], Some("default"))).await;
    for protocol in ["h2", "http/1.1"] {
        let (mut stream, _) = handshake(&proxy, "a.example", &rustls::version::TLS13, &[protocol]).await;
        let raw = stream.get_mut().0;
        raw.write_all(b"not a record of TLS at all").await.unwrap();
        // Until the proxy has closed it.
        while raw.read(&mut [0; 1024]).await.is_ok_and(|count| count > 0) {}
    }
    assert_eq!(proxy.stop().await, "");
}

/// Keys in each of their encodings, as Secrets have them: made by openssl, for `A.example`.
#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_key_signs() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../controller/compile/tests/certs");
    let file = |name: &str| std::fs::read(folder.join(name)).unwrap();
    let (world, _backend) = world().await;
    let mut proxy = Proxy::start(&world).await;
    for (cert, key) in [
        ("rsa.crt", "rsa.pkcs8.key"),
        ("rsa.crt", "rsa.pkcs1.key"),
        ("ec384.crt", "ec384.pkcs8.key"),
        ("ec384.crt", "ec384.sec1.key"),
        ("ec521.crt", "ec521.pkcs8.key"),
        ("ed25519.crt", "ed25519.pkcs8.key"),
    ] {
        let der = CertificateDer::from_pem_slice(&file(cert)).unwrap().to_vec();
        let key_der = PrivateKeyDer::from_pem_slice(&file(key)).unwrap();
        let format = match &key_der {
            PrivateKeyDer::Pkcs1(_) => KeyFormat::Pkcs1,
            PrivateKeyDer::Sec1(_) => KeyFormat::Sec1,
            _ => KeyFormat::Pkcs8,
        };
        let mut world = world.clone();
        world.put_cert("exact", &["a.example"], der.clone(), Vec::new());
        let key_of_it = Arc::new(PrivateKey::new(format, key_der.secret_der()));
        world.snapshot.keys.insert("exact".into(), key_of_it);
        proxy.apply(&world.tls(&[("a.example", "exact")], None)).await;
        for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
            assert!(connect(&proxy, "a.example", version).await.1 == der, "{key} {version:?}");
        }
    }
}
