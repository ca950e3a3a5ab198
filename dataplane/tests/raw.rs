//! Requests as bytes, and what must come of each: the answer, what the backend gets to see, and whether the connection
//! goes on. Wherever two readers could disagree about where a request ends, or what it asks for, nobody gets to see it.
#![allow(missing_docs, clippy::unwrap_used)]

mod support;

use std::{
    io,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll, ready},
};

use support::{Backend, Client, Proxy, Received, World, read_request};
use tokio::{
    io::{AsyncRead, AsyncWriteExt, ReadBuf},
    net::TcpStream,
};

/// What must come of a request.
enum Then {
    /// This answer is the last, and no backend was asked.
    Refused(u16),
    /// The same, but the connection is good for another request.
    Declined(u16),
    /// The backend sees one request, with this line and this body, and its answer is passed on.
    Passed(&'static str, &'static str),
    /// The same, and then the connection ends with such an answer to what followed.
    PassedThenRefused(&'static str, &'static str, u16),
}

use Then::{Declined, Passed, PassedThenRefused, Refused};

/// A POST with these fields, and this after its head.
fn post(fields: &str, rest: &str) -> String {
    format!("POST / HTTP/1.1\r\nhost: a.example\r\n{fields}\r\n\r\n{rest}")
}

fn chunked(rest: &str) -> String {
    post("transfer-encoding: chunked", rest)
}

fn field(line: &str) -> String {
    format!("GET / HTTP/1.1\r\nhost: a.example\r\n{line}\r\n\r\n")
}

fn line(line: &str) -> String {
    format!("{line}\r\nhost: a.example\r\n\r\n")
}

fn host(host: &str) -> String {
    format!("GET / HTTP/1.1\r\n{host}\r\n\r\n")
}

/// Where a body ends (RFC 9112 section 6).
fn framing() -> Vec<(String, Then)> {
    let empty = "0\r\n\r\n";
    vec![
        (post("content-length: 3", "abc"), Passed("POST / HTTP/1.1", "abc")),
        (post("content-length: 003", "abc"), Passed("POST / HTTP/1.1", "abc")),
        (post("content-length: 3\r\ncontent-length: 3", "abc"), Passed("POST / HTTP/1.1", "abc")),
        (post("content-length: 3\r\ncontent-length: 4", "abcd"), Refused(400)),
        (post("content-length: 3, 3", "abc"), Refused(400)),
        (post("content-length: 3 3", "abc"), Refused(400)),
        (post("content-length: 0x3", "abc"), Refused(400)),
        (post("content-length: 3.0", "abc"), Refused(400)),
        (post("content-length:", ""), Refused(400)),
        (post("content-length: -1", ""), Refused(400)),
        (post("content-length: +3", "abc"), Refused(400)),
        (post("content-length: 18446744073709551616", "abc"), Refused(400)),
        (post("content-length: 18446744073709551615", "abc"), Refused(400)),
        (chunked("3\r\nabc\r\n0\r\n\r\n"), Passed("POST / HTTP/1.1", "abc")),
        (post("transfer-encoding: chunked, chunked", empty), Refused(501)),
        (post("transfer-encoding: chunked\r\ntransfer-encoding: chunked", empty), Refused(400)),
        (post("transfer-encoding: identity\r\ntransfer-encoding: chunked", empty), Refused(400)),
        (post("transfer-encoding: chunked\r\ntransfer-encoding: identity", empty), Refused(400)),
        (post("transfer-encoding: identity, chunked", empty), Refused(501)),
        (post("transfer-encoding: chunked, identity", empty), Refused(400)),
        (post("transfer-encoding: identity", ""), Refused(400)),
        (post("transfer-encoding: gzip, chunked", empty), Refused(501)),
        (post("transfer-encoding: xchunked", empty), Refused(400)),
        (post("transfer-encoding: chunkedx", empty), Refused(400)),
        (post("transfer-encoding: chunked;x", empty), Refused(400)),
        (post("transfer-encoding: \"chunked\"", empty), Refused(400)),
        (post("transfer-encoding: chunked,", empty), Refused(400)),
        (post("transfer-encoding: ,chunked", empty), Refused(501)),
        (post("transfer-encoding:", empty), Refused(400)),
        (post("transfer-encoding: \x0bchunked", empty), Refused(400)),
        (post("transfer-encoding: CHUNKED", empty), Passed("POST / HTTP/1.1", "")),
        // White space around a value is none of it (RFC 9110 section 5.5).
        (post("transfer-encoding:chunked", empty), Passed("POST / HTTP/1.1", "")),
        (post("transfer-encoding: \t chunked \t ", empty), Passed("POST / HTTP/1.1", "")),
        (post("transfer-encoding : chunked", empty), Refused(400)),
        (post("transfer-encoding\t: chunked", empty), Refused(400)),
        (post("transfer-encoding\r\n : chunked", empty), Refused(400)),
        (post("transfer-encoding:\r\n chunked", empty), Refused(400)),
        (post("transfer_encoding: chunked\r\ncontent-length: 5", empty), Passed("POST / HTTP/1.1", empty)),
        ("POST / HTTP/1.0\r\nhost: a.example\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n".into(), Refused(400)),
    ]
}

