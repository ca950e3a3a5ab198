//! Answers without bodies, answers before the answer, and clients of HTTP/1.0.
#![allow(missing_docs, clippy::unwrap_used)]

mod support;

use support::{
    Backend, Proxy, World,
    h2::{Http2, empty},
};

async fn served(answer: &'static str) -> (Proxy, Backend) {
    let backend = Backend::answering(move |_| answer.to_owned()).await;
    (Proxy::start(&World::new().route("a.example", "/", &[backend.address])).await, backend)
}

#[tokio::test(flavor = "multi_thread")]
async fn early_hints_of_an_upstream_break_nothing() {
    let hints = "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n\
                 HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nafter";
    let (proxy, backend) = served(hints).await;
    let mut client = proxy.client().await;
    let mut http2 = Http2::connect(proxy.http()).await;
    for _ in 0..2 {
        let answer = client.get("a.example", "/").await;
        assert_eq!((answer.status, answer.text()), (200, "after"));
        assert_eq!(http2.get("http://a.example/").await, (200, "after".to_owned()));
    }
    assert_eq!(backend.requests().len(), 4);
}

/// Trailers reach a client of HTTP/1.1 that takes them, if the answer announced them (RFC 9110 section 6.5). Without
/// either the body is as whole as before, and the connection goes on.
#[tokio::test(flavor = "multi_thread")]
async fn trailers_reach_who_takes_them() {
    for (announced, te, expected) in [
        ("trailer: x-sum\r\n", "te: trailers\r\n", true),
        ("", "te: trailers\r\n", false),
        ("trailer: x-sum\r\n", "", false),
    ] {
        let backend = Backend::answering(move |_| {
            format!(
                "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n{announced}\r\n5\r\nwhole\r\n0\r\nx-sum: 17\r\n\r\n"
            )
        })
        .await;
        let proxy = Proxy::start(&World::new().route("a.example", "/", &[backend.address])).await;
        let mut client = proxy.client().await;
        for _ in 0..2 {
            client.send(format!("GET / HTTP/1.1\r\nhost: a.example\r\n{te}\r\n")).await;
            client.head().await;
            assert_eq!(client.chunk().await.unwrap(), b"whole");
            assert_eq!(client.chunk().await.unwrap(), b"");
            let trailers = client.until_empty_line().await;
            assert_eq!(trailers.contains("x-sum: 17\r\n"), expected, "{announced:?} {te:?}: {trailers:?}");
        }
    }
}

/// What comes after such an answer would be taken for the next one.
#[tokio::test(flavor = "multi_thread")]
async fn answers_without_bodies_have_none() {
    for (method, answer, status) in [
        ("HEAD", "HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\n", 200),
        ("GET", "HTTP/1.1 204 No Content\r\n\r\n", 204),
        ("GET", "HTTP/1.1 304 Not Modified\r\netag: \"x\"\r\ncontent-length: 7\r\n\r\n", 304),
    ] {
        let (proxy, backend) = served(answer).await;
        let mut client = proxy.client().await;
        for _ in 0..2 {
            client.send(&format!("{method} / HTTP/1.1\r\nhost: a.example\r\n\r\n")).await;
            let head = client.head().await;
            assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{head}");
        }
        let mut http2 = Http2::connect(proxy.http()).await;
        for _ in 0..2 {
            let request = http::Request::builder().method(method).uri("http://a.example/").body(empty()).unwrap();
            let response = http2.send(request).await.unwrap();
            assert_eq!(response.status(), status);
            let body = http_body_util::BodyExt::collect(response.into_body()).await.unwrap().to_bytes();
            assert!(body.is_empty(), "{method} {status}: {body:?}");
        }
        assert_eq!(backend.requests().len(), 4, "{method} {status}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_of_http_1_0_gets_no_chunks() {
    let (proxy, _backend) =
        served("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nwhole\r\n0\r\n\r\n").await;
    let mut client = proxy.client().await;
    client.send("GET / HTTP/1.0\r\nhost: a.example\r\n\r\n").await;
    let text = client.rest().await;
    assert!(text.ends_with("\r\n\r\nwhole"), "{text}");
    assert!(!text.to_lowercase().contains("transfer-encoding"), "{text}");
}
