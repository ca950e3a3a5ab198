//! TLS to backends: whose certificate is taken, who is shown which, and who shares what.
#![allow(missing_docs, clippy::unwrap_used)]

mod support;

use std::{sync::Arc, time::Duration};

use rustls::version::{TLS12, TLS13};
use snapshot::{Origin, Report, Tls12Suite, TlsVersions, TlsWhen, TrustAnchors, UpstreamTls, Verification};
use support::{
    Backend, Proxy, World,
    h2::{Http2, full, get},
    read_request,
    tls_backend::{Authority, Handshake, Leaf, Speaks, TlsBackend, self_signed},
    within,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const NAME: &str = "web.default.svc";

/// As `backend-protocol: HTTPS` alone asks for.
fn unchecked() -> UpstreamTls {
    UpstreamTls {
        when: TlsWhen::Always,
        name: NAME.into(),
        send_name: false,
        versions: TlsVersions::Both,
        suites: Tls12Suite::ALL.to_vec(),
        verify: None,
        identity: None,
    }
}

fn checked(anchor: Vec<u8>) -> UpstreamTls {
    let anchors = TrustAnchors {
        origin: Arc::new(Origin::new("Secret", "default", "ca")),
        fingerprint: format!("{:?}", &anchor).into(),
        certificates: vec![anchor],
    };
    UpstreamTls { verify: Some(Verification { anchors: Arc::new(anchors), depth: 1 }), ..unchecked() }
}

fn deep(mut tls: UpstreamTls, depth: u32) -> UpstreamTls {
    tls.verify.as_mut().unwrap().depth = depth;
    tls
}

fn world(backend: &TlsBackend, tls: &UpstreamTls) -> World {
    World::new().route("a.example", "/", &[backend.address]).upstream_tls(tls)
}

/// The certificate that a backend is shown, under this name.
fn shown(world: &mut World, name: &str, leaf: &Leaf) {
    world.put_cert(name, &[name], leaf.chain[0].clone(), leaf.key.clone());
}

fn failures(proxy: &Proxy, reason: &str) -> f64 {
    proxy.metric("tidegate_upstream_tls_failures_total", &format!("reason=\"{reason}\""))
}

/// Who the backend is, what is asked of it, and why that fails, if it does.
struct Case(&'static str, Leaf, UpstreamTls, Option<&'static str>);

#[tokio::test(flavor = "multi_thread")]
async fn a_backend_is_taken_for_what_its_certificate_says() {
    let (ours, other) = (Authority::new(), Authority::new());
    let (middle, lower) = (ours.intermediate(), ours.intermediate().intermediate());
    let expired = |params: &mut rcgen::CertificateParams| {
        params.not_before = rcgen::date_time_ymd(2019, 1, 1);
        params.not_after = rcgen::date_time_ymd(2020, 1, 1);
    };
    let later = |params: &mut rcgen::CertificateParams| params.not_before = rcgen::date_time_ymd(2100, 1, 1);
    let (own, named) = (self_signed(NAME), self_signed("other.svc"));
    let address = UpstreamTls { name: "127.0.0.1".into(), ..checked(ours.der()) };
    for Case(what, leaf, tls, reason) in [
        Case("unchecked: another's and expired", other.issue_with("other.svc", expired), unchecked(), None),
        Case("right", ours.issue(NAME), checked(ours.der()), None),
        Case("wildcard", ours.issue("*.default.svc"), checked(ours.der()), None),
        Case("right by address", ours.issue("127.0.0.1"), address.clone(), None),
        Case("another address", ours.issue("127.0.0.2"), address, Some("certificate")),
        Case("another name", ours.issue("other.svc"), checked(ours.der()), Some("certificate")),
        Case("another CA", other.issue(NAME), checked(ours.der()), Some("certificate")),
        Case("expired", ours.issue_with(NAME, expired), checked(ours.der()), Some("certificate")),
        Case("not yet valid", ours.issue_with(NAME, later), checked(ours.der()), Some("certificate")),
        Case("one between, one allowed", middle.issue(NAME), checked(ours.der()), None),
        Case("two between, one allowed", lower.issue(NAME), checked(ours.der()), Some("certificate")),
        Case("two between, two allowed", lower.issue(NAME), deep(checked(ours.der()), 2), None),
        Case("trusted itself", own.clone(), checked(own.chain[0].clone()), None),
        Case("trusted itself, another name", named.clone(), checked(named.chain[0].clone()), Some("certificate")),
        Case("signed itself, not trusted", own, checked(ours.der()), Some("certificate")),
    ] {
        let backend = TlsBackend::start(Speaks::with(leaf)).await;
        let proxy = Proxy::start(&world(&backend, &tls)).await;
        let answer = proxy.client().await.get("a.example", "/").await;
        assert_eq!(answer.status, if reason.is_none() { 200 } else { 502 }, "{what}");
        assert_eq!(backend.requests().len(), usize::from(reason.is_none()), "{what}");
        if let Some(reason) = reason {
            assert!(failures(&proxy, reason) > 0.0, "{what}\n{}", proxy.metrics());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_and_suites_are_those_that_are_asked_for() {
    let ca = Authority::new();
    let only = |suite| UpstreamTls { suites: vec![suite], ..unchecked() };
    let with = |versions| UpstreamTls { versions, ..unchecked() };
    for (version, tls, status) in [
        (&TLS12, with(TlsVersions::Both), 200),
        (&TLS12, with(TlsVersions::Tls13), 502),
        (&TLS13, with(TlsVersions::Tls12), 502),
        (&TLS13, with(TlsVersions::Tls13), 200),
        // The certificate has a key of ECDSA.
        (&TLS12, only(Tls12Suite::EcdheEcdsaChacha20), 200),
        (&TLS12, only(Tls12Suite::EcdheRsaAes128Gcm), 502),
    ] {
        let backend = TlsBackend::start(Speaks { version: Some(version), ..Speaks::with(ca.issue(NAME)) }).await;
        let proxy = Proxy::start(&world(&backend, &tls)).await;
        assert_eq!(proxy.client().await.get("a.example", "/").await.status, status, "{version:?} {tls:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backend_that_asks_is_shown_our_certificate() {
    let (ca, clients, strangers) = (Authority::new(), Authority::new(), Authority::new());
    let (right, wrong) = (clients.issue("proxy"), strangers.issue("proxy"));
    for version in [&TLS12, &TLS13] {
        let speaks = Speaks { version: Some(version), clients: Some(clients.der()), ..Speaks::with(ca.issue(NAME)) };
        for (identity, status) in [(Some(&right), 200), (Some(&wrong), 502), (None, 502)] {
            let backend = TlsBackend::start(speaks.clone()).await;
            let tls = UpstreamTls { identity: identity.map(|_| "proxy".into()), ..unchecked() };
            let mut world = world(&backend, &tls);
            if let Some(leaf) = identity {
                shown(&mut world, "proxy", leaf);
            }
            let proxy = Proxy::start(&world).await;
            assert_eq!(proxy.client().await.get("a.example", "/").await.status, status, "{version:?}");
            let seen = backend.handshakes().pop().and_then(|handshake| handshake.client);
            assert_eq!(seen.is_some(), status == 200);
            if status != 200 && version.version == rustls::ProtocolVersion::TLSv1_2 {
                // In TLS 1.3 what the backend says of it may be lost with the connection.
                assert_eq!(failures(&proxy, "refused"), 1.0, "{}", proxy.metrics());
            }
        }
    }
}

/// What is not sent by one endpoint is sent by the other, whatever the method.
#[tokio::test(flavor = "multi_thread")]
async fn another_endpoint_is_tried() {
    let (ca, other) = (Authority::new(), Authority::new());
    let good = TlsBackend::start(Speaks::with(ca.issue(NAME))).await;
    let bad = TlsBackend::start(Speaks::with(other.issue(NAME))).await;
    let world = World::new().route("a.example", "/", &[good.address, bad.address]);
    let proxy = Proxy::start(&world.upstream_tls(&checked(ca.der()))).await;
    for _ in 0..4 {
        let mut client = proxy.client().await;
        client.send("POST / HTTP/1.1\r\nhost: a.example\r\ncontent-length: 3\r\n\r\nabc").await;
        let answer = client.answer().await;
        assert_eq!((answer.status, answer.text()), (200, "3"));
    }
    assert_eq!((good.requests().len(), bad.requests().len()), (4, 0));
    assert!(failures(&proxy, "certificate") >= 1.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handshake_has_the_time_of_a_connect() {
    let silent = Backend::raw(|mut stream, _| async move {
        stream.read_to_end(&mut Vec::new()).await.ok();
    })
    .await;
    let plain = Backend::raw(|mut stream, _| async move {
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n").await.unwrap();
        stream.read_to_end(&mut Vec::new()).await.ok();
    })
    .await;
    for (address, seconds, status) in [(silent.address, 1, 504), (plain.address, 20, 502)] {
        let world = World::new().route("a.example", "/", &[address]).upstream_tls(&unchecked());
        let proxy = Proxy::start(&world.timeouts(|timeouts| timeouts.connect = Duration::from_secs(seconds))).await;
        assert_eq!(proxy.client().await.get("a.example", "/").await.status, status);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_name_is_sent_where_it_is_wanted() {
    let ca = Authority::new();
    for (send_name, name, expected) in [
        (false, NAME, None),
        (true, NAME, Some(NAME)),
        (true, "127.0.0.1", None),
        (true, "x.example", Some("x.example")),
    ] {
        let backend = TlsBackend::start(Speaks::with(ca.issue(NAME))).await;
        let tls = UpstreamTls { send_name, name: name.into(), ..unchecked() };
        let proxy = Proxy::start(&world(&backend, &tls)).await;
        assert_eq!(proxy.client().await.get("a.example", "/").await.status, 200);
        let Handshake { name: seen, alpn, .. } = backend.handshakes().pop().unwrap();
        assert_eq!((seen.as_deref(), alpn.as_deref()), (expected, Some(&b"http/1.1"[..])), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_are_kept_and_never_shared_between_identities() {
    let (ca, clients) = (Authority::new(), Authority::new());
    let backend = TlsBackend::start(Speaks { clients: Some(clients.der()), ..Speaks::with(ca.issue(NAME)) }).await;
    let mut world =
        World::new().route("a.example", "/", &[backend.address]).route("b.example", "/", &[backend.address]);
    let (a, b) = (clients.issue("a"), clients.issue("b"));
    shown(&mut world, "a", &a);
    shown(&mut world, "b", &b);
    for upstream in world.snapshot.upstreams.values_mut() {
        let identity = if upstream.service.contains("a-example") { "a" } else { "b" };
        Arc::make_mut(upstream).tls = Some(Arc::new(UpstreamTls { identity: Some(identity.into()), ..unchecked() }));
    }
    let mut proxy = Proxy::with_workers(1, &world).await;
    let mut client = proxy.client().await;
    for _ in 0..3 {
        for host in ["a.example", "b.example"] {
            assert_eq!(client.get(host, "/").await.status, 200);
        }
    }
    let who = |backend: &TlsBackend| backend.handshakes().into_iter().map(|h| h.client.unwrap()).collect::<Vec<_>>();
    assert_eq!(who(&backend), [a.chain[0].clone(), b.chain[0].clone()]);

    // Another certificate under the same name is another identity: what was opened with the old one is not used.
    let new = clients.issue("a");
    shown(&mut world, "a", &new);
    proxy.apply(&world).await;
    assert_eq!(client.get("a.example", "/").await.status, 200);
    assert_eq!(client.get("b.example", "/").await.status, 200);
    assert_eq!(who(&backend)[2..], [new.chain[0].clone()]);

    // One that cannot be used is no identity at all: nothing is sent, least of all without it.
    world.put_cert("a", &["a"], b"junk".to_vec(), b"junk".to_vec());
    let Report::Applied { rejected, .. } = proxy.apply(&world).await else { panic!("rejected as a whole") };
    assert!(
        rejected.iter().any(|item| item.origin.to_string().starts_with("Service default/a-example")),
        "{rejected:?}"
    );
    assert_eq!(client.get("a.example", "/").await.status, 503);
    assert_eq!(client.get("b.example", "/").await.status, 200);
    assert_eq!((backend.handshakes().len(), backend.requests().len()), (3, 9));
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_are_taken_up_again_at_their_endpoint() {
    let ca = Authority::new();
    for version in [&TLS12, &TLS13] {
        let speaks = Speaks { version: Some(version), ..Speaks::with(ca.issue(NAME)) };
        let one = TlsBackend::with(speaks.clone(), "connection: close\r\n").await;
        let other = TlsBackend::with(speaks, "connection: close\r\n").await;
        let world = World::new().route("a.example", "/", &[one.address, other.address]);
        let proxy = Proxy::with_workers(1, &world.upstream_tls(&checked(ca.der()))).await;
        let mut client = proxy.client().await;
        for _ in 0..6 {
            assert_eq!(client.get("a.example", "/").await.status, 200);
        }
        for backend in [one, other] {
            let resumed: Vec<_> = backend.handshakes().iter().map(|handshake| handshake.resumed).collect();
            assert_eq!(resumed, [false, true, true], "{version:?}");
        }
    }
}

/// Speaks both, and says which it was.
async fn both(ca: &Authority) -> Backend {
    let acceptor = Speaks::with(ca.issue(NAME)).acceptor();
    Backend::raw(move |stream, _| {
        let acceptor = acceptor.clone();
        async move {
            let mut first = [0];
            stream.peek(&mut first).await.unwrap();
            let tls = b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\ntls";
            let clear = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nclear";
            if first == [22] {
                let mut stream = acceptor.accept(stream).await.unwrap();
                while read_request(&mut stream).await.is_some() {
                    stream.write_all(tls).await.unwrap();
                }
            } else {
                let mut stream = stream;
                while read_request(&mut stream).await.is_some() {
                    stream.write_all(clear).await.unwrap();
                }
            }
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_client_speaks_is_spoken_where_that_is_asked_for() {
    let backend = both(&Authority::new()).await;
    let tls = UpstreamTls { when: TlsWhen::ClientDoes, ..unchecked() };
    let world = World::new().route("a.example", "/", &[backend.address]).upstream_tls(&tls);
    let world = world.cert("own", &["a.example"]).tls(&[("a.example", "own")], None);
    let proxy = Proxy::with_workers(1, &world).await;
    let mut secure = support::tls_client(&proxy, &world.snapshot.certs.get("own").unwrap().chain[0], b"http/1.1").await;
    let mut clear = proxy.client().await;
    for _ in 0..2 {
        assert_eq!(clear.get("a.example", "/").await.text(), "clear");
        assert_eq!(secure.get("a.example", "/").await.text(), "tls");
    }
    assert_eq!(backend.connections(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn http2_is_spoken_over_tls_too() {
    let ca = Authority::new();
    let acceptor = Speaks::with(ca.issue(NAME)).acceptor();
    let backend = Backend::raw(move |stream, _| {
        let acceptor = acceptor.clone();
        async move {
            let stream = acceptor.accept(stream).await.unwrap();
            let alpn = stream.get_ref().1.alpn_protocol().map(<[u8]>::to_vec);
            let service = hyper::service::service_fn(move |request: http::Request<hyper::body::Incoming>| {
                let text = format!("{} {:?}", request.uri(), alpn.as_deref().map(std::str::from_utf8));
                async move { Ok::<_, std::convert::Infallible>(http::Response::new(full(text))) }
            });
            let builder = hyper::server::conn::http2::Builder::new(hyper_util::rt::TokioExecutor::new());
            builder.serve_connection(hyper_util::rt::TokioIo::new(stream), service).await.ok();
        }
    })
    .await;
    let world = World::new().route("a.example", "/", &[backend.address]).protocol(snapshot::Protocol::Http2);
    let proxy = Proxy::with_workers(1, &world.clone().upstream_tls(&checked(ca.der()))).await;
    let mut client = Http2::connect(proxy.http()).await;
    for _ in 0..3 {
        let seen = "https://a.example/x Some(Ok(\"h2\"))";
        assert_eq!(client.get("http://a.example/x").await, (200, seen.to_owned()));
    }
    assert_eq!(backend.connections(), 1);
    // Everybody who waits for a connection that cannot be had fails with it.
    let other = checked(Authority::new().der());
    let proxy = Proxy::start(&world.upstream_tls(&other)).await;
    let mut client = Http2::connect(proxy.http()).await;
    assert_eq!(client.send(get("http://a.example/x")).await.unwrap().status(), 502);
    assert!(failures(&proxy, "certificate") >= 1.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn large_bodies_and_tunnels_pass() {
    let ca = Authority::new();
    let backend = TlsBackend::start(Speaks::with(ca.issue(NAME))).await;
    let proxy = Proxy::start(&world(&backend, &checked(ca.der())).max_body(None)).await;
    let mut client = proxy.client().await;
    client.send("POST / HTTP/1.1\r\nhost: a.example\r\ncontent-length: 4000000\r\n\r\n").await;
    client.send(vec![b'x'; 4_000_000]).await;
    assert_eq!(client.answer().await.text(), "4000000");

    let acceptor = Speaks::with(ca.issue(NAME)).acceptor();
    let echo = Backend::raw(move |stream, _| {
        let acceptor = acceptor.clone();
        async move {
            let mut stream = acceptor.accept(stream).await.unwrap();
            read_request(&mut stream).await.unwrap();
            let switch = b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n";
            stream.write_all(switch).await.unwrap();
            let (mut reader, mut writer) = tokio::io::split(stream);
            tokio::io::copy(&mut reader, &mut writer).await.ok();
        }
    })
    .await;
    let world = World::new().route("a.example", "/", &[echo.address]).upstream_tls(&checked(ca.der()));
    let proxy = Proxy::start(&world).await;
    let mut client = proxy.client().await;
    client.send("GET / HTTP/1.1\r\nhost: a.example\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n").await;
    assert!(client.head().await.starts_with("HTTP/1.1 101 "));
    let text = "back and forth ".repeat(100_000);
    let (mut reader, mut writer) = client.stream.into_split();
    let sent = text.clone();
    let writing = tokio::spawn(async move {
        writer.write_all(sent.as_bytes()).await.unwrap();
        writer
    });
    let mut back = client.unread;
    within("the echo", async {
        while back.len() < text.len() {
            assert!(reader.read_buf(&mut back).await.unwrap() > 0);
        }
    })
    .await;
    assert!(back == text.as_bytes());
    drop(writing.await.unwrap());
}