/// RFC 9112 section 7.1.
fn chunks() -> Vec<(String, Then)> {
    vec![
        (chunked("3;name=value\r\nabc\r\n0\r\n\r\n"), Passed("POST / HTTP/1.1", "abc")),
        (chunked("3;name=\"a;b\"\r\nabc\r\n0;x\r\n\r\n"), Passed("POST / HTTP/1.1", "abc")),
        (chunked("003\r\nabc\r\n000\r\n\r\n"), Passed("POST / HTTP/1.1", "abc")),
        (chunked("3;name=\"a\nb\"\r\nabc\r\n0\r\n\r\n"), Refused(400)),
        (chunked("3;\rx\r\nabc\r\n0\r\n\r\n"), Refused(400)),
        (chunked("3;a\nabc\r\n0\r\n\r\n"), Refused(400)),
        (chunked("3\nabc\n0\n\n"), Refused(400)),
        (chunked("3\rabc\r0\r\r"), Refused(400)),
        (chunked("-3\r\nabc\r\n0\r\n\r\n"), Refused(400)),
        (chunked("+3\r\nabc\r\n0\r\n\r\n"), Refused(400)),
        (chunked("0x3\r\nabc\r\n0\r\n\r\n"), Refused(400)),
        (chunked("3h\r\nabc\r\n0\r\n\r\n"), Refused(400)),
        (chunked("3 3\r\nabc\r\n0\r\n\r\n"), Refused(400)),
        (chunked("\r\nabc\r\n0\r\n\r\n"), Refused(400)),
        (chunked(";x\r\nabc\r\n0\r\n\r\n"), Refused(400)),
        (chunked("10000000000000003\r\nabc\r\n0\r\n\r\n"), Refused(400)),
        (chunked("fffffffffffffffff\r\nabc\r\n0\r\n\r\n"), Refused(400)),
        (chunked("3\r\nabc0\r\n\r\n"), Refused(400)),
        (chunked("3\r\nabc\n0\r\n\r\n"), Refused(400)),
        (chunked("3\r\nabcd\r\n0\r\n\r\n"), Refused(400)),
        (chunked("4\r\nabc\r\n0\r\n\r\n"), Refused(400)),
        (chunked("0\r\nno colon\r\n\r\n"), Refused(400)),
        (chunked(&format!("3{}\r\nabc\r\n0\r\n\r\n", ";x".repeat(20_000))), Refused(400)),
    ]
}

/// What a request is after is one thing (RFC 9112 sections 2 and 3).
fn lines() -> Vec<(String, Then)> {
    let long = |count: usize| "x".repeat(count);
    vec![
        (line("GET / HTTP/1.1"), Passed("GET / HTTP/1.1", "")),
        (line("GET  / HTTP/1.1"), Refused(400)),
        (line("GET /  HTTP/1.1"), Refused(400)),
        (line("GET\t/ HTTP/1.1"), Refused(400)),
        (line("GET /\tHTTP/1.1"), Refused(400)),
        (line("GET / HTTP/1.1 "), Refused(400)),
        (line(" GET / HTTP/1.1"), Refused(400)),
        (line("GET / x HTTP/1.1"), Refused(400)),
        (line("GET /\x0bx HTTP/1.1"), Refused(400)),
        (line("GET /\0 HTTP/1.1"), Refused(400)),
        (line("GET /\rx HTTP/1.1"), Refused(400)),
        (line("GET /#fragment HTTP/1.1"), Refused(400)),
        (line("GET http://a.example/#fragment HTTP/1.1"), Refused(400)),
        (format!("GET /#{} HTTP/1.1\r\nhost: a.example\r\n\r\n", long(20_000)), Refused(400)),
        (line("GET / HTTP/1.2"), Refused(400)),
        (line("GET / HTTP/2.0"), Refused(400)),
        (line("GET / HTTP/0.9"), Refused(400)),
        (line("GET / http/1.1"), Refused(400)),
        (line("GET / HTTP/1.1x"), Refused(400)),
        (line("GET / HTTP/01.1"), Refused(400)),
        (line("GET / HTTP/1"), Refused(400)),
        (line("GET / "), Refused(400)),
        (line("GET /"), Refused(400)),
        (line("GET"), Refused(400)),
        ("GET /\r\n".into(), Refused(400)),
        ("GET / HTTP/1.1\rhost: a.example\r\r".into(), Refused(400)),
        (line("G\0T / HTTP/1.1"), Refused(400)),
        (line("G@T / HTTP/1.1"), Refused(400)),
        (line("GET * HTTP/1.1"), Refused(400)),
        (line("GET a.example HTTP/1.1"), Refused(400)),
        (line("GET a.example:80 HTTP/1.1"), Refused(400)),
        (line("GET x/y HTTP/1.1"), Refused(400)),
        (line("GET ?x HTTP/1.1"), Refused(400)),
        (line("GET ftp://a.example/ HTTP/1.1"), Refused(400)),
        (line("GET http:a.example/ HTTP/1.1"), Refused(400)),
        (line("GET http:///x HTTP/1.1"), Refused(400)),
        (line("GET http://u:p@a.example/ HTTP/1.1"), Refused(400)),
        (line("GET http://a.example/x HTTP/1.1"), Passed("GET /x HTTP/1.1", "")),
        (line("CONNECT a.example:443 HTTP/1.1"), Declined(405)),
        (line("TRACE / HTTP/1.1"), Declined(405)),
        (line("OPTIONS * HTTP/1.1"), Declined(200)),
        (line(&format!("GET /{} HTTP/1.1", long(8200))), Refused(414)),
        (line(&format!("GET /{} HTTP/1.1", long(70_000))), Refused(414)),
        (format!("GET /{}", long(100_000)), Refused(414)),
        (long(100_000), Refused(414)),
    ]
}

