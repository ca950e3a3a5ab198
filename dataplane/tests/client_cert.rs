//! Certificates of clients: who gets in, who is told what, and what backends learn.
#![allow(missing_docs, clippy::unwrap_used)]

mod support;

use std::sync::Arc;

use rcgen::ExtendedKeyUsagePurpose;
use rustls::{
    ClientConfig, HandshakeKind, NamedGroup, SupportedProtocolVersion,
    client::{
        ClientSessionMemoryCache, ClientSessionStore, Resumption, Tls12ClientSessionValue, Tls13ClientSessionValue,
    },
    pki_types::ServerName,
    version::{TLS12, TLS13},
};
use snapshot::{Report, VerifyClient};
use support::{
    Answer, Backend, Client, Proxy, World,
    h2::Http2,
    pki::{self, Ca, Identity, bundle, rule},
    tls::{Spoken, try_handshake},
};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

const VERSIONS: [&SupportedProtocolVersion; 2] = [&TLS12, &TLS13];

/// `private.example` and `open.example`, with one certificate for both.
async fn world() -> (World, Backend) {
    let backend = Backend::named("secret").await;
    let world = World::new()
        .route("private.example", "/", &[backend.address])
        .route("open.example", "/", &[backend.address])
        .cert("cert", &["*.example"])
        .tls(&[("private.example", "cert"), ("open.example", "cert")], Some("cert"));
    (world, backend)
}

fn spoken(version: &'static SupportedProtocolVersion, identity: Option<&Identity>) -> Spoken {
    Spoken { identity: identity.cloned(), ..Spoken::version(version) }
}

fn config(spoken: Spoken) -> Arc<ClientConfig> {
    Arc::new(spoken.config().0)
}

async fn connect(proxy: &Proxy, name: &str, config: &Arc<ClientConfig>) -> Client<TlsStream<TcpStream>> {
    Client::new(try_handshake(proxy.https(), name, config).await.unwrap())
}

async fn get(proxy: &Proxy, version: &'static SupportedProtocolVersion, identity: Option<&Identity>) -> Answer {
    let mut client = connect(proxy, "private.example", &config(spoken(version, identity))).await;
    client.get("private.example", "/").await
}

async fn get_http2(proxy: &Proxy, version: &'static SupportedProtocolVersion, identity: Option<&Identity>) -> u16 {
    let config = config(Spoken { protocols: vec!["h2"], ..spoken(version, identity) });
    let stream = try_handshake(proxy.https(), "private.example", &config).await.unwrap();
    Http2::over(stream).await.get("https://private.example/").await.0
}

