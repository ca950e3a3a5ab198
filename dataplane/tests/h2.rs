//! HTTP/2 towards clients, with backends that speak HTTP/1.1.
#![allow(missing_docs, clippy::unwrap_used)]

mod support;

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http_body_util::BodyExt;
use support::{
    Backend, H2cBackend, Proxy, World, eventually,
    h2::{self, Frame, Http2, Raw, block, full, get},
    within,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

async fn served(answer: &'static str) -> (Proxy, Backend) {
    let backend = Backend::named(answer).await;
    (Proxy::start(&World::new().route("a.example", "/", &[backend.address])).await, backend)
}

#[tokio::test(flavor = "multi_thread")]
async fn prior_knowledge_in_the_clear() {
    let (proxy, backend) = served("hello").await;
    let mut client = Http2::connect(proxy.http()).await;
    for path in ["/", "/a?b"] {
        assert_eq!(client.get(&format!("http://a.example{path}")).await, (200, "hello".to_owned()));
    }
    let received = backend.requests();
    assert!(received[1].head.starts_with("GET /a?b HTTP/1.1\r\n"), "{}", received[1].head);
    assert_eq!(received[1].header("host"), Some("a.example"));
    assert_eq!(client.get("http://b.example/").await.0, 404);
    assert_eq!(backend.connections(), 1);
    drop(client);
    let log = proxy.stop().await;
    assert!(log.contains("\"GET /a?b HTTP/2.0\" 200 "), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn http1_is_told_apart_however_its_bytes_come() {
    let (proxy, _backend) = served("hello").await;
    for pieces in
        [["P", "OST / HTTP/1.1\r\nhost: a.example\r\n\r\n"], ["GET / HT", "TP/1.1\r\nhost: a.example\r\n\r\n"]]
    {
        let mut client = proxy.client().await;
        for piece in pieces {
            client.send(piece).await;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert_eq!(client.answer().await.text(), "hello", "{pieces:?}");
    }
    let mut client = proxy.client().await;
    client.send("PRI /x HTTP/1.1\r\nhost: b.example\r\n\r\n").await;
    assert_eq!(client.answer().await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_preface_may_come_in_pieces() {
    let (proxy, _backend) = served("hello").await;
    let mut raw = Raw { stream: tokio::net::TcpStream::connect(proxy.http()).await.unwrap() };
    for piece in [&b"PRI * HT"[..], b"TP/2.0\r\n\r", b"\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0"] {
        raw.stream.write_all(piece).await.unwrap();
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    raw.send(&[h2::head(1)]).await;
    assert_eq!(raw.next_of(&[h2::DATA]).await.unwrap().payload, b"hello");
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_of_both_versions_share_an_upstream_connection() {
    let backend = Backend::named("hello").await;
    let proxy = Proxy::with_workers(1, &World::new().route("a.example", "/", &[backend.address])).await;
    let (mut http1, mut http2) = (proxy.client().await, Http2::connect(proxy.http()).await);
    for _ in 0..3 {
        assert_eq!(http2.get("http://a.example/").await, (200, "hello".to_owned()));
        assert_eq!(http1.get("a.example", "/").await.text(), "hello");
    }
    assert_eq!(backend.connections(), 1);
    // A stream that has it and goes away takes the connection along, also where it had a task before.
    assert!(http2.send(get("http://a.example/")).await.is_ok());
    drop(http2);
    assert_eq!(http1.get("a.example", "/").await.text(), "hello");
}

#[tokio::test(flavor = "multi_thread")]
async fn it_can_be_switched_off() {
    let backend = Backend::named("hello").await;
    let world = World::new().route("a.example", "/", &[backend.address]).options(|http| http.http2 = None);
    let proxy = Proxy::start(&world).await;
    let mut client = proxy.client().await;
    client.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
    let text = client.rest().await;
    assert!(text.is_empty() || text.starts_with("HTTP/1.1 4"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_are_answered_side_by_side() {
    let go_on = Arc::<tokio::sync::Notify>::default();
    let wait = Arc::clone(&go_on);
    let backend = Backend::raw(move |mut stream, _| {
        let wait = Arc::clone(&wait);
        async move {
            while let Some(request) = support::read_request(&mut stream).await {
                if request.head.starts_with("GET /slow") {
                    wait.notified().await;
                }
                stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await.unwrap();
            }
        }
    })
    .await;
    let proxy = Proxy::start(&World::new().route("a.example", "/", &[backend.address])).await;
    let client = Http2::connect(proxy.http()).await;
    let mut other = client.clone();
    let slow = tokio::spawn(async move { other.get("http://a.example/slow").await });
    let requests = (0..100).map(|_| {
        let mut client = client.clone();
        tokio::spawn(async move { client.get("http://a.example/").await })
    });
    for request in requests.collect::<Vec<_>>() {
        assert_eq!(request.await.unwrap(), (200, "ok".to_owned()));
    }
    assert!(!slow.is_finished());
    go_on.notify_one();
    assert_eq!(slow.await.unwrap().0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn large_bodies_both_ways() {
    let backend = Backend::answering(|request| {
        let body = String::from_utf8(request.body.clone()).unwrap();
        format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len())
    })
    .await;
    let proxy = Proxy::start(&World::new().route("a.example", "/", &[backend.address]).max_body(None)).await;
    let mut client = Http2::connect(proxy.http()).await;
    let body: Bytes = "0123456789abcdef".repeat(1 << 18).into();
    let request = http::Request::post("http://a.example/").body(full(body.clone())).unwrap();
    let answer = client.send(request).await.unwrap();
    assert_eq!(answer.headers()["content-length"], body.len().to_string());
    assert!(within("the body", answer.into_body().collect()).await.unwrap().to_bytes() == body);
    let small = http::Request::post("http://a.example/").body(full("x=y")).unwrap();
    assert_eq!(client.send(small).await.unwrap().headers()["content-length"], "3");
    assert_eq!(backend.requests().pop().unwrap().header("content-length"), Some("3"));
}

#[tokio::test(flavor = "multi_thread")]
async fn fields_become_those_of_http1() {
    let (proxy, backend) = served("hello").await;
    let mut client = Http2::connect(proxy.http()).await;
    let request = http::Request::get("http://A.example:80/").header("cookie", "a=1").header("cookie", "b=2");
    let request = request.header("te", "trailers").body(h2::empty()).unwrap();
    let answer = client.send(request).await.unwrap();
    assert!(answer.headers().get("connection").is_none());
    let received = backend.requests().pop().unwrap();
    assert_eq!(received.header("host"), Some("A.example:80"));
    assert_eq!(received.header("cookie"), Some("a=1; b=2"));
    assert_eq!((received.header("te"), received.header("connection")), (Some("trailers"), Some("te")));
    assert_eq!(received.head.matches("cookie").count(), 1);
}

/// What is malformed by RFC 9113 section 8: the stream is reset, or the request refused, and no backend sees it.
#[tokio::test(flavor = "multi_thread")]
async fn malformed_requests_are_refused_and_never_sent_on() {
    let backend = Backend::named("must not be asked").await;
    let proxy = Proxy::start(&World::new().route("", "/", &[backend.address])).await;
    let base = [(":method", "GET"), (":scheme", "http"), (":path", "/")];
    let with = |fields: &[(&'static str, &'static str)]| [&base[..], fields].concat();
    let a = (":authority", "a.example");
    for (fields, status) in [
        (with(&[]), Some("400")),
        (with(&[a, ("host", "b.example")]), Some("400")),
        (with(&[a, ("host", "a.example"), ("host", "a.example")]), Some("400")),
        (with(&[(":authority", "user@a.example")]), Some("400")),
        (with(&[(":authority", "")]), None),
        (with(&[("host", "a b")]), Some("400")),
        (vec![(":method", "GET"), (":scheme", "ftp"), (":path", "/"), a], Some("400")),
        (vec![(":method", "GET"), (":scheme", "http"), (":path", "*"), a], Some("400")),
        (vec![(":method", "GET"), (":scheme", "http"), (":path", "/%00"), a], Some("400")),
        (vec![(":method", "GET"), (":scheme", "http"), (":path", "/../x"), a], Some("400")),
        (vec![(":method", "TRACE"), (":scheme", "http"), (":path", "/"), a], Some("405")),
        (vec![(":method", "CONNECT"), (":authority", "a.example:443")], Some("405")),
        (vec![(":method", "GET"), (":scheme", "http"), (":path", "x"), a], None),
        (vec![(":method", "GET"), (":scheme", "http"), (":path", ""), a], None),
        (vec![(":method", "GET"), (":scheme", "http"), a], None),
        (vec![(":method", "GET"), (":path", "/"), a], None),
        (vec![(":scheme", "http"), (":path", "/"), a], None),
        (vec![(":method", "CONNECT"), (":protocol", "other"), (":scheme", "http"), (":path", "/"), a], Some("501")),
        (vec![(":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "http"), a], None),
        (vec![(":method", "GET"), (":protocol", "websocket"), (":scheme", "http"), (":path", "/"), a], None),
        (with(&[a, ("connection", "keep-alive")]), None),
        (with(&[a, ("keep-alive", "1")]), None),
        (with(&[a, ("proxy-connection", "keep-alive")]), None),
        (with(&[a, ("transfer-encoding", "chunked")]), None),
        (with(&[a, ("upgrade", "websocket")]), None),
        (with(&[a, ("te", "gzip")]), None),
        (with(&[a, ("X-Upper", "1")]), None),
        (with(&[a, ("x", "a\r\nb: c")]), None),
        (with(&[a, (":path", "/b")]), None),
        (with(&[a, ("x", "y"), (":method", "POST")]), None),
        (with(&[a, (":unknown", "y")]), None),
        (with(&[a, ("content-length", "5")]), None),
    ] {
        let mut raw = Raw::connect(proxy.http()).await;
        raw.send(&[Frame::new(h2::HEADERS, h2::END_HEADERS | h2::END_STREAM, 1, block(&fields))]).await;
        let frame = raw.next_of(&[h2::HEADERS, h2::RST_STREAM, h2::GOAWAY]).await.unwrap();
        match status {
            Some(_) => {
                assert_eq!(frame.kind, h2::HEADERS, "{fields:?}: {frame:?}");
                let text = raw.next_of(&[h2::DATA]).await.unwrap().payload;
                assert_eq!(std::str::from_utf8(&text).unwrap().get(..3), status, "{fields:?}");
            }
            None => assert_ne!(frame.kind, h2::HEADERS, "{fields:?}"),
        }
    }
    let complete: Vec<_> = backend.requests().iter().map(|request| request.head.clone()).collect();
    assert!(complete.is_empty(), "{complete:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn heads_have_the_limits_of_http1() {
    let (proxy, _backend) = served("hello").await;
    for (path, value, expected) in [(8200, 1, 414), (1, 8200, 431), (1, 10, 200)] {
        let mut client = Http2::connect(proxy.http()).await;
        let url = format!("http://a.example/{}", "x".repeat(path));
        let request = http::Request::get(url).header("x", "y".repeat(value)).body(h2::empty()).unwrap();
        assert_eq!(client.send(request).await.unwrap().status(), expected);
    }
    let mut client = Http2::connect(proxy.http()).await;
    let many =
        (0..101).fold(http::Request::get("http://a.example/"), |request, n| request.header(format!("x{n}"), "y"));
    assert_eq!(client.send(many.body(h2::empty()).unwrap()).await.unwrap().status(), 431);
}

/// A backend that says when it is asked, and when it is left.
async fn stubborn() -> (Backend, Arc<tokio::sync::Notify>, Arc<tokio::sync::Notify>) {
    let (asked, left) = (Arc::<tokio::sync::Notify>::default(), Arc::<tokio::sync::Notify>::default());
    let (tell, tell_left) = (Arc::clone(&asked), Arc::clone(&left));
    let backend = Backend::raw(move |mut stream, _| {
        let (asked, left) = (Arc::clone(&tell), Arc::clone(&tell_left));
        async move {
            if support::read_request(&mut stream).await.is_some() {
                asked.notify_one();
                support::read_request(&mut stream).await;
                left.notify_one();
            }
        }
    })
    .await;
    (backend, asked, left)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reset_cancels_the_request_and_no_other() {
    let (backend, asked, left) = stubborn().await;
    let hello = Backend::named("hello").await;
    let world = World::new().route("a.example", "/", &[backend.address]).route("b.example", "/", &[hello.address]);
    let proxy = Proxy::start(&world).await;
    let mut client = Http2::connect(proxy.http()).await;
    let answer = client.sender.send_request(get("http://a.example/"));
    let answer = tokio::spawn(answer);
    within("the request", asked.notified()).await;
    answer.abort();
    within("the end of the upstream request", left.notified()).await;
    assert_eq!(client.get("http://b.example/").await.0, 200);
    drop(client);
    let log = proxy.stop().await;
    assert!(log.contains("\"GET / HTTP/2.0\" 499 "), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_answer_resets_its_stream_alone() {
    let broken = Backend::raw(|mut stream, _| async move {
        support::read_request(&mut stream).await.unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf").await.unwrap();
    })
    .await;
    let hello = Backend::named("hello").await;
    let world = World::new().route("a.example", "/", &[broken.address]).route("b.example", "/", &[hello.address]);
    let proxy = Proxy::start(&world).await;
    let mut client = Http2::connect(proxy.http()).await;
    let answer = client.send(get("http://a.example/")).await.unwrap();
    assert!(within("the end", answer.into_body().collect()).await.is_err());
    assert_eq!(client.get("http://b.example/").await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_answer_is_504_and_a_stalled_one_is_cut() {
    let backend = Backend::raw(|mut stream, count| async move {
        support::read_request(&mut stream).await.unwrap();
        if count > 0 {
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf").await.unwrap();
        }
        std::future::pending::<()>().await;
    })
    .await;
    let world = World::new().route("a.example", "/", &[backend.address]);
    let proxy = Proxy::start(&world.timeouts(|timeouts| timeouts.read = Duration::from_secs(1))).await;
    let mut client = Http2::connect(proxy.http()).await;
    assert_eq!(client.get("http://a.example/").await.0, 504);
    let answer = client.send(get("http://a.example/")).await.unwrap();
    assert!(within("the end", answer.into_body().collect()).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn goes_away_after_so_many_requests() {
    let backend = Backend::named("hello").await;
    let world = World::new().route("a.example", "/", &[backend.address]).options(|http| http.keep_alive.requests = 3);
    let proxy = Proxy::start(&world).await;
    let mut client = Http2::connect(proxy.http()).await;
    for _ in 0..3 {
        assert_eq!(client.get("http://a.example/").await.0, 200);
    }
    client.closed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_ones_are_closed_busy_ones_are_not() {
    let (backend, asked, _left) = stubborn().await;
    let world = World::new().route("a.example", "/", &[backend.address]);
    let proxy = Proxy::start(&world.options(|http| http.keep_alive.idle = Duration::from_secs(1))).await;
    let (idle, mut busy, mut deaf) =
        (Http2::connect(proxy.http()).await, Http2::connect(proxy.http()).await, Raw::connect(proxy.http()).await);
    let answer = tokio::spawn(busy.sender.send_request(get("http://a.example/")));
    within("the request", asked.notified()).await;
    idle.closed().await;
    // This one never answers the ping that a graceful end waits for.
    assert_eq!(deaf.next_of(&[h2::GOAWAY]).await.unwrap().code(), 0);
    deaf.ended().await;
    assert!(!answer.is_finished());
}

#[tokio::test(flavor = "multi_thread")]
async fn leaves_without_losing_a_request() {
    let go_on = Arc::<tokio::sync::Notify>::default();
    let asked = Arc::<tokio::sync::Notify>::default();
    let (wait, tell) = (Arc::clone(&go_on), Arc::clone(&asked));
    let backend = Backend::raw(move |mut stream, _| {
        let (wait, tell) = (Arc::clone(&wait), Arc::clone(&tell));
        async move {
            support::read_request(&mut stream).await.unwrap();
            tell.notify_one();
            wait.notified().await;
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\ndone").await.unwrap();
        }
    })
    .await;
    let proxy = Proxy::start(&World::new().route("a.example", "/", &[backend.address])).await;
    let (mut used, mut busy) = (Http2::connect(proxy.http()).await, Http2::connect(proxy.http()).await);
    assert_eq!(used.get("http://b.example/").await.0, 404);
    let request = tokio::spawn(async move { busy.get("http://a.example/").await });
    within("the request", asked.notified()).await;
    let stop = tokio::spawn(proxy.dataplane.shut_down());
    used.closed().await;
    go_on.notify_one();
    assert_eq!(request.await.unwrap(), (200, "done".to_owned()));
    assert_eq!(within("the stop", stop).await.unwrap().cut, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn more_streams_than_allowed_are_refused() {
    let (backend, _asked, _left) = stubborn().await;
    let world = World::new().route("a.example", "/", &[backend.address]);
    let proxy = Proxy::start(&world.options(|http| http.http2 = Some(snapshot::Http2 { max_streams: 2 }))).await;
    let mut raw = Raw::connect(proxy.http()).await;
    let settings = raw.next_of(&[h2::SETTINGS]).await.unwrap().payload;
    assert!(settings.chunks(6).any(|setting| setting == [0, 3, 0, 0, 0, 2]), "{settings:?}");
    raw.send(&[Frame::new(h2::SETTINGS, h2::ACK, 0, []), h2::head(1), h2::head(3), h2::head(5)]).await;
    let reset = raw.next_of(&[h2::RST_STREAM]).await.unwrap();
    assert_eq!((reset.stream, reset.code()), (5, 7));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_too_large_is_refused() {
    let (proxy, backend) = served("hello").await;
    let mut client = Http2::connect(proxy.http()).await;
    let request = http::Request::post("http://a.example/").body(full(vec![0; (1 << 20) + 1])).unwrap();
    assert_eq!(client.send(request).await.unwrap().status(), 413);
    assert_eq!(client.get("http://a.example/").await.0, 200);
    assert_eq!(backend.requests().len(), 1);
}

const POST: [(&str, &str); 4] = [(":method", "POST"), (":scheme", "http"), (":authority", "a.example"), (":path", "/")];

/// There is no such field in trailers (RFC 9113 section 8.1). h2 drops it before we see it: no backend does.
#[tokio::test(flavor = "multi_thread")]
async fn pseudo_fields_in_trailers_reach_no_backend() {
    let upstream = H2cBackend::start(None, |request: http::Request<hyper::body::Incoming>| async move {
        let trailers = request.into_body().collect().await.unwrap().trailers().cloned().unwrap();
        http::Response::new(full(format!("{trailers:?}")))
    })
    .await;
    let world = World::new().route("a.example", "/", &[upstream.address]).protocol(snapshot::Protocol::Http2);
    let proxy = Proxy::start(&world).await;
    let mut raw = Raw::connect(proxy.http()).await;
    raw.send(&[
        Frame::new(h2::HEADERS, h2::END_HEADERS, 1, block(&POST)),
        Frame::new(h2::DATA, 0, 1, *b"body"),
        Frame::new(h2::HEADERS, h2::END_HEADERS | h2::END_STREAM, 1, block(&[(":path", "/admin"), ("x-sum", "17")])),
    ])
    .await;
    let seen = String::from_utf8(raw.next_of(&[h2::DATA]).await.unwrap().payload).unwrap();
    assert_eq!(seen, r#"{"x-sum": "17"}"#);
}

/// The same of what a backend sends: one that is not hyper's.
#[tokio::test(flavor = "multi_thread")]
async fn pseudo_fields_in_trailers_of_a_backend_reach_no_client() {
    let backend = Backend::raw(|stream, _| async move {
        let mut raw = Raw { stream };
        raw.stream.read_exact(&mut [0; 24]).await.unwrap();
        raw.send(&[Frame::new(h2::SETTINGS, 0, 0, []), Frame::new(h2::SETTINGS, h2::ACK, 0, [])]).await;
        let stream = raw.next_of(&[h2::HEADERS]).await.unwrap().stream;
        let trailers = block(&[(":status", "500"), ("x-sum", "17")]);
        raw.send(&[
            Frame::new(h2::HEADERS, h2::END_HEADERS, stream, block(&[(":status", "200")])),
            Frame::new(h2::DATA, 0, stream, *b"body"),
            Frame::new(h2::HEADERS, h2::END_HEADERS | h2::END_STREAM, stream, trailers),
        ])
        .await;
        raw.ended().await;
    })
    .await;
    let world = World::new().route("a.example", "/", &[backend.address]).protocol(snapshot::Protocol::Http2);
    let proxy = Proxy::start(&world).await;
    let mut client = Http2::connect(proxy.http()).await;
    let answer = client.send(get("http://a.example/")).await.unwrap();
    assert_eq!(answer.status(), 200);
    let whole = within("the body", answer.into_body().collect()).await.unwrap();
    let trailers = whole.trailers().cloned().unwrap();
    assert_eq!((trailers.len(), &trailers["x-sum"]), (1, &http::HeaderValue::from_static("17")));
    assert_eq!(whole.to_bytes(), "body");
}

/// hyper has no interim answers in HTTP/2. A client must not wait for one without end (RFC 9110 section 10.1.1), and the
/// answer to what is too large comes before any of it.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_expects_100_is_not_told_and_is_served() {
    let (proxy, backend) = served("hello").await;
    let expecting = |length| block(&[&POST[..], &[("content-length", length), ("expect", "100-continue")]].concat());
    let mut raw = Raw::connect(proxy.http()).await;
    raw.send(&[Frame::new(h2::HEADERS, h2::END_HEADERS, 1, expecting("9999999"))]).await;
    raw.next_of(&[h2::HEADERS]).await.unwrap();
    assert!(raw.next_of(&[h2::DATA]).await.unwrap().payload.starts_with(b"413 "));
    raw.send(&[Frame::new(h2::HEADERS, h2::END_HEADERS, 3, expecting("4"))]).await;
    raw.send(&[Frame::new(h2::PING, 0, 0, [7; 8])]).await;
    // The request has been read, and there is no answer to it yet.
    let next = raw.next_of(&[h2::PING, h2::HEADERS]).await.unwrap();
    assert_eq!((next.kind, next.flags), (h2::PING, h2::ACK));
    raw.send(&[Frame::new(h2::DATA, h2::END_STREAM, 3, *b"body")]).await;
    assert_eq!(raw.next_of(&[h2::HEADERS]).await.unwrap().stream, 3);
    assert_eq!(raw.next_of(&[h2::DATA]).await.unwrap().payload, b"hello");
    let seen = backend.requests().pop().unwrap();
    assert_eq!((seen.body.as_slice(), seen.header("expect")), (&b"body"[..], None));
}

/// One reader takes nothing of a whole connection, one nothing of one stream: what they were to get is given up after a
/// while, and whoever is on the same worker never waits for them.
#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_stalls_is_cut_and_harms_nobody() {
    let large = Backend::answering(|_| {
        format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{}", 4 << 20, "x".repeat(4 << 20))
    })
    .await;
    let hello = Backend::named("hello").await;
    let world = World::new().route("a.example", "/", &[large.address]).route("b.example", "/", &[hello.address]);
    let world = world.options(|http| http.send_timeout = Duration::from_secs(5));
    let proxy = Proxy::with_workers(1, &world).await;
    // Its window never grows beyond what every stream begins with.
    let mut raw = Raw::connect(proxy.http()).await;
    raw.send(&[h2::head(1)]).await;
    raw.next_of(&[h2::DATA]).await.unwrap();
    let mut client = Http2::connect(proxy.http()).await;
    let mut stalled = client.send(get("http://a.example/")).await.unwrap().into_body();
    within("a first piece", stalled.frame()).await.unwrap().unwrap();
    // Others go on while those two have stalled, on the same worker and the same connection.
    assert_eq!(client.get("http://b.example/").await, (200, "hello".to_owned()));
    assert_eq!(proxy.client().await.get("b.example", "/").await.text(), "hello");
    let reset = raw.next_of(&[h2::RST_STREAM, h2::GOAWAY]).await.unwrap();
    assert_eq!((reset.kind, reset.stream), (h2::RST_STREAM, 1));
    assert_eq!(client.get("http://b.example/").await, (200, "hello".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_gauge_of_connections_counts_them_once() {
    let (proxy, _backend) = served("hello").await;
    let mut client = Http2::connect(proxy.http()).await;
    client.get("http://a.example/").await;
    eventually("a waiting connection", || {
        let metrics = proxy.metrics();
        metrics
            .lines()
            .any(|line| line.contains("nginx_process_connections{") && line.contains("waiting") && line.ends_with(" 1"))
    })
    .await;
}
