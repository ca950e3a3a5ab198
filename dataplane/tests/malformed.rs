//! What is refused, and how. Every case is a connection of its own; what the upstream must not see, it does not.
#![allow(missing_docs, clippy::unwrap_used)]

mod support;

use std::time::Duration;

use support::{Backend, Proxy, World};

/// Raw request and the status of the answer; none: closed without one.
fn cases() -> Vec<(String, Option<u16>)> {
    let host = "host: a.example\r\n";
    let long = |count: usize| "x".repeat(count);
    let mut cases: Vec<(String, Option<u16>)> = [
        ("GET / HTTP/1.1\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nhost: a.example\r\nhost: a.example\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nhost: a.example\r\nhost: b.example\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nhost:\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nhost: a b\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nhost: user@a.example\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nhost: a.example/x\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nhost: a.example, b.example\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nhost: a.example:x\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nhost : a.example\r\n\r\n", 400),
        ("GET http://user:pass@a.example/ HTTP/1.1\r\nhost: a.example\r\n\r\n", 400),
        ("GET ftp://a.example/ HTTP/1.1\r\nhost: a.example\r\n\r\n", 400),
        ("GET http:///x HTTP/1.1\r\nhost: a.example\r\n\r\n", 400),
        ("GET * HTTP/1.1\r\nhost: a.example\r\n\r\n", 400),
        ("GET a.example HTTP/1.1\r\nhost: a.example\r\n\r\n", 400),
        ("GET x/y HTTP/1.1\r\nhost: a.example\r\n\r\n", 400),
        ("CONNECT a.example:443 HTTP/1.1\r\nhost: a.example\r\n\r\n", 405),
        ("TRACE / HTTP/1.1\r\nhost: a.example\r\n\r\n", 405),
        ("GET /%00 HTTP/1.1\r\nhost: a.example\r\n\r\n", 400),
        ("GET /../x HTTP/1.1\r\nhost: a.example\r\n\r\n", 400),
        ("GET /%2e%2e/x HTTP/1.1\r\nhost: a.example\r\n\r\n", 400),
        ("GET /%zz HTTP/1.1\r\nhost: a.example\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nhost: a.example\r\nx: a\0b\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nhost: a.example\r\nx: a\r\n b\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nhost: a.example\r\nno colon\r\n\r\n", 400),
        ("GET / HTTP/2.0\r\nhost: a.example\r\n\r\n", 400),
        ("GET / HTTP/1.2\r\nhost: a.example\r\n\r\n", 400),
        ("GET /\r\n\r\n", 400),
        ("G@T / HTTP/1.1\r\nhost: a.example\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nhost: a.example\r\ntransfer-encoding: gzip\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nhost: a.example\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501),
        ("POST / HTTP/1.1\r\nhost: a.example\r\ntransfer-encoding: identity, chunked\r\n\r\n0\r\n\r\n", 501),
        ("POST / HTTP/1.1\r\nhost: a.example\r\ntransfer-encoding: chunked, chunked\r\n\r\n0\r\n\r\n", 501),
        ("POST / HTTP/1.1\r\nhost: a.example\r\ntransfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        ("POST / HTTP/1.0\r\nhost: a.example\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nhost: a.example\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\na", 400),
        ("POST / HTTP/1.1\r\nhost: a.example\r\ncontent-length: -1\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nhost: a.example\r\ncontent-length: +1\r\n\r\na", 400),
        ("POST / HTTP/1.1\r\nhost: a.example\r\ncontent-length: 99999999999999999999\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nhost: a.example\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\n", 400),
        ("POST / HTTP/1.1\r\nhost: a.example\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n", 400),
    ]
    .map(|(request, status)| (request.to_owned(), Some(status)))
    .into();
    cases.push((format!("GET /{} HTTP/1.1\r\n{host}\r\n", long(8200)), Some(414)));
    // More than a whole head may have: nobody waits for the end of its first line.
    cases.push((format!("GET /{} HTTP/1.1\r\n{host}\r\n", long(70_000)), Some(414)));
    cases.push((format!("GET / HTTP/1.1\r\n{host}x: {}\r\n\r\n", long(8200)), Some(431)));
    cases.push((format!("GET / HTTP/1.1\r\n{host}{}\r\n", format!("x: {}\r\n", long(4000)).repeat(9)), Some(431)));
    cases.push((format!("GET / HTTP/1.1\r\n{host}{}\r\n", "x: y\r\n".repeat(100)), Some(431)));
    cases.push((format!("GET / HTTP/1.1\r\n{host}{}\r\n", "x: y\r\n".repeat(300)), Some(431)));
    cases.push((format!("GET / HTTP/1.1\r\n{host}x: {}", long(100_000)), Some(431)));
    cases
}

#[tokio::test(flavor = "multi_thread")]
async fn malformed_requests_are_refused_and_never_sent_on() {
    let backend = Backend::named("must not be asked").await;
    let proxy = Proxy::start(&World::new().route("", "/", &[backend.address])).await;
    for (request, expected) in cases() {
        let mut client = proxy.client().await;
        client.send(&request).await;
        let shown: String = request.chars().take(120).collect();
        let text = tokio::time::timeout(Duration::from_secs(5), client.head()).await;
        let status = text.ok().map(|head| head[9..12].parse::<u16>().unwrap());
        assert_eq!(status, expected, "{shown:?}");
    }
    let complete: Vec<_> = backend.requests().iter().map(|request| request.head.clone()).collect();
    assert!(complete.is_empty(), "{complete:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_is_logged() {
    let proxy = Proxy::start(&World::new()).await;
    for request in ["G@T / HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\r\n\r\n"] {
        let mut client = proxy.client().await;
        client.send(request).await;
        assert!(client.head().await.starts_with("HTTP/1.1 400"));
        client.rest().await;
    }
    let log = proxy.stop().await;
    assert!(log.contains("\"-\" 400 "), "{log}");
    assert!(log.contains("\"GET / HTTP/1.1\" 400 "), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn unusual_but_right() {
    let backend = Backend::named("fine").await;
    let proxy = Proxy::start(&World::new().route("a.example", "/", &[backend.address])).await;
    for (request, seen) in [
        ("GET http://a.example/x?y HTTP/1.1\r\nhost: other.example\r\n\r\n", "GET /x?y HTTP/1.1"),
        ("GET http://a.example HTTP/1.1\r\nhost: a.example\r\n\r\n", "GET / HTTP/1.1"),
        ("GET //a//b/./c HTTP/1.1\r\nhost: a.example\r\n\r\n", "GET //a//b/./c HTTP/1.1"),
        ("\r\n\r\nGET / HTTP/1.1\r\nhost: a.example\r\n\r\n", "GET / HTTP/1.1"),
        ("BREW /pot HTTP/1.1\r\nhost: a.example\r\n\r\n", "BREW /pot HTTP/1.1"),
        (
            "POST / HTTP/1.1\r\nhost: a.example\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
            "POST / HTTP/1.1",
        ),
    ] {
        let mut client = proxy.client().await;
        client.send(request).await;
        assert_eq!(client.answer().await.text(), "fine", "{request}");
        let received = backend.requests().pop().unwrap();
        assert!(received.head.starts_with(seen), "{}", received.head);
        assert_eq!(received.header("host"), Some("a.example"));
    }
    let mut client = proxy.client().await;
    client.send("OPTIONS * HTTP/1.1\r\nhost: a.example\r\n\r\n").await;
    assert_eq!(client.answer().await.status, 200);
}
