//! How TLS is spoken: versions, cipher suites, key exchange, resumed sessions, refused names.
#![allow(missing_docs, clippy::unwrap_used)]

mod support;

use std::{num::NonZeroU32, sync::Arc, time::Duration};

use rustls::{
    CipherSuite, ClientConfig, HandshakeKind, NamedGroup, SupportedProtocolVersion,
    crypto::aws_lc_rs::{self, default_provider, kx_group},
    version::{TLS12, TLS13},
};
use snapshot::{Ciphers, HostTls, Resumption, TicketKey, Tls12Suite, TlsVersions};
use support::{
    Backend, Client, Proxy, World,
    tls::{Spoken, try_handshake},
};
use tokio::{net::TcpStream, time::Instant};
use tokio_rustls::client::TlsStream;

async fn world() -> (World, Backend) {
    let backend = Backend::named("secret").await;
    let world = World::new()
        .route("a.example", "/", &[backend.address])
        .route("b.example", "/", &[backend.address])
        .cert("cert", &["a.example", "b.example"])
        .tls(&[("a.example", "cert"), ("b.example", "cert")], Some("cert"));
    (world, backend)
}

async fn handshake(proxy: &Proxy, name: &str, config: &Arc<ClientConfig>) -> TlsStream<TcpStream> {
    try_handshake(proxy.https(), name, config).await.unwrap()
}

