//! Certificates of clients over the life of connections and sessions: other hosts, resumed sessions, changes.
#![allow(missing_docs, clippy::unwrap_used)]

mod support;

use std::sync::Arc;

use rustls::{
    HandshakeKind, NamedGroup,
    client::{
        ClientSessionMemoryCache, ClientSessionStore, Resumption, Tls12ClientSessionValue, Tls13ClientSessionValue,
    },
    pki_types::ServerName,
    version::TLS13,
};
use snapshot::VerifyClient;
use support::{
    Backend, Client, Proxy, World,
    h2::Http2,
    pki::{self, Ca, bundle, rule},
    private::{VERSIONS, config, connect, get, spoken, world},
    tls::{Spoken, try_handshake},
};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

/// A request may be for another host than the handshake: over HTTP/2 clients do so by themselves, where a certificate of
/// ours is for both.
#[tokio::test(flavor = "multi_thread")]
async fn a_connection_is_for_hosts_of_one_rule() {
    let (root, other) = (Ca::root("root"), Ca::root("other"));
    let (ca, other_ca) = (bundle("ca", &[root.der()], &[]), bundle("other", &[other.der()], &[]));
    let (world, backend) = world().await;
    let world = world
        .route("same.example", "/", &[backend.address])
        .route("optional.example", "/", &[backend.address])
        .route("other.example", "/", &[backend.address])
        .client_cert("private.example", rule(&ca, VerifyClient::Required))
        .client_cert("same.example", rule(&ca, VerifyClient::Required))
        .client_cert("optional.example", rule(&ca, VerifyClient::Optional))
        .client_cert("other.example", rule(&other_ca, VerifyClient::Required));
    let proxy = Proxy::start(&world).await;
    let identity = root.client(&pki::Client::named("a"));
    let cases = [
        ("private.example", "private.example", 200),
        ("private.example", "PRIVATE.example:443", 200),
        ("private.example", "same.example", 200),
        ("private.example", "optional.example", 421),
        ("private.example", "other.example", 421),
        ("private.example", "open.example", 421),
        ("private.example", "unknown.example", 421),
        ("optional.example", "private.example", 421),
        ("open.example", "private.example", 421),
        ("open.example", "open.example", 200),
        ("unknown.example", "private.example", 421),
        // Without a name.
        ("127.0.0.1", "private.example", 400),
        ("127.0.0.1", "open.example", 200),
    ];
    for (name, host, expected) in cases {
        let client = config(spoken(&TLS13, Some(&identity)));
        assert_eq!(connect(&proxy, name, &client).await.get(host, "/").await.status, expected, "{name} {host}");
        let client = config(Spoken { protocols: vec!["h2"], ..spoken(&TLS13, Some(&identity)) });
        let stream = try_handshake(proxy.https(), name, &client).await.unwrap();
        let mut http2 = Http2::over(stream).await;
        let own = if name.contains("127") { "open.example" } else { name };
        let first = http2.get(&format!("https://{own}/")).await.0;
        assert!([200, 404].contains(&first), "{name}: {first}");
        assert_eq!(http2.get(&format!("https://{host}/")).await.0, expected, "{name} {host} over HTTP/2");
        assert_eq!(http2.get(&format!("https://{own}/")).await.0, first, "the connection is still good");
    }
}

/// Where every other host wants a certificate, who names no host is asked; a host that wants none is still there for him.
#[tokio::test(flavor = "multi_thread")]
async fn a_rule_for_every_other_host() {
    let root = Ca::root("root");
    let (world, backend) = world().await;
    let world = world.route("", "/", &[backend.address]);
    let world = world.client_cert("*", rule(&bundle("ca", &[root.der()], &[]), VerifyClient::Required));
    let proxy = Proxy::start(&world).await;
    let identity = root.client(&pki::Client::named("a"));
    for (identity, expected) in [(None, 400), (Some(&identity), 200)] {
        for (name, host, expected) in [
            ("unknown.example", "unknown.example", expected),
            ("127.0.0.1", "unknown.example", expected),
            ("127.0.0.1", "open.example", 200),
            ("open.example", "open.example", 200),
            ("open.example", "unknown.example", 421),
        ] {
            let mut client = connect(&proxy, name, &config(spoken(&TLS13, identity))).await;
            assert_eq!(client.get(host, "/").await.status, expected, "{name} {host}");
        }
    }
}

