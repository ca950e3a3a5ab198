//! The echo backend itself: the other tests believe what it says.

use std::time::Duration;

use super::{Backend, Identity, serve};
use crate::client::{Headers, RequestBody, Target, complete};
use futures_util::{SinkExt, StreamExt};
use hyper::{Method, Request, StatusCode};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};
use tokio_tungstenite::tungstenite::Message;

struct Server {
    target: Target,
    stop: oneshot::Sender<()>,
    done: JoinHandle<()>,
}

async fn start() -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let identity = Identity { pod: "echo-a".into(), service: "shop".into(), ..Identity::default() };
    let (stop, stopped) = oneshot::channel::<()>();
    let done = tokio::spawn(serve(listener, Backend::new(identity), None, async { drop(stopped.await) }));
    let target = Target { http_port: address.port(), ..Target::new(address.ip()) };
    Server { target, stop, done }
}

fn get(path: &str) -> Request<RequestBody> {
    Request::get(path).header("Host", "shop.example").body(RequestBody::default()).unwrap()
}

#[tokio::test]
async fn says_what_it_received() {
    let server = start().await;
    let headers = Headers::from([("x-a".to_owned(), "b".to_owned())]);
    let answer = server.target.send(Method::GET, "http://Shop.example:81/a%2Fb?c=d", &headers).await.unwrap();
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.headers["content-type"], "application/json");
    assert_eq!(answer.headers["x-content-type-options"], "nosniff");
    assert_eq!(answer.headers["content-length"], answer.body.len().to_string());
    assert!(answer.headers.contains_key("date") && !answer.headers.contains_key("server"));
    assert_eq!(answer.headers["x-echo-peer"], "127.0.0.1");

    let echo: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
    let wanted = serde_json::json!({
        "path": "/a%2Fb?c=d", "host": "Shop.example:81", "method": "GET", "proto": "HTTP/1.1",
        "headers": { "X-A": ["b"] },
        "namespace": "", "ingress": "", "service": "shop", "pod": "echo-a", "tls": null,
    });
    assert_eq!(echo, wanted);
}

#[tokio::test]
async fn is_ready_until_told_otherwise() {
    let server = start().await;
    let health = || async { server.target.get("x", "/health").await.unwrap().status.as_u16() };
    assert_eq!(health().await, 200);
    let answer = server.target.send(Method::POST, "http://x/_echo/ready?value=false", &Headers::new()).await.unwrap();
    assert_eq!((answer.status.as_u16(), health().await), (200, 503));
    let answer = server.target.send(Method::POST, "http://x/_echo/ready?value=true", &Headers::new()).await.unwrap();
    assert_eq!((answer.status.as_u16(), health().await), (200, 200));
    let answer = server.target.send(Method::POST, "http://x/_echo/ready?value=perhaps", &Headers::new()).await.unwrap();
    assert_eq!((answer.status.as_u16(), health().await), (400, 200));
}

#[tokio::test]
async fn counts_and_sends_bytes() {
    let server = start().await;
    let answer = server.target.get("x", "/_echo/bytes?n=200000").await.unwrap();
    assert_eq!(answer.headers["content-length"], "200000");
    assert_eq!(answer.body, vec![0; 200_000]);
    assert_eq!(server.target.get("x", "/_echo/status?code=418").await.unwrap().status, 418);
    assert_eq!(server.target.get("x", "/_echo/status?code=101").await.unwrap().status, 400);

    let mut connection = server.target.open().await.unwrap();
    let request = Request::post("/_echo/count").body(RequestBody::from("abc")).unwrap();
    let answer = complete(&mut connection, request).await.unwrap();
    let wanted = serde_json::json!({
        "bytes": 3,
        // FIPS 180-2, appendix B.1: the digest of "abc".
        "sha256": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    });
    assert_eq!(serde_json::from_slice::<serde_json::Value>(&answer.body).unwrap(), wanted);
}

#[tokio::test]
async fn sends_back_websocket_messages() {
    let server = start().await;
    let stream = TcpStream::connect((server.target.address, server.target.http_port)).await.unwrap();
    let (mut socket, response) = tokio_tungstenite::client_async("ws://shop.example/any", stream).await.unwrap();
    assert_eq!(response.status(), StatusCode::SWITCHING_PROTOCOLS);
    for message in [Message::text("hello"), Message::binary(vec![7; 100_000])] {
        socket.send(message.clone()).await.unwrap();
        assert_eq!(socket.next().await.unwrap().unwrap(), message);
    }
    socket.close(None).await.unwrap();
}

#[tokio::test]
async fn leaves_without_breaking_a_request() {
    let server = start().await;
    let mut idle = server.target.open().await.unwrap();
    complete(&mut idle, get("/")).await.unwrap();
    let mut busy = server.target.open().await.unwrap();
    let begun = Instant::now();
    let slow = tokio::spawn(async move { complete(&mut busy, get("/_echo/delay?ms=500")).await });
    tokio::time::sleep(Duration::from_millis(100)).await;

    server.stop.send(()).unwrap();
    let closed = timeout(Duration::from_millis(300), async {
        while !idle.is_closed() {
            tokio::task::yield_now().await
        }
    });
    closed.await.expect("an idle connection is closed at once");
    assert!(server.target.open::<RequestBody>().await.is_err(), "no new connection is accepted");
    let answer = slow.await.unwrap().expect("the request in flight is answered");
    assert_eq!((answer.status, begun.elapsed() >= Duration::from_millis(500)), (StatusCode::OK, true));
    timeout(Duration::from_secs(1), server.done).await.expect("then it is done").unwrap();
}
