//! Backends that speak HTTP/2 in the clear. Calls of gRPC as its own client makes them are in `grpc_real`.
#![allow(missing_docs, clippy::unwrap_used)]

mod support;

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Frame, Incoming};
use snapshot::Protocol;
use support::{
    Backend, H2cBackend, Proxy, World,
    h2::{self, AnyBody, Http2, Raw, full, get},
    within,
};
use tokio::{
    io::AsyncReadExt,
    sync::{Notify, mpsc},
};

/// A message as gRPC frames it: not compressed, its length, itself.
fn message(text: &str) -> Bytes {
    let mut bytes = vec![0];
    bytes.extend(u32::try_from(text.len()).unwrap().to_be_bytes());
    bytes.extend(text.as_bytes());
    bytes.into()
}

fn status(code: &'static str) -> Frame<Bytes> {
    let mut trailers = http::HeaderMap::new();
    trailers.insert("grpc-status", http::HeaderValue::from_static(code));
    Frame::trailers(trailers)
}

/// A body that goes on as long as its sender.
fn stream() -> (mpsc::UnboundedSender<Frame<Bytes>>, AnyBody) {
    let (sender, mut receiver) = mpsc::unbounded_channel::<Frame<Bytes>>();
    let frames = futures_util::stream::poll_fn(move |cx| receiver.poll_recv(cx).map(|frame| frame.map(Ok)));
    (sender, BodyExt::boxed(StreamBody::new(frames)))
}

fn response(body: AnyBody) -> http::Response<AnyBody> {
    http::Response::builder().header("content-type", "application/grpc").body(body).unwrap()
}

/// `Upper`: each message comes back in capitals, at once; the call ends with status 0.
async fn upper(request: http::Request<Incoming>) -> http::Response<AnyBody> {
    let (sender, body) = stream();
    tokio::spawn(async move {
        let mut incoming = request.into_body();
        while let Some(Ok(frame)) = incoming.frame().await {
            if let Ok(data) = frame.into_data() {
                sender.send(Frame::data(data.to_ascii_uppercase().into())).ok();
            }
        }
        sender.send(status("0")).ok();
    });
    response(body)
}

fn call(body: AnyBody) -> http::Request<AnyBody> {
    let request = http::Request::post("http://a.example/pkg.Service/Method");
    request.header("content-type", "application/grpc").header("te", "trailers").body(body).unwrap()
}

