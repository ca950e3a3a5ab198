//! Sizes and times of requests.
#![allow(missing_docs, clippy::unwrap_used)]

mod support;

use std::time::Duration;

use support::{Backend, Proxy, World};

const SHORT: Duration = Duration::from_millis(100);

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_announced_too_large_is_refused_before_it_is_sent() {
    let backend = Backend::named("x").await;
    let proxy = Proxy::start(&World::new().route("a.example", "/", &[backend.address]).max_body(Some(10))).await;
    let mut client = proxy.client().await;
    client.send("POST / HTTP/1.1\r\nhost: a.example\r\ncontent-length: 11\r\nexpect: 100-continue\r\n\r\n").await;
    // The first answer is the last: no 100 before it.
    assert!(client.head().await.starts_with("HTTP/1.1 413"));
    assert!(backend.requests().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_grows_too_large_is_refused() {
    let backend = Backend::named("x").await;
    let proxy = Proxy::start(&World::new().route("a.example", "/", &[backend.address]).max_body(Some(10))).await;
    let mut client = proxy.client().await;
    client.send("POST / HTTP/1.1\r\nhost: a.example\r\ntransfer-encoding: chunked\r\n\r\nb\r\n01234567890\r\n").await;
    assert!(client.head().await.starts_with("HTTP/1.1 413"));
    assert!(backend.requests().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_grows_too_large_while_it_streams_reaches_nobody_whole() {
    let backend = Backend::named("x").await;
    let world = World::new().route("a.example", "/", &[backend.address]).max_body(Some(100_000));
    let proxy = Proxy::start(&world).await;
    let mut client = proxy.client().await;
    let chunk = format!("2710\r\n{}\r\n", "x".repeat(10_000));
    client.send("POST / HTTP/1.1\r\nhost: a.example\r\ntransfer-encoding: chunked\r\n\r\n").await;
    client.send(chunk.repeat(11)).await;
    client.send("0\r\n\r\n").await;
    let answer = client.answer().await;
    assert_eq!((answer.status, answer.text()), (413, "413 Payload Too Large\n"));
    assert!(backend.requests().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_of_a_large_body_can_be_read() {
    let proxy = Proxy::start(&World::new().route("a.example", "/", &[]).max_body(Some(10))).await;
    for _ in 0..20 {
        let mut client = proxy.client().await;
        client.send("POST / HTTP/1.1\r\nhost: a.example\r\ncontent-length: 4000000\r\n\r\n").await;
        client.send(vec![b'x'; 4_000_000]).await;
        assert_eq!(client.answer().await.status, 413);
        // All of it was read away: the connection is as good as new.
        assert_eq!(client.get("b.example", "/").await.status, 404);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_is_told_to_go_on() {
    let backend = Backend::named("x").await;
    let proxy = Proxy::start(&World::new().route("a.example", "/", &[backend.address])).await;
    let mut client = proxy.client().await;
    client.send("POST / HTTP/1.1\r\nhost: a.example\r\ncontent-length: 3\r\nexpect: 100-continue\r\n\r\n").await;
    assert!(client.head().await.starts_with("HTTP/1.1 100"));
    client.send("abc").await;
    assert_eq!(client.answer().await.text(), "x");
    let request = backend.requests().pop().unwrap();
    assert_eq!((request.header("expect"), request.body.as_slice()), (None, &b"abc"[..]));
}

#[tokio::test(flavor = "multi_thread")]
async fn any_size_where_there_is_no_limit() {
    let backend = Backend::named("x").await;
    let proxy = Proxy::start(&World::new().route("a.example", "/", &[backend.address]).max_body(None)).await;
    let mut client = proxy.client().await;
    client.send("POST / HTTP/1.1\r\nhost: a.example\r\ncontent-length: 3000000\r\n\r\n").await;
    client.send(vec![b'x'; 3_000_000]).await;
    assert_eq!(client.answer().await.status, 200);
    assert_eq!(backend.requests()[0].body.len(), 3_000_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_that_does_not_end_is_408() {
    let proxy = Proxy::start(&World::new().options(|http| http.header_timeout = SHORT)).await;
    let mut client = proxy.client().await;
    client.send("GET / HTTP/1.1\r\nhost: a.ex").await;
    assert!(client.head().await.starts_with("HTTP/1.1 408"));
    assert_eq!(client.rest().await, "");
    let log = proxy.stop().await;
    assert!(log.contains("\"-\" 408 "), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_does_not_come_is_408() {
    let backend = Backend::named("x").await;
    let world = World::new().route("a.example", "/", &[backend.address]).options(|http| http.body_timeout = SHORT);
    let proxy = Proxy::start(&world).await;
    for (length, sent) in [(10, 5), (100_000, 50_000)] {
        let mut client = proxy.client().await;
        client.send(format!("POST / HTTP/1.1\r\nhost: a.example\r\ncontent-length: {length}\r\n\r\n")).await;
        client.send(vec![b'x'; sent]).await;
        assert!(client.head().await.starts_with("HTTP/1.1 408"), "{length}");
    }
    assert!(backend.requests().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_connections_are_closed_silently() {
    let proxy = Proxy::start(&World::new().options(|http| http.keep_alive.idle = SHORT)).await;
    let mut fresh = proxy.client().await;
    assert_eq!(fresh.rest().await, "");
    let mut used = proxy.client().await;
    assert_eq!(used.get("a.example", "/").await.status, 404);
    assert_eq!(used.rest().await, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_keep_alive_where_it_is_off() {
    let proxy = Proxy::start(&World::new().options(|http| http.keep_alive.idle = Duration::ZERO)).await;
    let mut client = proxy.client().await;
    assert_eq!(client.get("a.example", "/").await.header("connection"), Some("close"));
    assert_eq!(client.rest().await, "");
}
