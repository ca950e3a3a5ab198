//! Clients whose address stands in a PROXY header.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

mod support;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use proxy_header::{ProxiedAddress, ProxyHeader};
use support::{Backend, Client, Echo, Proxy, World, eventually, tls, within};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;

const CLIENT: &str = "192.0.2.7:5000";
const ASKED: &str = "198.51.100.1:80";

fn header(client: &str, destination: &str, version: u8) -> Vec<u8> {
    let addresses = ProxiedAddress::stream(client.parse().unwrap(), destination.parse().unwrap());
    let (header, mut bytes) = (ProxyHeader::with_address(addresses), Vec::new());
    if version == 1 { header.encode_v1(&mut bytes) } else { header.encode_v2(&mut bytes) }.unwrap();
    bytes
}

async fn connect(address: SocketAddr, bytes: &[u8]) -> TcpStream {
    let mut stream = within("a connection", TcpStream::connect(address)).await.unwrap();
    stream.set_nodelay(true).unwrap();
    stream.write_all(bytes).await.unwrap();
    stream
}

/// A backend of HTTP at a.example, one of TCP that is told whose connections it gets, and TLS; all behind a proxy whose
/// headers are believed.
async fn world() -> (World, Backend, Backend) {
    let (web, echo) = (Backend::named("x").await, Echo::start().await);
    let world = World::new()
        .route("a.example", "/", &[web.address])
        .cert("a", &["a.example"])
        .tls(&[("a.example", "a")], None)
        .tcp("echo", &[echo.address])
        .tcp_services(|tcp| tcp.send_proxy_header = true)
        .proxy_protocol(&["127.0.0.0/8"]);
    (world, web, echo)
}