/// Nobody without a certificate is told which paths there are.
#[tokio::test(flavor = "multi_thread")]
async fn what_there_is_is_told_to_those_who_get_in() {
    let root = Ca::root("root");
    let backend = Backend::named("secret").await;
    let world = World::new().route("private.example", "/known", &[backend.address]).tls(&[], None);
    let world = world.client_cert("private.example", rule(&bundle("ca", &[root.der()], &[]), VerifyClient::Required));
    let proxy = Proxy::start(&world).await;
    let identity = root.client(&pki::Client::named("a"));
    for (identity, expected) in [(None, [400, 400]), (Some(&identity), [200, 404])] {
        for (path, expected) in ["/known", "/unknown"].into_iter().zip(expected) {
            let mut client = connect(&proxy, "private.example", &config(spoken(&TLS13, identity))).await;
            assert_eq!(client.get("private.example", path).await.status, expected, "{path}");
        }
    }
}

/// Keeps sessions under one name, so that those of one host are offered to another.
#[derive(Debug)]
struct Indifferent(ClientSessionMemoryCache);

fn one() -> ServerName<'static> {
    ServerName::try_from("one.example").unwrap()
}

impl ClientSessionStore for Indifferent {
    fn set_kx_hint(&self, _: ServerName<'static>, group: NamedGroup) {
        self.0.set_kx_hint(one(), group);
    }

    fn kx_hint(&self, _: &ServerName<'_>) -> Option<NamedGroup> {
        self.0.kx_hint(&one())
    }

    fn set_tls12_session(&self, _: ServerName<'static>, value: Tls12ClientSessionValue) {
        self.0.set_tls12_session(one(), value);
    }

    fn tls12_session(&self, _: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        self.0.tls12_session(&one())
    }

    fn remove_tls12_session(&self, _: &ServerName<'static>) {
        self.0.remove_tls12_session(&one());
    }

    fn insert_tls13_ticket(&self, _: ServerName<'static>, value: Tls13ClientSessionValue) {
        self.0.insert_tls13_ticket(one(), value);
    }

    fn take_tls13_ticket(&self, _: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        self.0.take_tls13_ticket(&one())
    }
}

/// A session that was made at one host opens no other: not one with another CA, not one without any.
#[tokio::test(flavor = "multi_thread")]
async fn a_session_of_another_host_opens_nothing() {
    let (root, other) = (Ca::root("root"), Ca::root("other"));
    let (ca, other_ca) = (bundle("ca", &[root.der()], &[]), bundle("other", &[other.der()], &[]));
    let (world, backend) = world().await;
    let mut world = world
        .route("other.example", "/", &[backend.address])
        .client_cert("private.example", rule(&ca, VerifyClient::Required))
        .client_cert("other.example", rule(&other_ca, VerifyClient::Required));
    for key in [None, Some(snapshot::TicketKey::new(*b"a secret that two replicas share, of forty-eight"))] {
        world.snapshot.ticket_key = key;
        let proxy = Proxy::start(&world).await;
        for (version, from) in
            VERSIONS.into_iter().flat_map(|version| [(version, "other.example"), (version, "open.example")])
        {
            let identity = other.client(&pki::Client::named("a"));
            let mut config = spoken(version, Some(&identity)).config().0;
            config.resumption = Resumption::store(Arc::new(Indifferent(ClientSessionMemoryCache::new(8))));
            let config = Arc::new(config);
            let kind = |client: &Client<TlsStream<TcpStream>>| client.stream.get_ref().1.handshake_kind().unwrap();
            assert_eq!(connect(&proxy, from, &config).await.get(from, "/").await.status, 200);
            let mut again = connect(&proxy, from, &config).await;
            assert_eq!(kind(&again), HandshakeKind::Resumed, "{version:?} {from}");
            assert_eq!(again.get(from, "/").await.status, 200, "a resumed session has its certificate");
            let mut client = connect(&proxy, "private.example", &config).await;
            assert_ne!(kind(&client), HandshakeKind::Resumed, "{version:?} {from}");
            assert_eq!(client.get("private.example", "/").await.status, 400);
        }
    }
}