#[tokio::test(flavor = "multi_thread")]
async fn who_gets_in() {
    let root = Ca::root("root");
    let (between, other) = (root.below("between"), Ca::root("other"));
    let deep = between.below("deep");
    let ca = bundle("ca", &[root.der()], &[root.crl(&[666], 2120), between.crl(&[], 2120), deep.crl(&[], 2120)]);
    let client = |ca: &Ca| ca.client(&pki::Client::named("staff-1"));
    let identities: Vec<(&str, Option<Identity>, [u16; 3])> = vec![
        // What required, optional and optional without CA answer.
        ("none", None, [400, 200, 200]),
        ("right", Some(client(&root)), [200, 200, 200]),
        ("one in between", Some(client(&between)), [200, 200, 200]),
        ("two in between", Some(client(&deep)), [400, 400, 400]),
        ("wrong CA", Some(client(&other)), [400, 400, 200]),
        ("of the same name", Some(client(&Ca::root("root"))), [400, 400, 400]),
        (
            "expired",
            Some(root.client(&pki::Client { years: (2020, 2021), ..pki::Client::named("a") })),
            [400, 400, 400],
        ),
        (
            "not yet",
            Some(root.client(&pki::Client { years: (2119, 2120), ..pki::Client::named("a") })),
            [400, 400, 400],
        ),
        (
            "expired, of a wrong CA",
            Some(other.client(&pki::Client { years: (2020, 2021), ..pki::Client::named("a") })),
            [400, 400, 400],
        ),
        ("revoked", Some(root.client(&pki::Client { serial: 666, ..pki::Client::named("a") })), [400, 400, 400]),
        (
            "of a server",
            Some(root.client(&pki::Client { purpose: ExtendedKeyUsagePurpose::ServerAuth, ..pki::Client::named("a") })),
            [400, 400, 400],
        ),
    ];
    let (world, backend) = world().await;
    let mut proxy = Proxy::start(&world).await;
    let modes = [VerifyClient::Required, VerifyClient::Optional, VerifyClient::OptionalNoCa];
    for (at, verify) in modes.into_iter().enumerate() {
        proxy.apply(&world.clone().client_cert("private.example", rule(&ca, verify))).await;
        for version in VERSIONS {
            for (name, identity, expected) in &identities {
                let answer = get(&proxy, version, identity.as_ref()).await;
                assert_eq!(answer.status, expected[at], "{name} {verify:?} {version:?}");
                assert_eq!(answer.text() == "secret", expected[at] == 200);
                let status = get_http2(&proxy, version, identity.as_ref()).await;
                assert_eq!(status, expected[at], "{name} {verify:?} {version:?} over HTTP/2");
            }
        }
    }
    let refused: usize =
        identities.iter().flat_map(|(_, _, expected)| expected).filter(|status| **status != 200).count();
    assert_eq!(backend.requests().len(), (identities.len() * 3 - refused) * 4, "nobody else reached it");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_is_outdated_or_missing_lets_nobody_in() {
    let root = Ca::root("root");
    let between = root.below("between");
    let (world, _backend) = world().await;
    let mut proxy = Proxy::start(&world).await;
    let (direct, indirect) = (root.client(&pki::Client::named("a")), between.client(&pki::Client::named("b")));
    for (crls, expected) in [
        (vec![], [200, 200]),
        (vec![root.crl(&[], 2022)], [400, 400]),
        (vec![root.crl(&[], 2120)], [200, 400]),
        (vec![root.crl(&[], 2120), between.crl(&[], 2120)], [200, 200]),
        (vec![root.crl(&[], 2120), between.crl(&[7], 2120)], [200, 400]),
    ] {
        let ca = bundle("ca", &[root.der()], &crls);
        proxy.apply(&world.clone().client_cert("private.example", rule(&ca, VerifyClient::Required))).await;
        for (identity, expected) in [&direct, &indirect].into_iter().zip(expected) {
            assert_eq!(get(&proxy, &TLS13, Some(identity)).await.status, expected, "{} lists", crls.len());
        }
    }
}

/// A CA that has expired vouches for nobody; what stands in between may come from the Secret; one without a root is
/// trusted itself.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_bundle_may_hold() {
    let (root, expired) = (Ca::root("root"), Ca::valid("expired", (2020, 2021)));
    let between = root.below("between");
    let (mut bare, key) = between.client(&pki::Client::named("a"));
    bare.truncate(1);
    let bare = (bare, key);
    let (world, _backend) = world().await;
    let mut proxy = Proxy::start(&world).await;
    let cases = [
        (vec![expired.der()], expired.client(&pki::Client::named("a")), 400),
        (vec![root.der()], bare.clone(), 400),
        (vec![between.der(), root.der()], bare.clone(), 200),
        (vec![between.der()], bare, 200),
        (vec![expired.der(), root.der()], root.client(&pki::Client::named("a")), 200),
    ];
    for (at, (certs, identity, expected)) in cases.into_iter().enumerate() {
        let rule = rule(&bundle("ca", &certs, &[]), VerifyClient::Required);
        proxy.apply(&world.clone().client_cert("private.example", rule)).await;
        assert_eq!(get(&proxy, &TLS13, Some(&identity)).await.status, expected, "case {at}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bundle_that_cannot_be_used_lets_nobody_in() {
    let root = Ca::root("root");
    let identity = root.client(&pki::Client::named("a"));
    let (world, _backend) = world().await;
    let mut proxy = Proxy::start(&world).await;
    for broken in [bundle("ca", &[root.der(), b"junk".to_vec()], &[]), bundle("ca", &[root.der()], &[b"junk".to_vec()])]
    {
        let world = world.clone().client_cert("private.example", rule(&broken, VerifyClient::Required));
        let Report::Applied { rejected, .. } = proxy.apply(&world).await else { panic!("rejected as a whole") };
        let named: Vec<String> = rejected.iter().map(|item| item.origin.to_string()).collect();
        assert_eq!(named, ["Secret default/ca"]);
        assert_eq!(get(&proxy, &TLS13, Some(&identity)).await.status, 400);
        let mut open = connect(&proxy, "open.example", &config(Spoken::default())).await;
        assert_eq!(open.get("open.example", "/").await.status, 200, "the others go on");
    }
}

/// The bytes of a request that claims to come with a certificate.
const CLAIMS: &str = "GET / HTTP/1.1\r\nHost: private.example\r\nSSL-Client-Verify: SUCCESS\r\n\
                      ssl-client-subject-dn: CN=root\r\nssl-client-issuer-dn: CN=root\r\nssl-client-cert: x\r\n\
                      Connection: ssl-client-verify, ssl-client-subject-dn, ssl-client-cert\r\n\r\n";

/// What the backend was told of the client's certificate: verify, subject, issuer, certificate.
fn told(backend: &Backend) -> [Option<String>; 4] {
    let request = backend.requests().pop().unwrap();
    ["ssl-client-verify", "ssl-client-subject-dn", "ssl-client-issuer-dn", "ssl-client-cert"]
        .map(|name| request.header(name).map(str::to_owned))
}

#[tokio::test(flavor = "multi_thread")]
async fn backends_are_told_by_us_and_by_nobody_else() {
    let (root, other) = (Ca::root("root"), Ca::root("other"));
    let ca = bundle("ca", &[root.der()], &[]);
    let staff = |ca: &Ca| ca.client(&pki::Client::named("staff-1"));
    let (right, wrong) = (staff(&root), staff(&other));
    let (world, backend) = world().await;
    let mut proxy = Proxy::start(&world).await;
    let mut rule = rule(&ca, VerifyClient::OptionalNoCa);
    let subject = Some("CN=staff-1,O=Staff\\, Inc.");
    let cases = [
        (Some(&right), Some("SUCCESS"), subject, Some("CN=root,O=")),
        (Some(&wrong), Some("FAILED:unable to get local issuer certificate"), subject, Some("CN=other,O=")),
        (None, Some("NONE"), None, None),
    ];
    for pass in [false, true] {
        rule.pass_certificate = pass;
        proxy.apply(&world.clone().client_cert("private.example", rule.clone())).await;
        for (identity, verify, subject, issuer) in cases {
            let client = config(spoken(&TLS13, identity));
            let mut client = connect(&proxy, "private.example", &client).await;
            client.send(CLAIMS).await;
            assert_eq!(client.answer().await.status, 200);
            let [told_verify, told_subject, told_issuer, cert] = told(&backend);
            assert_eq!((told_verify.as_deref(), told_subject.as_deref()), (verify, subject));
            let cn = |name: Option<&str>| name.and_then(|name| name.split(',').next()).map(str::to_owned);
            assert_eq!(cn(told_issuer.as_deref()), cn(issuer));
            assert_eq!(cert.is_some(), pass && identity.is_some());
            if let (Some(cert), Some((chain, _))) = (cert, identity) {
                assert!(pem_of(&cert) == chain[0], "it is the client's own");
            }
        }
    }
    // In the clear nobody can be asked, and nobody is believed.
    let mut client = proxy.client().await;
    client.send(CLAIMS).await;
    assert_eq!(client.answer().await.status, 200);
    assert_eq!(told(&backend), [None, None, None, None]);
}

fn pem_of(escaped: &str) -> Vec<u8> {
    use base64::{Engine, engine::general_purpose::STANDARD};
    let pem = [("%20", " "), ("%0A", "\n"), ("%2B", "+"), ("%2F", "/"), ("%3D", "=")];
    let pem = pem.iter().fold(escaped.to_owned(), |text, (code, plain)| text.replace(code, plain));
    assert!(pem.starts_with("-----BEGIN CERTIFICATE-----\n") && pem.ends_with("\n-----END CERTIFICATE-----\n"));
    let lines: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    STANDARD.decode(lines).unwrap()
}

/// `auth-tls-verify-client: off`: nobody is asked, but the backend can rely on what it is told.
#[tokio::test(flavor = "multi_thread")]
async fn where_nobody_is_asked_nobody_is_believed() {
    let (world, backend) = world().await;
    let off = snapshot::ClientCertRule { auth: None, ..rule(&bundle("ca", &[], &[]), VerifyClient::Required) };
    let proxy = Proxy::start(&world.client_cert("private.example", off)).await;
    let identity = Ca::root("a").client(&pki::Client::named("a"));
    let mut client = connect(&proxy, "private.example", &config(spoken(&TLS13, Some(&identity)))).await;
    client.send(CLAIMS).await;
    assert_eq!(client.answer().await.status, 200);
    assert_eq!(told(&backend), [Some("NONE".to_owned()), None, None, None]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_subject_must_be_the_right_one() {
    let root = Ca::root("root");
    let (world, _backend) = world().await;
    let wanted = Some("CN=staff-\\d+,".into());
    let rule =
        snapshot::ClientCertRule { subject: wanted, ..rule(&bundle("ca", &[root.der()], &[]), VerifyClient::Optional) };
    let proxy = Proxy::start(&world.client_cert("private.example", rule)).await;
    for (name, status) in [("staff-1", 200), ("staff-x", 403), ("guest", 403)] {
        let identity = root.client(&pki::Client::named(name));
        assert_eq!(get(&proxy, &TLS13, Some(&identity)).await.status, status, "{name}");
    }
    assert_eq!(get(&proxy, &TLS13, None).await.status, 403);
    assert_eq!(proxy.client().await.get("private.example", "/").await.status, 403, "in the clear too");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_page_is_where_those_go_who_do_not_get_in() {
    let (root, other) = (Ca::root("root"), Ca::root("other"));
    let (world, _backend) = world().await;
    let page = "https://help.example/certificates?a=b";
    let rule = snapshot::ClientCertRule {
        error_page: Some(page.into()),
        ..rule(&bundle("ca", &[root.der()], &[]), VerifyClient::Required)
    };
    let proxy = Proxy::start(&world.client_cert("private.example", rule)).await;
    let wrong = other.client(&pki::Client::named("a"));
    for identity in [None, Some(&wrong)] {
        let answer = get(&proxy, &TLS13, identity).await;
        assert_eq!((answer.status, answer.header("location")), (302, Some(page)));
    }
    let right = root.client(&pki::Client::named("a"));
    assert_eq!(get(&proxy, &TLS13, Some(&right)).await.status, 200);
}

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