fn config(spoken: Spoken) -> Arc<ClientConfig> {
    Arc::new(spoken.config().0)
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_versions_that_were_asked_for() {
    let (world, _backend) = world().await;
    let mut proxy = Proxy::start(&world).await;
    let cases =
        [(TlsVersions::Both, [true, true]), (TlsVersions::Tls12, [true, false]), (TlsVersions::Tls13, [false, true])];
    for (versions, expected) in cases {
        proxy.apply(&world.clone().tls_options(|tls| tls.versions = versions)).await;
        for (version, spoken) in [&TLS12, &TLS13].into_iter().zip(expected) {
            let result = try_handshake(proxy.https(), "a.example", &config(Spoken::version(version))).await;
            assert_eq!(result.is_ok(), spoken, "{versions:?} {version:?}");
        }
    }
}

fn suite(stream: &TlsStream<TcpStream>) -> CipherSuite {
    stream.get_ref().1.negotiated_cipher_suite().unwrap().suite()
}

/// A client of TLS 1.2 that wants ChaCha20 most.
fn chacha_first() -> Arc<ClientConfig> {
    let mut provider = default_provider();
    provider.cipher_suites = vec![
        aws_lc_rs::cipher_suite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
        aws_lc_rs::cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
        aws_lc_rs::cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    ];
    config(Spoken { provider, ..Spoken::version(&TLS12) })
}

#[tokio::test(flavor = "multi_thread")]
async fn the_order_of_suites_is_ours_unless_it_is_to_be_the_clients() {
    let (world, _backend) = world().await;
    let mut proxy = Proxy::start(&world).await;
    let client = chacha_first();
    let (aes128, aes256) = (Tls12Suite::EcdheEcdsaAes128Gcm, Tls12Suite::EcdheEcdsaAes256Gcm);
    let cases = [
        (Ciphers::default(), CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256),
        (
            Ciphers { suites: vec![aes256, aes128], server_order: true },
            CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
        ),
        (
            Ciphers { server_order: false, ..Ciphers::default() },
            CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
        ),
    ];
    for (ciphers, expected) in cases {
        proxy.apply(&world.clone().tls_options(|tls| tls.ciphers = ciphers.clone())).await;
        assert_eq!(suite(&handshake(&proxy, "a.example", &client).await), expected, "{ciphers:?}");
    }
    // None in common.
    let rsa = Ciphers { suites: vec![Tls12Suite::EcdheRsaAes128Gcm], server_order: true };
    proxy.apply(&world.tls_options(|tls| tls.ciphers = rsa.clone())).await;
    assert!(try_handshake(proxy.https(), "a.example", &client).await.is_err());
    assert!(try_handshake(proxy.https(), "a.example", &config(Spoken::default())).await.is_ok(), "TLS 1.3 has its own");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_has_its_own_suites() {
    let (world, _backend) = world().await;
    let own = Ciphers { suites: vec![Tls12Suite::EcdheEcdsaAes256Gcm], server_order: true };
    let proxy = Proxy::start(&world.host_tls("a.example", HostTls { ciphers: Some(own), client_auth: None })).await;
    let client = chacha_first();
    for (name, expected) in [
        ("a.example", CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384),
        ("A.Example", CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384),
        ("b.example", CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256),
        ("c.example", CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256),
        ("127.0.0.1", CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256),
    ] {
        let stream = handshake(&proxy, name, &client).await;
        assert_eq!(suite(&stream), expected, "{name}");
        assert_eq!(Client::new(stream).get("a.example", "/").await.text(), "secret");
    }
}

/// X25519MLKEM768, the hybrid that browsers offer, and the groups before it.
#[tokio::test(flavor = "multi_thread")]
async fn key_exchange_withstands_quantum_computers_where_the_client_does() {
    let (world, _backend) = world().await;
    let proxy = Proxy::start(&world).await;
    for (group, name) in [
        (kx_group::X25519MLKEM768, NamedGroup::X25519MLKEM768),
        (kx_group::X25519, NamedGroup::X25519),
        (kx_group::SECP256R1, NamedGroup::secp256r1),
    ] {
        let mut provider = default_provider();
        provider.kx_groups = vec![group];
        let stream = handshake(&proxy, "a.example", &config(Spoken { provider, ..Spoken::default() })).await;
        assert_eq!(stream.get_ref().1.negotiated_key_exchange_group().unwrap().name(), name);
    }
    let stream = handshake(&proxy, "a.example", &config(Spoken::default())).await;
    let group = stream.get_ref().1.negotiated_key_exchange_group().unwrap().name();
    assert_eq!(group, NamedGroup::X25519MLKEM768, "it is the most wanted one");
}

/// A handshake and a request, after which tickets have come. Returns whether the session was resumed.
async fn resumed(proxy: &Proxy, name: &str, config: &Arc<ClientConfig>) -> bool {
    let mut client = Client::new(handshake(proxy, name, config).await);
    assert_eq!(client.get("a.example", "/").await.text(), "secret");
    client.stream.get_ref().1.handshake_kind().unwrap() == HandshakeKind::Resumed
}

const VERSIONS: [&SupportedProtocolVersion; 2] = [&TLS12, &TLS13];
const LIFETIME: Duration = Duration::from_secs(600);

#[tokio::test(flavor = "multi_thread")]
async fn sessions_are_resumed_whichever_worker_has_the_connection() {
    let (world, _backend) = world().await;
    let sessions = Resumption::Sessions { most: NonZeroU32::new(100).unwrap(), lifetime: LIFETIME };
    for resumption in [Resumption::Tickets { lifetime: LIFETIME }, sessions] {
        let world = world.clone().tls_options(|tls| tls.resumption = resumption);
        let proxy = Proxy::with_workers(4, &world).await;
        for version in VERSIONS {
            let client = config(Spoken::version(version));
            assert!(!resumed(&proxy, "a.example", &client).await);
            for _ in 0..12 {
                assert!(resumed(&proxy, "a.example", &client).await, "{resumption:?} {version:?}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_session_is_resumed_where_none_is_to_be() {
    let (world, _backend) = world().await;
    let proxy = Proxy::start(&world.tls_options(|tls| tls.resumption = Resumption::Off)).await;
    for version in VERSIONS {
        let client = config(Spoken::version(version));
        for _ in 0..3 {
            assert!(!resumed(&proxy, "a.example", &client).await, "{version:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tickets_outlive_a_change() {
    let (world, _backend) = world().await;
    let mut world = world;
    let mut proxy = Proxy::start(&world).await;
    let client = config(Spoken::default());
    assert!(!resumed(&proxy, "a.example", &client).await);
    world.set_cert("cert", &["a.example", "b.example"]);
    proxy.apply(&world).await;
    assert!(resumed(&proxy, "a.example", &client).await, "another certificate");
    let own = HostTls { ciphers: Some(Ciphers { server_order: false, ..Ciphers::default() }), client_auth: None };
    proxy.apply(&world.host_tls("b.example", own)).await;
    assert!(resumed(&proxy, "a.example", &client).await, "another host's suites");
}

#[tokio::test(flavor = "multi_thread")]
async fn replicas_with_the_same_key_take_each_others_tickets() {
    let (mut world, _backend) = world().await;
    world.snapshot.ticket_key = Some(TicketKey::new(*b"a secret that two replicas share, of forty-eight"));
    let (here, there) = (Proxy::start(&world).await, Proxy::start(&world).await);
    world.snapshot.ticket_key = Some(TicketKey::new(*b"another one, that no other replica has ever seen"));
    let mut elsewhere = Proxy::start(&world).await;
    for version in VERSIONS {
        let client = config(Spoken::version(version));
        assert!(!resumed(&here, "a.example", &client).await);
        assert!(resumed(&there, "a.example", &client).await, "{version:?}");
        assert!(!resumed(&elsewhere, "a.example", &client).await, "{version:?}");
        assert!(resumed(&elsewhere, "a.example", &client).await, "{version:?}");
    }
    let client = config(Spoken::default());
    resumed(&elsewhere, "a.example", &client).await;
    world.snapshot.ticket_key = None;
    elsewhere.apply(&world).await;
    assert!(!resumed(&elsewhere, "a.example", &client).await, "another key ends what was sealed with the one before");
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_names_are_refused_where_they_are_to_be() {
    let (world, _backend) = world().await;
    let world = world.tls_options(|tls| tls.reject_unknown_names = true);
    let mut proxy = Proxy::start(&world).await;
    let client = config(Spoken::default());
    for (name, served) in [("a.example", true), ("b.EXAMPLE", true), ("c.example", false), ("127.0.0.1", false)] {
        assert_eq!(try_handshake(proxy.https(), name, &client).await.is_ok(), served, "{name}");
    }
    // A host that comes later is known at once.
    let backend = Backend::named("secret").await;
    proxy.apply(&world.route("c.example", "/", &[backend.address])).await;
    assert!(try_handshake(proxy.https(), "c.example", &client).await.is_ok());
}

/// Whoever says nothing, or not all, is left after `client-header-timeout`.
#[tokio::test(flavor = "multi_thread")]
async fn a_handshake_has_its_time() {
    let (world, _backend) = world().await;
    let limit = Duration::from_millis(300);
    let world = world.options(|http| http.header_timeout = limit);
    let own = HostTls { ciphers: Some(Ciphers { server_order: false, ..Ciphers::default() }), client_auth: None };
    for world in [world.clone(), world.host_tls("b.example", own)] {
        let proxy = Proxy::start(&world).await;
        // A record of 512 bytes that never comes whole.
        for begun in [&b""[..], b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"] {
            let began = Instant::now();
            let mut client = Client::connect(proxy.https()).await;
            client.send(begun).await;
            client.rest().await;
            assert!(began.elapsed() >= limit);
        }
    }
}
