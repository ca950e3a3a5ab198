//! Switches of protocols.
#![allow(missing_docs, clippy::unwrap_used)]

mod support;

use support::{Backend, Client, Proxy, World};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const ASK: &str = "GET /chat HTTP/1.1\r\nhost: a.example\r\nconnection: keep-alive, Upgrade\r\nupgrade: websocket\r\nsec-websocket-key: eA==\r\n\r\n";

/// Switches, then sends back what it gets in upper case.
async fn shouting() -> Backend {
    Backend::raw(|mut stream, _| async move {
        let request = support::read_request(&mut stream).await.unwrap();
        assert_eq!(request.header("connection"), Some("upgrade"));
        assert_eq!(request.header("upgrade"), Some("websocket"));
        let head = "HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\r\nhello ";
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut buffer = [0; 1024];
        while let Ok(count @ 1..) = stream.read(&mut buffer).await {
            buffer[..count].make_ascii_uppercase();
            stream.write_all(&buffer[..count]).await.unwrap();
        }
    })
    .await
}

async fn exchange(client: &mut Client, text: &str) {
    client.send(text).await;
    assert_eq!(client.take(text.len()).await.unwrap(), text.to_uppercase().as_bytes());
}

#[tokio::test(flavor = "multi_thread")]
async fn stays_open_across_a_hundred_changes() {
    let backend = shouting().await;
    let other = Backend::named("other").await;
    let mut world = World::new().route("a.example", "/", &[backend.address]);
    let mut proxy = Proxy::start(&world).await;
    let mut client = proxy.client().await;
    client.send(ASK).await;
    let head = client.head().await;
    assert!(head.starts_with("HTTP/1.1 101"), "{head}");
    assert!(head.to_lowercase().contains("connection: upgrade"), "{head}");
    assert_eq!(client.take(6).await.unwrap(), b"hello ");
    for n in 0..100 {
        world.add_route(&format!("n{n}.example"), "/", &[other.address]);
        proxy.apply(&world).await;
        exchange(&mut client, &format!("change {n}")).await;
    }
    // Not even its own route's end ends it.
    let gone = World::new().route("n0.example", "/", &[other.address]);
    proxy.apply(&gone).await;
    exchange(&mut client, "still here").await;
    drop(client);
    let log = proxy.stop().await;
    assert!(log.contains("\"GET /chat HTTP/1.1\" 101 "), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_switch_is_an_answer() {
    let backend = Backend::named("no").await;
    let proxy = Proxy::start(&World::new().route("a.example", "/", &[backend.address])).await;
    let mut client = proxy.client().await;
    client.send(ASK).await;
    assert_eq!(client.answer().await.text(), "no");
    assert_eq!(client.get("a.example", "/").await.text(), "no");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_protocol_than_asked_for_is_no_switch() {
    let answer = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: other\r\n\r\n";
    let backend = Backend::answering(move |_| answer.to_owned()).await;
    let proxy = Proxy::start(&World::new().route("a.example", "/", &[backend.address])).await;
    let mut client = proxy.client().await;
    client.send(ASK).await;
    assert_eq!(client.answer().await.status, 502);
    let mut client = proxy.client().await;
    assert_eq!(client.get("a.example", "/").await.status, 502);
}

#[tokio::test(flavor = "multi_thread")]
async fn http_2_never_hides_in_a_tunnel() {
    let backend = Backend::named("plain").await;
    let proxy = Proxy::start(&World::new().route("a.example", "/", &[backend.address])).await;
    let mut client = proxy.client().await;
    client
        .send("GET / HTTP/1.1\r\nhost: a.example\r\nconnection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n\r\n")
        .await;
    assert_eq!(client.answer().await.text(), "plain");
    let request = &backend.requests()[0];
    for name in ["upgrade", "connection", "http2-settings"] {
        assert_eq!(request.header(name), None, "{}", request.head);
    }
}