#[tokio::test(flavor = "multi_thread")]
async fn names_the_client_of_http() {
    let (world, web, _) = world().await;
    let proxy = Proxy::start(&world).await;
    let v6 = ("[2001:db8::7]:5000", "[2001:db8::1]:8080");
    for (version, (client, asked)) in [(1, (CLIENT, ASKED)), (2, (CLIENT, ASKED)), (1, v6), (2, v6)] {
        // With the request right behind it: not a byte too many is taken.
        let request = b"GET / HTTP/1.1\r\nhost: a.example\r\n\r\n";
        let mut stream =
            Client::new(connect(proxy.http(), &[header(client, asked, version), request.to_vec()].concat()).await);
        assert_eq!(stream.answer().await.text(), "x");
        assert_eq!(stream.get("a.example", "/again").await.text(), "x");
        for received in web.requests().iter().rev().take(2) {
            let (client, asked): (SocketAddr, SocketAddr) = (client.parse().unwrap(), asked.parse().unwrap());
            assert_eq!(received.header("x-real-ip").unwrap(), client.ip().to_string());
            assert_eq!(received.header("x-forwarded-for").unwrap(), client.ip().to_string());
            assert_eq!(received.header("x-forwarded-port").unwrap(), asked.port().to_string());
            assert_eq!(received.header("x-forwarded-proto").unwrap(), "http");
        }
    }
    let log = proxy.stop().await;
    let lines_of = |client: &str| log.lines().filter(|line| line.starts_with(client)).count();
    assert_eq!((lines_of("192.0.2.7 - - ["), lines_of("2001:db8::7 - - [")), (4, 4), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn names_the_client_of_tls() {
    let (world, web, _) = world().await;
    let proxy = Proxy::start(&world).await;
    for version in [1, 2] {
        let stream = connect(proxy.https(), &header(CLIENT, "198.51.100.1:8443", version)).await;
        let connector = TlsConnector::from(Arc::new(tls::Spoken::default().config().0));
        let stream = within("a handshake", connector.connect("a.example".try_into().unwrap(), stream)).await.unwrap();
        assert_eq!(Client::new(stream).get("a.example", "/").await.text(), "x");
        let received = web.requests().pop().unwrap();
        assert_eq!(received.header("x-real-ip"), Some("192.0.2.7"));
        // The rule for TLS holds whatever the proxy's port is.
        assert_eq!(
            (received.header("x-forwarded-proto"), received.header("x-forwarded-port")),
            (Some("https"), Some("443"))
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn port_443_of_the_proxy_is_https() {
    let (world, web, _) = world().await;
    let proxy = Proxy::start(&world).await;
    let mut client = Client::new(connect(proxy.http(), &header(CLIENT, "198.51.100.1:443", 2)).await);
    client.get("a.example", "/").await;
    let received = web.requests().pop().unwrap();
    assert_eq!(
        (received.header("x-forwarded-proto"), received.header("x-forwarded-port")),
        (Some("https"), Some("443"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn names_the_client_of_tcp() {
    let (world, _web, _echo) = world().await;
    let proxy = Proxy::start(&world).await;
    for version in [1, 2] {
        let bytes = [header(CLIENT, ASKED, version), b"hello".to_vec()].concat();
        let mut stream = connect(proxy.address("tcp:echo"), &bytes).await;
        stream.shutdown().await.unwrap();
        let mut text = String::new();
        within("the echo", stream.read_to_string(&mut text)).await.unwrap();
        assert_eq!(text, "PROXY TCP4 192.0.2.7 198.51.100.1 5000 80\r\nhello");
    }
    let log = proxy.stop().await;
    assert_eq!(log.lines().filter(|line| line.starts_with("[192.0.2.7] [")).count(), 2, "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_header_may_come_in_pieces() {
    let (world, web, _) = world().await;
    let proxy = Proxy::start(&world).await;
    for version in [1, 2] {
        let mut stream = connect(proxy.http(), b"").await;
        for byte in header(CLIENT, ASKED, version) {
            stream.write_all(&[byte]).await.unwrap();
            tokio::task::yield_now().await;
        }
        assert_eq!(Client::new(stream).get("a.example", "/").await.text(), "x");
        assert_eq!(web.requests().pop().unwrap().header("x-real-ip"), Some("192.0.2.7"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_may_speak_for_itself() {
    let (world, web, _) = world().await;
    let proxy = Proxy::start(&world).await;
    for bytes in [&b"PROXY UNKNOWN\r\n"[..], b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0"] {
        let mut client = Client::new(connect(proxy.http(), bytes).await);
        client.get("a.example", "/").await;
        assert_eq!(web.requests().pop().unwrap().header("x-real-ip"), Some("127.0.0.1"));
    }
}

/// On every listener: closed without a word, counted, and nobody behind us has heard of it.
async fn is_refused(world: &World, bytes: &[u8], end: bool, reason: &str) {
    let proxy = Proxy::start(world).await;
    for (count, id) in (1..).zip(["http", "https", "tcp:echo"]) {
        let mut stream = connect(proxy.address(id), bytes).await;
        if end {
            stream.shutdown().await.unwrap();
        }
        let mut rest = Vec::new();
        // A reset is a close, too.
        within("a close", stream.read_to_end(&mut rest)).await.ok();
        assert_eq!(rest, b"", "{id}");
        let label = format!("reason=\"proxy-{reason}\"");
        eventually("a count", || proxy.metric("tidegate_connections_refused_total", &label) == f64::from(count)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_header_is_refused() {
    let (world, web, echo) = world().await;
    let request = b"GET / HTTP/1.1\r\nhost: a.example\r\n\r\n";
    is_refused(&world, request, false, "missing").await;
    is_refused(&world, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", false, "missing").await;
    is_refused(&world, b"", true, "missing").await;
    let bad = [b"PROXY TCP4 192.0.2.777 198.51.100.1 5000 80\r\n".to_vec(), request.to_vec()].concat();
    is_refused(&world, &bad, false, "malformed").await;
    is_refused(&world, b"PROXY TCP4 192.0.2.7", true, "malformed").await;
    is_refused(
        &world,
        b"\r\n\r\n\0\r\nQUIT\n\x31\x11\0\x0c\x01\x02\x03\x04\x05\x06\x07\x08\0\x50\0\x51",
        false,
        "malformed",
    )
    .await;
    is_refused(&world, &[&b"PROXY UNKNOWN "[..], &[b'x'; 200]].concat(), false, "malformed").await;
    assert_eq!((web.connections(), echo.connections()), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_header_that_does_not_come_is_refused() {
    let (mut world, web, echo) = world().await;
    for listener in world.snapshot.listeners.values_mut() {
        Arc::make_mut(listener).proxy_protocol.as_mut().unwrap().timeout = Duration::from_millis(100);
    }
    is_refused(&world, b"", false, "late").await;
    is_refused(&world, b"PROXY TCP4 192.0.2.7", false, "late").await;
    is_refused(&world, b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\x01\x02", false, "late").await;
    assert_eq!((web.connections(), echo.connections()), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_not_believed_is_refused_whatever_he_says() {
    let (world, web, echo) = world().await;
    let bytes = [header(CLIENT, ASKED, 1), b"GET / HTTP/1.1\r\nhost: a.example\r\n\r\n".to_vec()].concat();
    for trusted in [&["10.0.0.0/8", "::/0"][..], &[]] {
        let world = world.clone().proxy_protocol(trusted);
        is_refused(&world, &bytes, false, "untrusted").await;
        is_refused(&world, b"", false, "untrusted").await;
    }
    assert_eq!((web.connections(), echo.connections()), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_setting_a_header_is_a_broken_request() {
    let (mut world, web, _) = world().await;
    for listener in world.snapshot.listeners.values_mut() {
        Arc::make_mut(listener).proxy_protocol = None;
    }
    let proxy = Proxy::start(&world).await;
    let bytes = [header(CLIENT, ASKED, 1), b"GET / HTTP/1.1\r\nhost: a.example\r\n\r\n".to_vec()].concat();
    let mut client = Client::new(connect(proxy.http(), &bytes).await);
    assert_eq!(client.answer().await.status, 400);
    assert_eq!(web.connections(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_are_counted_by_the_address_in_the_header() {
    let (mut world, _web, _echo) = world().await;
    world.snapshot.connections.per_client = std::num::NonZeroU32::new(1);
    let proxy = Proxy::start(&world).await;
    let mut first = Client::new(connect(proxy.http(), &header(CLIENT, ASKED, 1)).await);
    assert_eq!(first.get("a.example", "/").await.status, 200);
    // The same client, and another one by the same proxy.
    let mut same = Client::new(connect(proxy.http(), &header("192.0.2.7:5001", ASKED, 1)).await);
    assert_eq!(same.answer().await.status, 503);
    let mut other = Client::new(connect(proxy.http(), &header("192.0.2.8:5001", ASKED, 1)).await);
    assert_eq!(other.get("a.example", "/").await.status, 200);
    assert_eq!(first.get("a.example", "/").await.status, 200);
}
