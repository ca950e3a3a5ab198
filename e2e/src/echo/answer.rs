//! From a request to its answer.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HOST, HeaderMap, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use hyper::http::request::Parts;
use hyper::{Method, Request, Response, StatusCode};
use serde::Serialize;
use serde_json::json;
use sha2::{Digest, Sha256};

use super::Identity;
use super::body::Body;
use super::websocket;

/// One echo server's state.
#[derive(Debug)]
pub struct Backend {
    identity: Identity,
    ready: AtomicBool,
}

impl Backend {
    /// A backend that is ready.
    #[must_use]
    pub fn new(identity: Identity) -> Self {
        Self { identity, ready: AtomicBool::new(true) }
    }
}

/// What a request looked like from here: the answer's body.
#[derive(Serialize)]
struct Echo<'a> {
    path: String,
    host: String,
    method: &'a str,
    proto: String,
    headers: BTreeMap<String, Vec<String>>,
    #[serde(flatten)]
    identity: &'a Identity,
    tls: Option<()>,
}

/// Answers one request.
pub async fn answer(backend: &Backend, mut request: Request<Incoming>) -> Response<Body> {
    if websocket::wanted(&request) {
        return websocket::accept(&mut request);
    }
    let (head, body) = request.into_parts();
    match head.uri.path() {
        "/health" => health(backend),
        "/_echo/ready" if head.method == Method::POST => set_ready(backend, &head),
        "/_echo/delay" => {
            let wait = number(&head, "ms").unwrap_or(0);
            tokio::time::sleep(Duration::from_millis(wait)).await;
            echo(backend, &head)
        }
        "/_echo/bytes" => bytes(&head),
        "/_echo/count" if head.method == Method::POST => count(body).await,
        "/_echo/status" => status(&head),
        "/_echo/stream" => stream(body),
        _ => {
            // Read to its end, or the connection could not be used again.
            match drain(body).await {
                Ok(()) => echo(backend, &head),
                Err(error) => text(StatusCode::BAD_REQUEST, &format!("body: {error}\n")),
            }
        }
    }
}

fn echo(backend: &Backend, head: &Parts) -> Response<Body> {
    let echo = Echo {
        path: head.uri.path_and_query().map(ToString::to_string).unwrap_or_default(),
        host: host(head),
        method: head.method.as_str(),
        proto: format!("{:?}", head.version),
        headers: headers(&head.headers),
        identity: &backend.identity,
        tls: None,
    };
    let mut response = json_answer(&json!(echo));
    response.headers_mut().insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// HTTP/2 has the host in the target, HTTP/1.1 in a field.
fn host(head: &Parts) -> String {
    let field = || head.headers.get(HOST).map(|host| String::from_utf8_lossy(host.as_bytes()).into_owned());
    head.uri.authority().map(ToString::to_string).or_else(field).unwrap_or_default()
}

/// All fields but Host, by the names that Go programs write.
fn headers(map: &HeaderMap) -> BTreeMap<String, Vec<String>> {
    let mut headers = BTreeMap::<String, Vec<String>>::new();
    for (name, value) in map.iter().filter(|(name, _)| *name != HOST) {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        headers.entry(canonical(name.as_str())).or_default().push(value);
    }
    headers
}

/// `x-request-id` → `X-Request-Id`.
fn canonical(name: &str) -> String {
    let mut start = true;
    name.chars()
        .map(|c| {
            let c = if start { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() };
            start = c == '-';
            c
        })
        .collect()
}

fn health(backend: &Backend) -> Response<Body> {
    if backend.ready.load(Ordering::Relaxed) {
        text(StatusCode::OK, "OK\n")
    } else {
        text(StatusCode::SERVICE_UNAVAILABLE, "told to be not ready\n")
    }
}

fn set_ready(backend: &Backend, head: &Parts) -> Response<Body> {
    match parameter(head, "value").and_then(|value| value.parse().ok()) {
        Some(ready) => {
            backend.ready.store(ready, Ordering::Relaxed);
            text(StatusCode::OK, &format!("ready: {ready}\n"))
        }
        None => text(StatusCode::BAD_REQUEST, "value is true or false\n"),
    }
}

fn bytes(head: &Parts) -> Response<Body> {
    match number(head, "n") {
        Some(n) => Response::new(Body::zeros(n)),
        None => text(StatusCode::BAD_REQUEST, "n is a number\n"),
    }
}

fn status(head: &Parts) -> Response<Body> {
    let code = number(head, "code").and_then(|code| u16::try_from(code).ok());
    match code.map(StatusCode::from_u16) {
        Some(Ok(code)) if code.as_u16() >= 200 => text(code, &format!("{code}\n")),
        _ => text(StatusCode::BAD_REQUEST, "code is a final status\n"),
    }
}

async fn count(mut body: Incoming) -> Response<Body> {
    let (mut length, mut hash) = (0_u64, Sha256::new());
    while let Some(frame) = body.frame().await {
        match frame.map(hyper::body::Frame::into_data) {
            Ok(Ok(data)) => {
                length += data.len() as u64;
                hash.update(&data);
            }
            Ok(Err(_trailers)) => {}
            Err(error) => return text(StatusCode::BAD_REQUEST, &format!("body: {error}\n")),
        }
    }
    json_answer(&json!({ "bytes": length, "sha256": hex::encode(hash.finalize()) }))
}

/// Sends each piece back as it comes, like a gRPC call that streams both ways.
fn stream(body: Incoming) -> Response<Body> {
    let mut response = Response::new(Body::Echo(body));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    response
}

async fn drain(mut body: Incoming) -> hyper::Result<()> {
    while let Some(frame) = body.frame().await {
        frame?;
    }
    Ok(())
}

fn number(head: &Parts, name: &str) -> Option<u64> {
    parameter(head, name)?.parse().ok()
}

fn parameter<'a>(head: &'a Parts, name: &str) -> Option<&'a str> {
    let pairs = head.uri.query()?.split('&').filter_map(|pair| pair.split_once('='));
    pairs.into_iter().find(|(key, _)| *key == name).map(|(_, value)| value)
}

fn json_answer(value: &serde_json::Value) -> Response<Body> {
    let mut response = Response::new(Body::from(value.to_string() + "\n"));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn text(status: StatusCode, text: &str) -> Response<Body> {
    let mut response = Response::new(Body::from(text.to_owned()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    response
}
