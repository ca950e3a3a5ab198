//! WebSockets: a real client and a real server, over HTTP/1.1 and over HTTP/2 (RFC 8441).
#![allow(missing_docs, clippy::unwrap_used)]

mod support;

use futures_util::{SinkExt, StreamExt};
use hyper::ext::Protocol as Asked;
use hyper_util::rt::TokioIo;
use snapshot::Protocol;
use support::{
    Backend, H2cBackend, Proxy, World,
    h2::{AnyBody, Http2, empty, full},
    read_request, within,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tokio_tungstenite::{
    WebSocketStream, accept_hdr_async, client_async,
    tungstenite::{
        Message, Utf8Bytes,
        handshake::{
            derive_accept_key,
            server::{Request, Response},
        },
        protocol::{CloseFrame, Role, frame::coding::CloseCode},
    },
};

const MESSAGES: usize = 10_000;
const UPLOAD: usize = 10 << 20;

/// A server that speaks `chat` and sends back what it gets, the reason of a close too.
async fn server() -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                // Its error type is the library's choice.
                #[allow(clippy::result_large_err)]
                let choose = |request: &Request, mut response: Response| {
                    assert_eq!(request.headers()["sec-websocket-protocol"], "chat, other");
                    assert_eq!(request.headers()["sec-websocket-version"], "13");
                    response.headers_mut().insert("sec-websocket-protocol", "chat".parse().unwrap());
                    Ok(response)
                };
                let mut socket = accept_hdr_async(stream, choose).await.unwrap();
                while let Some(Ok(message)) = socket.next().await {
                    if !message.is_close() && !message.is_ping() && socket.send(message).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    address
}

/// All messages are on their way at once, and come back in order; then the client closes with a code of its own.
async fn converse(socket: WebSocketStream<impl AsyncRead + AsyncWrite + Unpin + Send + 'static>) {
    let (mut sink, mut stream) = socket.split();
    let sending = tokio::spawn(async move {
        for n in 0..MESSAGES {
            sink.feed(message(n)).await.unwrap();
        }
        sink.flush().await.unwrap();
        sink
    });
    for n in 0..MESSAGES {
        let got = within("a message", stream.next()).await.unwrap().unwrap();
        assert!(got == message(n), "message {n}");
    }
    let mut sink = sending.await.unwrap();
    let close = CloseFrame { code: CloseCode::Library(4321), reason: Utf8Bytes::from_static("enough") };
    sink.send(Message::Close(Some(close.clone()))).await.unwrap();
    let answer = within("a close", stream.next()).await.unwrap().unwrap();
    assert_eq!(answer, Message::Close(Some(close)));
}

fn message(n: usize) -> Message {
    if n.is_multiple_of(2) { Message::text(format!("message {n}")) } else { Message::binary(vec![n as u8; n % 700]) }
}

fn ask(url: &str, protocol: Option<&'static str>) -> http::Request<AnyBody> {
    let request = http::Request::connect(url).header("sec-websocket-version", "13");
    let mut request = request.header("sec-websocket-protocol", "chat, other").body(empty()).unwrap();
    if let Some(protocol) = protocol {
        request.extensions_mut().insert(Asked::from_static(protocol));
    }
    request
}

const URL: &str = "http://a.example/chat?room=1";

async fn status(client: &mut Http2, protocol: &'static str) -> u16 {
    client.send(ask(URL, Some(protocol))).await.unwrap().status().as_u16()
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_messages_over_http1() {
    let proxy = Proxy::start(&World::new().route("a.example", "/", &[server().await])).await;
    let stream = TcpStream::connect(proxy.http()).await.unwrap();
    let request = http::Request::get("ws://a.example/chat")
        .header("host", "a.example")
        .header("connection", "upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
        .header("sec-websocket-protocol", "chat, other");
    let (socket, answer) = client_async(request.body(()).unwrap(), stream).await.unwrap();
    assert_eq!(answer.headers()["sec-websocket-protocol"], "chat");
    converse(socket).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_messages_over_http2() {
    let backend = Backend::named("beside").await;
    let world = World::new().route("a.example", "/", &[server().await]).route("b.example", "/", &[backend.address]);
    let proxy = Proxy::start(&world).await;
    let mut client = Http2::connect(proxy.http()).await;
    // The client knows that it may ask only once it has read our settings.
    assert_eq!(client.get("http://b.example/").await.0, 200);
    let mut answer = client.send(ask(URL, Some("websocket"))).await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["sec-websocket-protocol"], "chat");
    for name in ["upgrade", "connection", "sec-websocket-accept", "content-length"] {
        assert!(!answer.headers().contains_key(name), "{name}");
    }
    let stream = TokioIo::new(hyper::upgrade::on(&mut answer).await.unwrap());
    converse(WebSocketStream::from_raw_socket(stream, Role::Client, None).await).await;
    assert_eq!(client.get("http://b.example/").await, (200, "beside".to_owned()));
    drop(client);
    let log = proxy.stop().await;
    let line = log.lines().find(|line| line.contains("/chat?room=1 HTTP/2.0\" 200 ")).unwrap();
    let sent = line.split("\" 200 ").nth(1).and_then(|rest| rest.split(' ').next()).unwrap();
    assert!(sent.parse::<usize>().unwrap() > MESSAGES * 100, "{line}");
}

/// Far more than any connection may send of which nothing comes.
#[tokio::test(flavor = "multi_thread")]
async fn a_long_upload_over_http2_is_no_flood() {
    let beside = Backend::named("beside").await;
    let sink = Backend::raw(|mut stream, _| async move {
        let head = read_request(&mut stream).await.unwrap();
        let accept = derive_accept_key(head.header("sec-websocket-key").unwrap().as_bytes());
        let switch = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n";
        stream.write_all(format!("{switch}sec-websocket-accept: {accept}\r\n\r\n").as_bytes()).await.unwrap();
        let mut left = UPLOAD;
        let mut buffer = vec![0; 1 << 16];
        while left > 0 {
            left -= stream.read(&mut buffer).await.unwrap();
        }
        stream.write_all(b"all").await.unwrap();
    })
    .await;
    let world = World::new().route("a.example", "/", &[sink.address]).route("b.example", "/", &[beside.address]);
    let proxy = Proxy::start(&world).await;
    let mut client = Http2::connect(proxy.http()).await;
    client.get("http://b.example/").await;
    let mut answer = client.send(ask(URL, Some("websocket"))).await.unwrap();
    let mut stream = TokioIo::new(hyper::upgrade::on(&mut answer).await.unwrap());
    let block = vec![0; 1 << 16];
    for _ in 0..UPLOAD / block.len() {
        within("sending", stream.write_all(&block)).await.unwrap();
    }
    let mut said = [0; 3];
    within("its end", stream.read_exact(&mut said)).await.unwrap();
    assert_eq!(&said, b"all");
    assert_eq!(client.get("http://b.example/").await, (200, "beside".to_owned()));
}

/// The tunnel outlives the idle time of its connection: it is not idle.
#[tokio::test(flavor = "multi_thread")]
async fn a_connection_with_a_tunnel_is_not_idle() {
    let world = World::new().route("a.example", "/", &[server().await]);
    let proxy = Proxy::start(&world.options(|http| http.keep_alive.idle = std::time::Duration::from_millis(200))).await;
    let mut client = Http2::connect(proxy.http()).await;
    client.get("http://b.example/").await;
    let mut answer = client.send(ask(URL, Some("websocket"))).await.unwrap();
    let stream = TokioIo::new(hyper::upgrade::on(&mut answer).await.unwrap());
    let mut socket = WebSocketStream::from_raw_socket(stream, Role::Client, None).await;
    tokio::time::sleep(std::time::Duration::from_millis(800)).await;
    socket.send(Message::text("still here")).await.unwrap();
    assert_eq!(within("an echo", socket.next()).await.unwrap().unwrap(), Message::text("still here"));
}

/// A client that was told 200 would take it for a tunnel.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_switch_opens_no_tunnel() {
    let wrong = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n";
    for (answer, expected) in [
        ("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nno".to_owned(), 502),
        ("HTTP/1.1 204 No Content\r\n\r\n".to_owned(), 502),
        ("HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\n\r\nno".to_owned(), 403),
        (format!("{wrong}\r\n"), 502),
        (format!("{wrong}sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"), 502),
    ] {
        let said = answer.clone();
        let backend = Backend::answering(move |_| said.clone()).await;
        let proxy = Proxy::start(&World::new().route("a.example", "/", &[backend.address])).await;
        let mut client = Http2::connect(proxy.http()).await;
        client.get("http://b.example/").await;
        assert_eq!(status(&mut client, "websocket").await, expected, "{answer}");
        assert_eq!(client.get("http://b.example/").await.0, 404, "{answer}");
        let request = &backend.requests()[0];
        assert!(request.head.starts_with("GET /chat?room=1 HTTP/1.1\r\n"), "{}", request.head);
        assert_eq!(request.header("connection"), Some("upgrade"));
        assert_eq!(request.header("host"), Some("a.example"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn other_tunnels_are_refused() {
    let backend = Backend::named("never").await;
    let proxy = Proxy::start(&World::new().route("a.example", "/", &[backend.address])).await;
    let mut client = Http2::connect(proxy.http()).await;
    client.get("http://b.example/").await;
    assert_eq!(status(&mut client, "connect-udp").await, 501);
    assert_eq!(client.send(ask("a.example:443", None)).await.unwrap().status(), 405);
    assert!(backend.requests().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn endpoints_that_speak_http2_are_not_asked() {
    let backend = H2cBackend::start(None, |_| async { http::Response::new(full("never")) }).await;
    let world = World::new().route("a.example", "/", &[backend.address]).protocol(Protocol::Http2);
    let proxy = Proxy::start(&world).await;
    let mut client = Http2::connect(proxy.http()).await;
    client.get("http://b.example/").await;
    assert_eq!(status(&mut client, "websocket").await, 501);
    assert!(backend.heads.lock().unwrap().is_empty());
}