/// RFC 9112 section 5, and the host of section 3.2.
fn fields() -> Vec<(String, Then)> {
    let long = |count: usize| "x".repeat(count);
    let get = || Passed("GET / HTTP/1.1", "");
    vec![
        (field("x: \t y \t "), get()),
        (field("x:"), get()),
        (field("x: \u{e9}"), get()),
        (field("x : y"), Refused(400)),
        (field("x\t: y"), Refused(400)),
        (field(": y"), Refused(400)),
        (field("x y: z"), Refused(400)),
        (field("x"), Refused(400)),
        (field("x\0y: z"), Refused(400)),
        (field("x: y\0z"), Refused(400)),
        (field("x: y\rz"), Refused(400)),
        (field("x: y\x7f"), Refused(400)),
        (field("x\u{e9}: y"), Refused(400)),
        (field("x(y): z"), Refused(400)),
        (field("x: y\r\n z"), Refused(400)),
        (field("x: y\r\n\tz"), Refused(400)),
        (field("x: y\r\n "), Refused(400)),
        ("GET / HTTP/1.1\r\n host: a.example\r\n\r\n".into(), Refused(400)),
        ("GET / HTTP/1.1\r\n\thost: a.example\r\n\r\n".into(), Refused(400)),
        ("GET / HTTP/1.1\r\n \r\nhost: a.example\r\n\r\n".into(), Refused(400)),
        (host("x: y"), Refused(400)),
        (host("host:"), Refused(400)),
        (host("host: a.example\r\nhost: a.example"), Refused(400)),
        (host("host: a.example\r\nHost: b.example"), Refused(400)),
        (host("host: user@a.example"), Refused(400)),
        (host("host: a.example b.example"), Refused(400)),
        (host("host: a.example, b.example"), Refused(400)),
        (host("host: a.example/x"), Refused(400)),
        (host("host: a.example?x"), Refused(400)),
        (host("host: a.example#x"), Refused(400)),
        (host("host: a.example:x"), Refused(400)),
        (host("host: a.example:80:80"), Refused(400)),
        (host("host: http://a.example"), Refused(400)),
        (host("host: a.ex\u{e4}mple"), Refused(400)),
        ("GET http://a.example/ HTTP/1.1\r\nhost: other.example\r\n\r\n".into(), get()),
        ("GET http://a.example/ HTTP/1.1\r\nhost: user@a.example\r\n\r\n".into(), Refused(400)),
        ("GET http://a.example/ HTTP/1.1\r\n\r\n".into(), Refused(400)),
        (field(&format!("x: {}", long(8200))), Refused(431)),
        (field(&format!("{}: x", long(8200))), Refused(431)),
        (field(&format!("x: {}\r\n", long(4000)).repeat(9)), Refused(431)),
        (field(&["x: y"; 100].join("\r\n")), Refused(431)),
        (field(&["x: y"; 300].join("\r\n")), Refused(431)),
        (format!("GET / HTTP/1.1\r\nx: {}", long(100_000)), Refused(431)),
    ]
}

