//! Endpoints that are dead, dying or late.
#![allow(missing_docs, clippy::unwrap_used)]

mod support;

use std::{net::SocketAddr, time::Duration};

use snapshot::{Action, Protocol};
use support::{Backend, Client, Proxy, World, get, within};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// An address that refuses connections.
async fn dead() -> SocketAddr {
    let backend = Backend::named("").await;
    backend.close();
    let address = backend.address;
    drop(backend);
    while tokio::net::TcpStream::connect(address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    address
}

/// An address where nobody says yes or no, as where a Pod was: a queue of one that nobody accepts from, so that the
/// kernel drops what comes after.
async fn silent() -> (impl Sized, SocketAddr) {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let silent = socket.listen(0).unwrap();
    let address = silent.local_addr().unwrap();
    let queued = tokio::net::TcpStream::connect(address).await.unwrap();
    ((silent, queued), address)
}

/// Asks while the endpoint is silent, and takes it away once it is being connected to.
async fn asked_when_it_left(protocol: Protocol, rest: &[SocketAddr]) -> (u16, String) {
    let (_silent, address) = silent().await;
    let world = World::new().route("a.example", "/", &[address]).protocol(protocol);
    let mut world = world.timeouts(|t| t.connect = Duration::from_secs(600));
    let mut proxy = Proxy::start(&world).await;
    let asking = tokio::spawn(get(proxy.http(), "a.example", "/"));
    within("connecting", async {
        while opening(address) == 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    world.set_endpoints("a.example", "/", rest);
    proxy.apply(&world).await;
    let answer = within("an answer", asking).await.unwrap();
    (answer.status, answer.text().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_leaves_is_not_connected_to_any_longer() {
    for protocol in [Protocol::Http1, Protocol::Http2] {
        assert_eq!(asked_when_it_left(protocol, &[]).await.0, 503);
    }
    let live = Backend::named("live").await;
    assert_eq!(asked_when_it_left(Protocol::Http1, &[live.address]).await, (200, "live".to_owned()));
}

async fn post(proxy: &Proxy, body: &str) -> support::Answer {
    let mut client = proxy.client().await;
    client.send(format!("POST / HTTP/1.1\r\nhost: a.example\r\ncontent-length: {}\r\n\r\n{body}", body.len())).await;
    client.answer().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_endpoint_is_passed_over() {
    let live = Backend::named("live").await;
    let world = World::new().route("a.example", "/", &[dead().await, live.address]);
    let proxy = Proxy::start(&world).await;
    for _ in 0..4 {
        assert_eq!(get(proxy.http(), "a.example", "/").await.text(), "live");
        assert_eq!(post(&proxy, "body").await.text(), "live");
    }
    let log = proxy.stop().await;
    assert!(log.contains(" 502, 200 "), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_endpoints_alone_are_502_and_only_so_many_are_tried() {
    let mut all = Vec::new();
    for _ in 0..20 {
        all.push(dead().await);
    }
    let proxy = Proxy::start(&World::new().route("a.example", "/", &all)).await;
    assert_eq!(get(proxy.http(), "a.example", "/").await.status, 502);
    let log = proxy.stop().await;
    assert_eq!(log.matches("502, ").count(), 3 + 10 - 1, "{log}");
}

/// Most Pods of a Deployment leave at once.
#[tokio::test(flavor = "multi_thread")]
async fn refused_connections_are_no_tries() {
    let live = Backend::named("live").await;
    let mut all = vec![live.address];
    for _ in 0..6 {
        all.push(dead().await);
    }
    let proxy = Proxy::start(&World::new().route("a.example", "/", &all)).await;
    for _ in 0..14 {
        assert_eq!(post(&proxy, "body").await.text(), "live");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn as_many_are_asked_as_there_are_tries() {
    let close = || {
        Backend::raw(|mut stream, _| async move {
            support::read_request(&mut stream).await.unwrap();
        })
    };
    let all = [close().await, close().await, close().await, close().await];
    let addresses: Vec<_> = all.iter().map(|backend| backend.address).collect();
    let proxy = Proxy::start(&World::new().route("a.example", "/", &addresses)).await;
    assert_eq!(get(proxy.http(), "a.example", "/").await.status, 502);
    let log = proxy.stop().await;
    assert!(log.contains(" 502, 502, 502 ") && !log.contains("502, 502, 502, 502"), "{log}");
}

/// Answers one request on each connection and closes it when the next one comes, as a server does that had just
/// decided to close.
async fn forgetful() -> Backend {
    Backend::raw(|mut stream, _| async move {
        let request = support::read_request(&mut stream).await.unwrap();
        let text = String::from_utf8(request.body).unwrap();
        let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{text}", text.len());
        stream.write_all(answer.as_bytes()).await.unwrap();
        let mut next = Vec::new();
        stream.read_buf(&mut next).await.ok();
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idempotent_request_survives_a_stale_connection() {
    let backend = forgetful().await;
    let proxy = Proxy::start(&World::new().route("a.example", "/", &[backend.address])).await;
    let mut client = proxy.client().await;
    for n in 0..10 {
        client.send("PUT / HTTP/1.1\r\nhost: a.example\r\ncontent-length: 3\r\n\r\nabc").await;
        let answer = client.answer().await;
        assert_eq!((answer.status, answer.text()), (200, "abc"), "{n}");
    }
}

/// Pods that leave together close what they had kept together.
#[tokio::test(flavor = "multi_thread")]
async fn stale_connections_are_no_tries() {
    let mut all = Vec::new();
    for _ in 0..6 {
        all.push(forgetful().await);
    }
    let addresses: Vec<_> = all.iter().map(|backend| backend.address).collect();
    let proxy = Proxy::start(&World::new().route("a.example", "/", &addresses)).await;
    let mut client = proxy.client().await;
    // One connection to each is kept; then each one that is used ends, and only as many as there are can be met.
    for n in 0..12 {
        client.send("GET / HTTP/1.1\r\nhost: a.example\r\n\r\n").await;
        assert_eq!(client.answer().await.status, 200, "{n}");
    }
    let log = proxy.stop().await;
    assert!(log.contains(" 502, 502, 502, 502, 502, 502, 200 "), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_have_been_acted_on_is_not_sent_twice() {
    let backend = forgetful().await;
    let proxy = Proxy::start(&World::new().route("a.example", "/", &[backend.address])).await;
    let mut client: Client = proxy.client().await;
    let request = "POST / HTTP/1.1\r\nhost: a.example\r\ncontent-length: 3\r\n\r\nabc";
    client.send(request).await;
    assert_eq!(client.answer().await.status, 200);
    client.send(request).await;
    assert_eq!(client.answer().await.status, 502);
    assert_eq!(backend.connections(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_was_closed_while_idle_costs_nothing() {
    let (closed, mut is_closed) = tokio::sync::mpsc::unbounded_channel();
    let backend = Backend::raw(move |mut stream, _| {
        let closed = closed.clone();
        async move {
            support::read_request(&mut stream).await.unwrap();
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await.unwrap();
            stream.shutdown().await.unwrap();
            let mut rest = Vec::new();
            stream.read_to_end(&mut rest).await.ok();
            closed.send(()).unwrap();
        }
    })
    .await;
    let proxy = Proxy::start(&World::new().route("a.example", "/", &[backend.address])).await;
    let mut client = proxy.client().await;
    for _ in 0..5 {
        client.send("POST / HTTP/1.1\r\nhost: a.example\r\ncontent-length: 3\r\n\r\nabc").await;
        assert_eq!(client.answer().await.status, 200);
        within("the close", is_closed.recv()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_had_begun_is_not_tried_again() {
    let backend = Backend::raw(|mut stream, _| async move {
        support::read_request(&mut stream).await.unwrap();
        stream.write_all(b"HTTP/1.1 200").await.unwrap();
    })
    .await;
    let proxy = Proxy::start(&World::new().route("a.example", "/", &[backend.address])).await;
    assert_eq!(get(proxy.http(), "a.example", "/").await.status, 502);
    assert_eq!(backend.connections(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_answer_is_504() {
    let backend = Backend::raw(|mut stream, _| async move {
        let mut all = Vec::new();
        stream.read_to_end(&mut all).await.ok();
    })
    .await;
    let world = World::new().route("a.example", "/", &[backend.address]);
    let proxy = Proxy::start(&world.timeouts(|t| t.read = Duration::from_millis(100))).await;
    let mut client = proxy.client().await;
    let answer = client.get("a.example", "/").await;
    assert_eq!((answer.status, answer.text()), (504, "504 Gateway Timeout\n"));
    assert_eq!(backend.connections(), 1);
    // The client's connection is none the worse for it.
    assert_eq!(client.get("b.example", "/").await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_stops_is_cut() {
    let backend = Backend::raw(|mut stream, _| async move {
        support::read_request(&mut stream).await.unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n12345").await.unwrap();
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).await.ok();
    })
    .await;
    let world = World::new().route("a.example", "/", &[backend.address]);
    let proxy = Proxy::start(&world.timeouts(|t| t.read = Duration::from_secs(1))).await;
    let mut client = proxy.client().await;
    client.send("GET / HTTP/1.1\r\nhost: a.example\r\n\r\n").await;
    let head = client.head().await;
    assert!(client.body(&head, 200).await.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_does_not_read_is_504() {
    let backend = Backend::raw(|stream, _| async move {
        std::future::pending::<()>().await;
        drop(stream);
    })
    .await;
    let world = World::new().route("a.example", "/", &[backend.address]).max_body(None);
    let proxy = Proxy::start(&world.timeouts(|t| t.send = Duration::from_millis(200))).await;
    let mut client = proxy.client().await;
    client.send("POST / HTTP/1.1\r\nhost: a.example\r\ncontent-length: 100000000\r\n\r\n").await;
    let Client { stream, .. } = &mut client;
    let (mut reader, mut writer) = stream.split();
    let block = vec![0; 1 << 16];
    let mut head = Vec::new();
    within("504", async {
        while !head.ends_with(b"\r\n\r\n504 Gateway Timeout\n") {
            tokio::select! {
                read = reader.read_buf(&mut head) => assert!(read.unwrap() > 0, "closed"),
                wrote = writer.write_all(&block) => wrote.unwrap(),
            }
        }
    })
    .await;
    assert!(head.starts_with(b"HTTP/1.1 504"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_is_not_made_in_time_is_504() {
    let (_silent, address) = silent().await;
    let world = World::new().route("a.example", "/", &[address]);
    let proxy = Proxy::start(&world.timeouts(|t| t.connect = Duration::from_millis(100))).await;
    assert_eq!(get(proxy.http(), "a.example", "/").await.status, 504);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_try_begins_after_the_retry_timeout() {
    let late = Backend::raw(|stream, _| async move {
        tokio::time::sleep(Duration::from_millis(50)).await;
        drop(stream);
    })
    .await;
    let world = World::new().route("a.example", "/", &[late.address]).routes(|route| {
        if let Action::Forward(forward) = &mut route.then {
            forward.retry.timeout = Duration::from_millis(10);
        }
    });
    let proxy = Proxy::start(&world).await;
    assert_eq!(get(proxy.http(), "a.example", "/").await.status, 502);
    assert_eq!(late.connections(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_with_two_lengths_is_none() {
    for fields in [
        "content-length: 3\r\ntransfer-encoding: chunked",
        "transfer-encoding: chunked\r\ncontent-length: 3",
        "transfer-encoding: gzip, chunked",
        "transfer-encoding: chunked\r\ntransfer-encoding: chunked",
        "content-length: 3\r\ncontent-length: 4",
        "content-length: -3",
    ] {
        let answer = format!("HTTP/1.1 200 OK\r\n{fields}\r\n\r\n3\r\nabc\r\n0\r\n\r\n");
        let backend = Backend::answering(move |_| answer.clone()).await;
        let proxy = Proxy::start(&World::new().route("a.example", "/", &[backend.address])).await;
        assert_eq!(get(proxy.http(), "a.example", "/").await.status, 502, "{fields}");
    }
}

/// How many connections to `address` are being opened right now (`proc_net_tcp(5)`: state 2 is SYN_SENT).
fn opening(address: SocketAddr) -> usize {
    let remote = format!(":{:04X}", address.port());
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let is_opening = |line: &&str| {
        let fields: Vec<&str> = line.split_whitespace().take(4).collect();
        fields.get(2).is_some_and(|to| to.ends_with(&remote)) && fields.get(3) == Some(&"02")
    };
    table.lines().filter(is_opening).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_endpoint_is_not_stormed() {
    let (_silent, address) = silent().await;
    let world = World::new().route("a.example", "/", &[address]).timeouts(|t| t.connect = Duration::from_secs(2));
    let proxy = Proxy::with_workers(1, &world).await;
    let asking: Vec<_> = (0..200).map(|_| tokio::spawn(get(proxy.http(), "a.example", "/"))).collect();
    let mut most = 0;
    while !asking.iter().all(|asking| asking.is_finished()) {
        // The kernel's table is not read in one moment: of those that end all at once some may still be seen beside their
        // successors. Too many of them would stand there twice.
        most = most.max(opening(address).min(opening(address)));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    for asking in asking {
        assert_eq!(asking.await.unwrap().status, 504);
    }
    assert!((1..=64 + 8).contains(&most), "{most}");
}