/// What was revoked since counts for sessions that are resumed, and for connections that are open.
#[tokio::test(flavor = "multi_thread")]
async fn revoked_is_revoked_at_the_next_request() {
    let root = Ca::root("root");
    let (world, _backend) = world().await;
    let with = |crl: Vec<u8>| {
        let rule = rule(&bundle("ca", &[root.der()], &[crl]), VerifyClient::Required);
        world.clone().client_cert("private.example", rule)
    };
    let mut proxy = Proxy::start(&with(root.crl(&[], 2120))).await;
    let identity = root.client(&pki::Client::named("a"));
    for version in VERSIONS {
        proxy.apply(&with(root.crl(&[], 2120))).await;
        let config = config(spoken(version, Some(&identity)));
        let mut open = connect(&proxy, "private.example", &config).await;
        assert_eq!(open.get("private.example", "/").await.status, 200);
        proxy.apply(&with(root.crl(&[8], 2120))).await;
        assert_eq!(open.get("private.example", "/").await.status, 200, "somebody else was");
        proxy.apply(&with(root.crl(&[7, 8], 2120))).await;
        assert_eq!(open.get("private.example", "/").await.status, 400);
        let mut resumed = connect(&proxy, "private.example", &config).await;
        assert_eq!(resumed.stream.get_ref().1.handshake_kind().unwrap(), HandshakeKind::Resumed);
        assert_eq!(resumed.get("private.example", "/").await.status, 400);
    }
}

/// A rule that comes or goes concerns connections that are open; those that it does not forbid go on.
#[tokio::test(flavor = "multi_thread")]
async fn a_rule_that_comes_or_goes() {
    let root = Ca::root("root");
    let ca = bundle("ca", &[root.der()], &[]);
    let (world, _backend) = world().await;
    let private = world.clone().client_cert("private.example", rule(&ca, VerifyClient::Required));
    let mut proxy = Proxy::start(&world).await;
    let client = config(spoken(&TLS13, Some(&root.client(&pki::Client::named("a")))));
    let (mut before, mut open) =
        (connect(&proxy, "private.example", &client).await, connect(&proxy, "open.example", &client).await);
    assert_eq!(before.get("private.example", "/").await.status, 200);
    assert_eq!(open.get("open.example", "/").await.status, 200);
    proxy.apply(&private).await;
    assert_eq!(open.get("open.example", "/").await.status, 200);
    let answer = before.get("private.example", "/").await;
    assert_eq!((answer.status, answer.header("connection")), (421, Some("close")));
    let mut within = connect(&proxy, "private.example", &client).await;
    assert_eq!(within.get("private.example", "/").await.status, 200);
    proxy.apply(&world).await;
    assert_eq!(within.get("private.example", "/").await.status, 200);
}

/// So many names that no handshake should carry them: they are not told, and everything goes on.
#[tokio::test(flavor = "multi_thread")]
async fn five_hundred_cas() {
    let cas: Vec<Ca> = (0..500).map(|number| Ca::root(&format!("ca-{number}"))).collect();
    let (world, _backend) = world().await;
    let certs: Vec<Vec<u8>> = cas.iter().map(Ca::der).collect();
    let mut bundle = bundle("ca", &certs, &[]);
    let mut proxy = Proxy::start(&world).await;
    let identity = cas[499].client(&pki::Client::named("a"));
    for tell_names in [true, false] {
        Arc::get_mut(&mut bundle).unwrap().tell_names = tell_names;
        let rule = rule(&bundle, VerifyClient::Required);
        let world = world.clone().client_cert("private.example", rule);
        proxy.apply(&world).await;
        drop(world);
        for version in VERSIONS {
            assert_eq!(get(&proxy, version, Some(&identity)).await.status, 200, "{version:?}");
            assert_eq!(get(&proxy, version, None).await.status, 400, "{version:?}");
        }
        bundle = support::pki::bundle("ca", &certs, &[]);
    }
}
