//! Bodies pass through as they come, both ways, and connections are used again.
#![allow(missing_docs, clippy::unwrap_used)]

mod support;

use std::sync::Arc;

use support::{Backend, Proxy, World, within};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::{Notify, mpsc},
};

#[tokio::test(flavor = "multi_thread")]
async fn connections_are_kept_on_both_sides() {
    let backend = Backend::named("x").await;
    // One worker alone gets the client's connection, so that one upstream connection is enough.
    let proxy = Proxy::start(&World::new().route("a.example", "/", &[backend.address])).await;
    let mut client = proxy.client().await;
    for _ in 0..20 {
        assert_eq!(client.get("a.example", "/").await.text(), "x");
    }
    assert_eq!(backend.connections(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn pipelined_requests_are_answered_in_order() {
    let backend = Backend::answering(|request| {
        let target = request.head.split(' ').nth(1).unwrap().to_owned();
        format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{target}", target.len())
    })
    .await;
    let proxy = Proxy::start(&World::new().route("a.example", "/", &[backend.address])).await;
    let mut client = proxy.client().await;
    let request = |n| format!("GET /{n} HTTP/1.1\r\nhost: a.example\r\n\r\n");
    client.send((0..10).map(request).collect::<String>()).await;
    for n in 0..10 {
        assert_eq!(client.answer().await.text(), format!("/{n}"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_arrives_before_it_has_ended() {
    let go_on = Arc::new(Notify::new());
    let released = Arc::clone(&go_on);
    let backend = Backend::raw(move |mut stream, _| {
        let released = Arc::clone(&released);
        async move {
            support::read_request(&mut stream).await.unwrap();
            stream.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nfirst\r\n").await.unwrap();
            released.notified().await;
            stream.write_all(b"4\r\nlast\r\n0\r\n\r\n").await.unwrap();
        }
    })
    .await;
    let proxy = Proxy::start(&World::new().route("a.example", "/", &[backend.address])).await;
    let mut client = proxy.client().await;
    client.send("GET / HTTP/1.1\r\nhost: a.example\r\n\r\n").await;
    client.head().await;
    assert_eq!(client.chunk().await.unwrap(), b"first");
    go_on.notify_one();
    assert_eq!(client.chunk().await.unwrap(), b"last");
    assert_eq!(client.chunk().await.unwrap(), b"");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_request_arrives_before_it_has_ended() {
    let (sender, mut received) = mpsc::unbounded_channel();
    let backend = Backend::raw(move |mut stream, _| {
        let sender = sender.clone();
        async move {
            let mut seen = Vec::new();
            while stream.read_buf(&mut seen).await.unwrap() > 0 {
                sender.send(seen.len()).unwrap();
                if seen.ends_with(b"end") {
                    break;
                }
            }
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nthx!").await.unwrap();
            stream.read_buf(&mut seen).await.ok();
        }
    })
    .await;
    let proxy = Proxy::start(&World::new().route("a.example", "/", &[backend.address])).await;
    let mut client = proxy.client().await;
    client.send("POST / HTTP/1.1\r\nhost: a.example\r\ncontent-length: 100003\r\n\r\n").await;
    client.send(vec![b'x'; 60_000]).await;
    within("the first part", async { while received.recv().await.unwrap() < 60_000 {} }).await;
    client.send(vec![b'x'; 40_000]).await;
    client.send("end").await;
    assert_eq!(client.answer().await.text(), "thx!");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_small_chunked_request_goes_out_with_its_length() {
    let backend = Backend::named("x").await;
    let proxy = Proxy::start(&World::new().route("a.example", "/", &[backend.address])).await;
    let mut client = proxy.client().await;
    client.send("POST / HTTP/1.1\r\nhost: a.example\r\ntransfer-encoding: chunked\r\n\r\n").await;
    client.send("3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n").await;
    assert_eq!(client.answer().await.status, 200);
    let request = &backend.requests()[0];
    assert_eq!((request.header("content-length"), request.header("transfer-encoding")), (Some("5"), None));
    assert_eq!(request.body, b"abcde");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_chunked_request_stays_chunked_whatever_its_method() {
    let backend = Backend::named("x").await;
    let proxy = Proxy::start(&World::new().route("a.example", "/", &[backend.address])).await;
    for method in ["POST", "GET"] {
        let mut client = proxy.client().await;
        client.send(format!("{method} / HTTP/1.1\r\nhost: a.example\r\ntransfer-encoding: chunked\r\n\r\n")).await;
        client.send(format!("4e20\r\n{}\r\n0\r\n\r\n", "y".repeat(20_000))).await;
        assert_eq!(client.answer().await.status, 200);
        let request = backend.requests().pop().unwrap();
        assert_eq!(request.header("transfer-encoding"), Some("chunked"), "{method}");
        assert_eq!(request.header("content-length"), None);
        assert!(request.body.len() > 20_000);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_without_body_do_not_stop_a_connection() {
    let backend = Backend::answering(|request| {
        let status = request.head.split(['/', ' ']).nth(2).unwrap().to_owned();
        match status.as_str() {
            "200" => "HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\n".to_owned(),
            _ => format!("HTTP/1.1 {status} X\r\netag: \"e\"\r\n\r\n"),
        }
    })
    .await;
    let proxy = Proxy::start(&World::new().route("a.example", "/", &[backend.address])).await;
    let mut client = proxy.client().await;
    for (method, path, length) in [("HEAD", "/200", Some("7")), ("GET", "/204", None), ("GET", "/304", None)] {
        client.send(format!("{method} {path} HTTP/1.1\r\nhost: a.example\r\n\r\n")).await;
        let head = client.head().await;
        assert!(head.starts_with(&format!("HTTP/1.1 {}", &path[1..])), "{head}");
        assert_eq!(head.to_lowercase().contains("content-length"), length.is_some(), "{head}");
    }
    assert_eq!(backend.connections(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn http_1_0_clients_are_served() {
    let backend =
        Backend::answering(|_| "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n".to_owned())
            .await;
    let proxy = Proxy::start(&World::new().route("", "/", &[backend.address])).await;
    let mut client = proxy.client().await;
    client.send("GET / HTTP/1.0\r\n\r\n").await;
    let text = client.rest().await;
    assert!(text.starts_with("HTTP/1.0 200"), "{text}");
    assert!(text.ends_with("\r\n\r\nabc"), "{text}");
    assert!(!text.contains("chunked"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_cut_short_is_never_taken_for_whole() {
    for (head, close_early) in [("content-length: 10", "12345"), ("transfer-encoding: chunked", "5\r\n12345\r\n")] {
        let backend = Backend::raw(move |mut stream, _| async move {
            support::read_request(&mut stream).await.unwrap();
            stream.write_all(format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\n{close_early}").as_bytes()).await.unwrap();
        })
        .await;
        let proxy = Proxy::start(&World::new().route("a.example", "/", &[backend.address])).await;
        let mut client = proxy.client().await;
        client.send("GET / HTTP/1.1\r\nhost: a.example\r\n\r\n").await;
        let head = client.head().await;
        assert!(client.body(&head, 200).await.is_none(), "{head}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_leaves_takes_its_request_with_it() {
    let (sender, mut events) = mpsc::unbounded_channel();
    let backend = Backend::raw(move |mut stream, _| {
        let sender = sender.clone();
        async move {
            support::read_request(&mut stream).await.unwrap();
            sender.send("asked").unwrap();
            let mut rest = Vec::new();
            stream.read_to_end(&mut rest).await.ok();
            sender.send("closed").unwrap();
        }
    })
    .await;
    let proxy = Proxy::start(&World::new().route("a.example", "/", &[backend.address])).await;
    let mut client = proxy.client().await;
    client.send("GET /left HTTP/1.1\r\nhost: a.example\r\n\r\n").await;
    assert_eq!(within("the request", events.recv()).await, Some("asked"));
    drop(client);
    assert_eq!(within("the end", events.recv()).await, Some("closed"));
    let log = proxy.stop().await;
    assert!(log.contains("\"GET /left HTTP/1.1\" 499 0 "), "{log}");
}