/// What follows a request is the next one, or nothing at all.
fn pipelined() -> Vec<(String, Then)> {
    let line = "POST / HTTP/1.1";
    vec![
        (post("content-length: 3", "abc\0"), PassedThenRefused(line, "abc", 400)),
        (chunked("3\r\nabc\r\n0\r\n\r\nx y z\r\n\r\n"), PassedThenRefused(line, "abc", 400)),
        (field("content-length: 0") + "x: y\r\n\r\n", PassedThenRefused("GET / HTTP/1.1", "", 400)),
        // Empty lines before a request are to be skipped (RFC 9112 section 2.2).
        (post("content-length: 3", "abc\r\n\r\n"), Passed(line, "abc")),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn each_request_is_seen_once_or_not_at_all() {
    let (backend, seen) = recording().await;
    let proxy = Proxy::start(&World::new().route("a.example", "/", &[backend.address])).await;
    let mut wrong = Vec::new();
    for (request, then) in [framing(), chunks(), lines(), fields(), pipelined()].into_iter().flatten() {
        let case = Case { proxy: &proxy, seen: &seen, request: request.as_bytes() };
        if let Err(why) = case.run(&then).await {
            let shown: String = request.chars().take(160).collect();
            wrong.push(format!("{shown:?}: {why}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

struct Case<'a> {
    proxy: &'a Proxy,
    seen: &'a Seen,
    request: &'a [u8],
}

impl Case<'_> {
    async fn run(&self, then: &Then) -> Result<(), String> {
        self.seen.clear();
        let mut client = self.proxy.client().await;
        // It may be refused before all of it was taken.
        let _ = client.stream.write_all(self.request).await;
        match *then {
            Refused(status) => {
                let text = client.rest().await;
                check("answers", &statuses(&text), &[status])?;
                check("seen", &self.seen.requests(), &[])
            }
            Declined(status) => {
                check("answer", &client.answer().await.status, &status)?;
                self.goes_on(&mut client, &[]).await
            }
            Passed(line, body) => {
                check("answer", &client.answer().await.status, &200)?;
                self.goes_on(&mut client, &[(line.into(), body.into())]).await
            }
            PassedThenRefused(line, body, status) => {
                let text = client.rest().await;
                check("answers", &statuses(&text), &[200, status])?;
                check("seen", &self.seen.requests(), &[(line.into(), body.into())])
            }
        }
    }

    /// The next request is seen as it was sent: nothing of this one is left.
    async fn goes_on(&self, client: &mut Client, before: &[(String, String)]) -> Result<(), String> {
        check("next answer", &client.get("a.example", "/next").await.status, &200)?;
        let next = ("GET /next HTTP/1.1".to_owned(), String::new());
        check("seen", &self.seen.requests(), &[before, &[next]].concat())
    }
}

fn check<T: PartialEq<U> + std::fmt::Debug + ?Sized, U: std::fmt::Debug + ?Sized>(
    what: &str,
    is: &T,
    should: &U,
) -> Result<(), String> {
    if is == should { Ok(()) } else { Err(format!("{what}: {is:?}, not {should:?}")) }
}

fn statuses(text: &str) -> Vec<u16> {
    let lines = text.split("HTTP/1.1 ").skip(1);
    lines.map(|line| line.get(..3).and_then(|status| status.parse().ok()).unwrap_or(0)).collect()
}

/// Every byte that the backend got, and the requests that it found in them.
#[derive(Default)]
struct Seen {
    bytes: Mutex<usize>,
    requests: Mutex<Vec<Received>>,
}

impl Seen {
    fn clear(&self) {
        *self.bytes.lock().unwrap() = 0;
        self.requests.lock().unwrap().clear();
    }

    /// First line and body of each. No byte came that belongs to none of them.
    fn requests(&self) -> Vec<(String, String)> {
        let requests = self.requests.lock().unwrap();
        let whole: usize = requests.iter().map(|request| request.head.len() + request.body.len()).sum();
        assert_eq!(*self.bytes.lock().unwrap(), whole, "{requests:?}");
        let line = |request: &Received| request.head.lines().next().unwrap().to_owned();
        let body = |request: &Received| String::from_utf8(request.body.clone()).unwrap();
        requests.iter().map(|request| (line(request), body(request))).collect()
    }
}

/// A backend that answers every request with 200 and records what it gets.
async fn recording() -> (Backend, Arc<Seen>) {
    let seen = Arc::<Seen>::default();
    let record = Arc::clone(&seen);
    let backend = Backend::raw(move |stream, _| {
        let seen = Arc::clone(&record);
        async move {
            let mut stream = Counted { stream, seen: Arc::clone(&seen) };
            while let Some(request) = read_request(&mut stream).await {
                seen.requests.lock().unwrap().push(request);
                if stream.stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await.is_err() {
                    return;
                }
            }
        }
    })
    .await;
    (backend, seen)
}

struct Counted {
    stream: TcpStream,
    seen: Arc<Seen>,
}

impl AsyncRead for Counted {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        *self.seen.bytes.lock().unwrap() += buf.filled().len() - before;
        Poll::Ready(Ok(()))
    }
}
