//! The head of every answer, and the answers that are ours.

use std::{error::Error as _, time::Instant};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header};
use snapshot::HttpOptions;

use super::{
    connection::Connection,
    context::Context,
    survey::{Survey, field_length},
};
use crate::exchange::{Answer, Body, Cause, Client, Facts, Failure, Ticket};

/// The answer to a request that failed: its status in words. A call of gRPC gets the status alone: its clients make one
/// of theirs out of it, but some take the words for a broken message first
/// (<https://github.com/grpc/grpc/blob/master/doc/http-grpc-status-mapping.md>).
pub fn of_failure(failure: &Failure, is_grpc: bool) -> Response<Body> {
    let mut response = of_status(failure.status());
    if is_grpc {
        *response.body_mut() = Body::Empty;
        response.headers_mut().remove(header::CONTENT_TYPE);
    }
    if failure.ends_connection() {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    if failure.cause == Cause::MethodNotAllowed {
        // Required by RFC 9110 section 15.5.6.
        let allowed = HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
        response.headers_mut().insert(header::ALLOW, allowed);
    }
    response
}

/// Whether a request is a call of gRPC, which are all of one kind
/// (<https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>).
pub fn is_grpc<B>(request: &Request<B>) -> bool {
    let is_named = |kind: &HeaderValue| kind.as_bytes().starts_with(b"application/grpc");
    request.version() == http::Version::HTTP_2
        && request.method() == http::Method::POST
        && request.headers().get(header::CONTENT_TYPE).is_some_and(is_named)
}

/// A short text.
pub fn of_status(status: StatusCode) -> Response<Body> {
    let text = format!("{} {}\n", status.as_str(), status.canonical_reason().unwrap_or_default());
    let mut response = Response::new(Body::Full(Bytes::from(text)));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

/// What is ours in the head of an answer.
pub struct Head<'a> {
    pub connection: &'a Connection,
    /// `Strict-Transport-Security`, where it is sent.
    pub hsts: Option<HeaderValue>,
}

impl Head<'_> {
    /// Sets it, and hands the answer to hyper together with its ticket.
    pub fn seal(self, response: Response<Body>, mut ticket: Ticket) -> Response<Answer> {
        self.of(response, &mut ticket).map(|body| Answer::new(body, ticket))
    }

    /// Sets it.
    pub fn of(self, mut response: Response<Body>, ticket: &mut Ticket) -> Response<Body> {
        let Self { connection, hsts } = self;
        let switches = response.status() == StatusCode::SWITCHING_PROTOCOLS;
        // What the upstream spoke is its matter: the answer is in the client's version.
        *response.version_mut() = http::Version::HTTP_11;
        let headers = response.headers_mut();
        set_fields(headers, &connection.options(), hsts);
        if connection.socket.is_shared() {
            // There, a frame says so (RFC 9113 section 8.2.2).
            headers.remove(header::CONNECTION);
        } else if !switches && connection.is_last() {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        ticket.respond(response.status().as_u16(), head_length(response.headers()));
        response
    }
}

/// Sets what the listener wants every answer to say.
pub fn set_fields(headers: &mut http::HeaderMap, http: &HttpOptions, hsts: Option<HeaderValue>) {
    if http.server_tokens {
        headers.insert(header::SERVER, HeaderValue::from_static("tidegate"));
    } else {
        headers.remove(header::SERVER);
    }
    if let Some(hsts) = hsts {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, hsts);
    }
}

/// Bytes of the status line and the fields, as near as it can be told.
fn head_length(headers: &http::HeaderMap) -> u64 {
    let fields = headers.iter().map(|(name, value)| field_length(name, value));
    u64::try_from(fields.sum::<usize>()).unwrap_or(u64::MAX).saturating_add(19)
}

/// Logs and counts a request that was answered before its head was whole.
pub fn note_refusal(connection: &Connection, error: &hyper::Error) {
    let status = match connection.socket.refusal() {
        Some(status) => status,
        None if error.is_parse_too_large() => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
        None if error.is_parse() || is_broken_http2(error) => StatusCode::BAD_REQUEST,
        None => return tracing::debug!(peer = %connection.accepted.peer, %error, "client connection ended"),
    };
    note_status(connection, status);
}

/// Whether h2 ended the connection because the client broke the rules of HTTP/2. What it answers with the end of a stream
/// alone is told to nobody.
fn is_broken_http2(error: &hyper::Error) -> bool {
    error.source().and_then(|source| source.downcast_ref::<h2::Error>()).is_some_and(h2::Error::is_library)
}

/// Logs and counts a connection that was ended with this status, and without a request.
pub fn note_status(connection: &Connection, status: StatusCode) {
    let shared = connection.socket.is_shared();
    let facts = Facts {
        began: Instant::now(),
        remote_address: connection.accepted.peer.ip().to_canonical(),
        method: None,
        target: http::Uri::default(),
        version: if shared { http::Version::HTTP_2 } else { http::Version::HTTP_11 },
        referer: None,
        user_agent: None,
        request_id: connection.context.request_id(),
        head_length: 0,
    };
    let mut ticket =
        Ticket::new(facts, connection.context.sink.clone(), connection.socket.clone(), connection.gauge.clone());
    ticket.respond(status.as_u16(), 0);
    ticket.finish();
}

/// What the head of a request tells log and metrics.
pub fn facts(head: &http::request::Parts, survey: &mut Survey, client: &Client, context: &Context) -> Facts {
    // The id that the client gave is kept; it only names the request.
    let given = survey.request_id.take().filter(|id| !id.is_empty() && id.to_str().is_ok());
    Facts {
        began: Instant::now(),
        remote_address: client.address,
        method: Some(head.method.clone()),
        target: head.uri.clone(),
        version: head.version,
        referer: survey.referer.take(),
        user_agent: survey.user_agent.take(),
        request_id: given.unwrap_or_else(|| context.request_id()),
        head_length: super::head::length(head, survey),
    }
}