async fn served(backend: &H2cBackend) -> (Proxy, Http2) {
    let world = World::new().route("a.example", "/", &[backend.address]).protocol(Protocol::Http2);
    let proxy = Proxy::start(&world).await;
    let client = Http2::connect(proxy.http()).await;
    (proxy, client)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_keeps_its_form() {
    let backend = H2cBackend::start(None, upper).await;
    let (_proxy, mut client) = served(&backend).await;
    let answer = client.send(call(full(message("hello")))).await.unwrap();
    assert_eq!(
        (answer.status().as_u16(), &answer.headers()["content-type"]),
        (200, &"application/grpc".parse().unwrap())
    );
    let whole = within("the body", answer.into_body().collect()).await.unwrap();
    assert_eq!(whole.trailers().unwrap()["grpc-status"], "0");
    assert_eq!(whole.to_bytes(), message("HELLO"));
    let head = backend.heads.lock().unwrap().pop().unwrap();
    assert_eq!(
        (head.uri.to_string().as_str(), &head.method),
        ("http://a.example/pkg.Service/Method", &http::Method::POST)
    );
    assert_eq!(head.headers["te"], "trailers");
    assert!(head.headers.get("host").is_none() && head.headers.get("connection").is_none());
    assert_eq!(head.headers["x-forwarded-host"], "a.example");
}

/// Says when the request is here, and when it is taken back.
async fn stubborn(most: Option<u32>) -> (H2cBackend, Arc<Notify>, Arc<Notify>) {
    let (asked, left) = (Arc::<Notify>::default(), Arc::<Notify>::default());
    let (tell, tell_left) = (Arc::clone(&asked), Arc::clone(&left));
    let backend = H2cBackend::start(most, move |request: http::Request<Incoming>| {
        let (asked, left) = (Arc::clone(&tell), Arc::clone(&tell_left));
        async move {
            if request.uri().path() == "/quick" {
                return response(full("quick"));
            }
            struct Left(Arc<Notify>);
            impl Drop for Left {
                fn drop(&mut self) {
                    self.0.notify_one();
                }
            }
            let _left = Left(left);
            asked.notify_one();
            std::future::pending().await
        }
    })
    .await;
    (backend, asked, left)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_is_taken_back_is_cancelled_alone() {
    let (backend, asked, left) = stubborn(None).await;
    let (proxy, mut client) = served(&backend).await;
    assert_eq!(client.get("http://a.example/quick").await.1, "quick");
    let answer = tokio::spawn(client.sender.send_request(call(full(message("hello")))));
    within("the call", asked.notified()).await;
    answer.abort();
    within("the cancellation", left.notified()).await;
    assert_eq!(client.get("http://a.example/quick").await.1, "quick");
    assert_eq!(backend.connections(), 1);
    drop(client);
    assert!(proxy.stop().await.contains("\"POST /pkg.Service/Method HTTP/2.0\" 499 "));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_call_is_504_and_its_connection_gets_no_more() {
    let (backend, _asked, left) = stubborn(None).await;
    let world = World::new().route("a.example", "/", &[backend.address]).protocol(Protocol::Http2);
    let proxy = Proxy::start(&world.timeouts(|timeouts| timeouts.read = Duration::from_secs(1))).await;
    let mut client = Http2::connect(proxy.http()).await;
    assert_eq!(client.get("http://a.example/slow").await.0, 504);
    within("the cancellation", left.notified()).await;
    assert_eq!(client.get("http://a.example/quick").await.1, "quick");
    assert_eq!(backend.connections(), 2);
}

/// Asks so often at once; each answer is "ok".
async fn all_ok(client: &Http2, requests: usize) {
    let ask = |_| {
        let mut client = client.clone();
        tokio::spawn(async move { client.get("http://a.example/").await })
    };
    for request in (0..requests).map(ask).collect::<Vec<_>>() {
        assert_eq!(request.await.unwrap(), (200, "ok".to_owned()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_requests_share_one_connection() {
    let backend = H2cBackend::start(None, |_| async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        response(full("ok"))
    })
    .await;
    let (_proxy, mut client) = served(&backend).await;
    assert_eq!(client.get("http://a.example/").await.0, 200);
    all_ok(&client, 50).await;
    assert_eq!(backend.connections(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn at_the_endpoints_limit_another_connection_is_opened() {
    let (backend, asked, _left) = stubborn(Some(4)).await;
    let (_proxy, client) = served(&backend).await;
    let mut held = Vec::new();
    for _ in 0..40 {
        let mut client = client.clone();
        held.push(tokio::spawn(async move { client.sender.send_request(get("http://a.example/slow")).await }));
        within("the request", asked.notified()).await;
    }
    assert_eq!(backend.crowd(), 4);
    // Ten hold them all. A connection that is new is not known to take more than one, so there may be some more.
    assert!((10..20).contains(&backend.connections()), "{}", backend.connections());
    held.iter().for_each(|request| request.abort());
}

#[tokio::test(flavor = "multi_thread")]
async fn where_there_is_no_room_at_all_it_is_503_after_a_while() {
    let (backend, _asked, _left) = stubborn(Some(1)).await;
    let world = World::new().route("a.example", "/", &[backend.address]).protocol(Protocol::Http2);
    let world = world.timeouts(|timeouts| timeouts.connect = Duration::from_secs(2));
    let proxy = Proxy::start(&world).await;
    let mut client = Http2::connect(proxy.http()).await;
    // 64 connections of one request each is what a worker has for an endpoint.
    let mut stuck = Vec::new();
    for count in 1..=64 {
        stuck.push(tokio::spawn(client.sender.send_request(get("http://a.example/slow"))));
        support::eventually("another connection", || backend.connections() == count).await;
    }
    assert_eq!(client.get("http://a.example/quick").await.0, 503);
    assert_eq!(backend.connections(), 64);
    stuck.iter().for_each(|request| request.abort());
    assert_eq!(client.get("http://a.example/quick").await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_is_not_there_is_502_for_everybody_at_once() {
    let backend = H2cBackend::start(None, upper).await;
    let (_proxy, client) = served(&backend).await;
    drop(backend);
    tokio::time::sleep(Duration::from_millis(20)).await;
    let requests: Vec<_> = (0..20)
        .map(|_| {
            let mut client = client.clone();
            tokio::spawn(async move { client.get("http://a.example/").await.0 })
        })
        .collect();
    for request in requests {
        assert_eq!(request.await.unwrap(), 502);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn http1_clients_are_served_too() {
    let backend = H2cBackend::start(None, |request: http::Request<Incoming>| async move {
        let (sender, body) = stream();
        let text = format!("{} {}", request.uri(), request.headers().contains_key("upgrade"));
        let rest = request.into_body().collect().await.unwrap().to_bytes();
        sender.send(Frame::data(text.into())).unwrap();
        sender.send(Frame::data(rest)).unwrap();
        sender.send(status("0")).unwrap();
        response(body)
    })
    .await;
    let (proxy, _client) = served(&backend).await;
    let mut client = proxy.client().await;
    let answer = client.get("a.example", "/x?y").await;
    assert_eq!((answer.status, answer.text()), (200, "http://a.example/x?y false"));
    client.send("POST / HTTP/1.1\r\nhost: a.example\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n").await;
    assert_eq!(client.answer().await.text(), "http://a.example/ falseabc");
    client.send("GET / HTTP/1.1\r\nhost: a.example\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n").await;
    assert_eq!(client.answer().await.text(), "http://a.example/ false");
    let mut old = proxy.client().await;
    old.send("GET / HTTP/1.0\r\nhost: a.example\r\n\r\n").await;
    assert!(old.rest().await.ends_with("http://a.example/ false"));
    // One for each worker at most.
    assert!(backend.connections() <= 2, "{}", backend.connections());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_breaks_a_call_off_breaks_that_call() {
    let backend = H2cBackend::start(None, |request: http::Request<Incoming>| async move {
        let (sender, body) = stream();
        sender.send(Frame::data(message("half"))).unwrap();
        if request.uri().path() == "/broken" {
            let frames =
                futures_util::stream::iter([Ok(Frame::data(message("half"))), Err(std::io::Error::other("broken"))]);
            return response(BodyExt::boxed(StreamBody::new(frames)));
        }
        sender.send(status("0")).unwrap();
        response(body)
    })
    .await;
    let (_proxy, mut client) = served(&backend).await;
    let answer = client.send(get("http://a.example/broken")).await.unwrap();
    // The endpoint may have taken back even the head, with what it had not sent yet.
    let refused = answer.status() == 502;
    assert!(within("the end", answer.into_body().collect()).await.is_err() || refused);
    assert_eq!(client.get("http://a.example/").await.0, 200);
    assert_eq!(backend.connections(), 1);
}

/// Answers each request with a frame; a connection of which it says that it ends, it ends.
async fn refusing(answer: fn(u32) -> h2::Frame) -> Backend {
    Backend::raw(move |stream, _| async move {
        let mut raw = Raw { stream };
        raw.stream.read_exact(&mut [0; 24]).await.unwrap();
        raw.send(&[h2::Frame::new(h2::SETTINGS, 0, 0, [])]).await;
        while let Some(head) = raw.next_of(&[h2::HEADERS]).await {
            let answer = answer(head.stream);
            raw.send(std::slice::from_ref(&answer)).await;
            if answer.kind == h2::GOAWAY {
                return;
            }
        }
    })
    .await
}

fn goaway(last: u32) -> h2::Frame {
    h2::Frame::new(h2::GOAWAY, 0, 0, [last.to_be_bytes(), 0u32.to_be_bytes()].concat())
}

/// Calls two endpoints in turn, one of which refuses as told.
async fn called(answer: fn(u32) -> h2::Frame) -> (Vec<u16>, usize, usize) {
    let (refusing, upper) = (refusing(answer).await, H2cBackend::start(None, upper).await);
    let endpoints = [refusing.address, upper.address];
    let world = World::new().route("a.example", "/", &endpoints).protocol(Protocol::Http2);
    let proxy = Proxy::with_workers(1, &world).await;
    let mut client = Http2::connect(proxy.http()).await;
    let mut statuses = Vec::new();
    for _ in 0..4 {
        // What of a body was sent as it came could not be sent again.
        statuses.push(client.send(call(h2::empty())).await.unwrap().status().as_u16());
    }
    (statuses, refusing.connections(), upper.heads.lock().unwrap().len())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_was_not_begun_goes_to_another_endpoint() {
    let refused = |stream: u32| h2::Frame::new(h2::RST_STREAM, 0, stream, 7u32.to_be_bytes());
    for answer in [refused, |_| goaway(0)] {
        let (statuses, refusals, calls) = called(answer).await;
        assert_eq!((statuses, calls), (vec![200; 4], 4));
        assert!(refusals > 0);
    }
}

/// It may have been acted on.
#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_was_begun_is_made_once() {
    let internal_error = |stream: u32| h2::Frame::new(h2::RST_STREAM, 0, stream, 2u32.to_be_bytes());
    for answer in [internal_error, goaway] {
        let (mut statuses, refusals, calls) = called(answer).await;
        statuses.sort_unstable();
        assert_eq!((statuses, calls), (vec![200, 200, 502, 502], 2));
        assert!(refusals > 0);
    }
}

/// The connection was not stale, so each is a try.
#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_is_reset_on_a_kept_connection_counts_as_a_try() {
    static ASKED: AtomicUsize = AtomicUsize::new(0);
    let only_the_first = |stream: u32| match ASKED.fetch_add(1, Ordering::SeqCst) {
        // The head of an answer with status 200 (RFC 7541 appendix A, entry 8) and nothing else.
        0 => h2::Frame::new(h2::HEADERS, 5, stream, [0x88]),
        _ => h2::Frame::new(h2::RST_STREAM, 0, stream, 2u32.to_be_bytes()),
    };
    let endpoint = refusing(only_the_first).await;
    let world = World::new().route("a.example", "/", &[endpoint.address]).protocol(Protocol::Http2);
    let proxy = Proxy::with_workers(1, &world).await;
    let mut client = Http2::connect(proxy.http()).await;
    assert_eq!(client.get("http://a.example/").await.0, 200);
    assert_eq!(client.get("http://a.example/").await.0, 502);
    assert_eq!((ASKED.load(Ordering::SeqCst), endpoint.connections()), (1 + 3, 1));
}
