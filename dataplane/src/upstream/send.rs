//! One try at one endpoint.

use std::{
    error::Error as _,
    future::Future,
    io,
    net::SocketAddr,
    pin::{Pin, pin},
    rc::Rc,
};

use bytes::Bytes;
use http::{
    Request, Response, Uri, header,
    uri::{Authority, Scheme},
};
use hyper::body::Incoming;
use snapshot::Protocol;

use super::{
    AnswerFields, LiveForward, Pool,
    connect::{Destination, connect, note_tls},
    fields,
    shared::acquire,
};
use crate::exchange::{Body, Cause, Elapsed, Exchange, Lease, RequestBody, Sender, Socket, Ticket, Upload};

/// What a try needs besides the request.
pub struct Caller<'a> {
    /// The connections of this worker.
    pub pool: &'a Rc<Pool>,
    /// Where the try is noted.
    pub ticket: &'a mut Ticket,
    /// Whether the client reached us over TLS.
    pub over_tls: bool,
}

/// An answer and the connection it comes over.
pub struct Answered {
    /// The head, and the body that is still coming.
    pub response: Response<Incoming>,
    /// The connection.
    pub lease: Lease,
    /// What the head's fields say.
    pub fields: AnswerFields,
}

/// Sends the request to one endpoint and waits for the head of its answer. A pooled connection that turns out to be
/// closed before anything was sent is no failure: the next one is taken.
///
/// # Errors
/// Why there is no answer. The request's body is gone unless the cause is one where nothing was sent.
pub async fn attempt(
    caller: &mut Caller<'_>,
    exchange: &mut Exchange,
    forward: &LiveForward,
    address: SocketAddr,
) -> Result<Answered, Cause> {
    let to = forward.upstream.destination(address, caller.over_tls);
    loop {
        let mut lease = lease(caller, forward, &to).await?;
        // Measured: for HTTP/1.1 a task of its own costs less, although it takes more instructions (docs/performance.md).
        if exchange.socket.is_stream() {
            lease.sender.attach()
        } else {
            lease.sender.detach()
        }
        caller.ticket.connected(lease.is_reused());
        let upload = upload(exchange);
        let request = take_request(exchange, forward.upstream.source.protocol, &to)?;
        let sent = send(&exchange.socket, &mut lease.sender, request, &upload, forward.timeouts.read).await;
        match sent {
            Ok(response) => {
                if upload.is_some_and(|upload| upload.ended().is_none()) {
                    // Who waits for more of the answer must not be who sends the rest.
                    lease.sender.detach();
                }
                return check(exchange, response, lease);
            }
            Err(Unsent::Untouched(request)) => {
                put_back(exchange, *request);
                if !lease.is_reused() {
                    return Err(Cause::Connect);
                }
            }
            Err(Unsent::Failed(error)) => {
                let cause = cause(&error, &lease, &to, upload.as_deref());
                if cause != Cause::Refused {
                    // The endpoint has probably closed the others as well.
                    caller.pool.forget(to.peer);
                }
                return Err(cause);
            }
            Err(Unsent::Late) => {
                if let Sender::Http2(_, seat) = &lease.sender {
                    // It may be dead. The others on it go on, but nobody joins them.
                    seat.retire();
                }
                return Err(Cause::ReadTimeout);
            }
        }
    }
}

/// Why there is no answer.
enum Unsent {
    /// The connection was closed before anything was sent.
    Untouched(Box<Request<Body>>),
    /// Something was sent.
    Failed(hyper::Error),
    /// `Timeouts::read` has passed.
    Late,
}

async fn lease(caller: &Caller<'_>, forward: &LiveForward, to: &Destination<'_>) -> Result<Lease, Cause> {
    let (pool, timeouts, Destination { peer, .. }) = (caller.pool, &forward.timeouts, *to);
    let mut lease = match forward.upstream.source.protocol {
        Protocol::Http1 => match pool.take(peer) {
            Some(lease) => lease,
            None => here(forward, peer.address, Box::pin(connect(pool, to, timeouts))).await?,
        },
        Protocol::Http2 => match pool.take_shared(peer) {
            Some(lease) => lease,
            None => here(forward, peer.address, Box::pin(acquire(pool, to, timeouts))).await?,
        },
    };
    lease.requests = lease.requests.saturating_add(1);
    lease.wire.begin(forward.timeouts.send);
    Ok(lease)
}

/// Connects as long as the endpoint is here. Connecting is large, and most requests never do it: it has no room in them.
async fn here(
    forward: &LiveForward,
    address: SocketAddr,
    connecting: Pin<Box<impl Future<Output = Result<Lease, Cause>>>>,
) -> Result<Lease, Cause> {
    forward.upstream.place.while_here(address, connecting).await.ok_or(Cause::Left)?
}

async fn send(
    socket: &Socket,
    sender: &mut Sender,
    request: Request<Body>,
    upload: &Option<Rc<Upload>>,
    read: std::time::Duration,
) -> Result<Response<Incoming>, Unsent> {
    let mut answer = pin!(sender.send(request));
    let mut window = read;
    loop {
        match socket.deadlines.within(window, answer.as_mut()).await {
            Ok(Ok(response)) => return Ok(response),
            Ok(Err(mut error)) => {
                return Err(match error.take_message() {
                    Some(request) => Unsent::Untouched(Box::new(request)),
                    None => Unsent::Failed(error.into_error()),
                });
            }
            Err(Elapsed) => window = remaining(upload.as_deref(), read).ok_or(Unsent::Late)?,
        }
    }
}

/// How much longer the endpoint may take. While the request is on its way, other limits watch over client and endpoint.
fn remaining(upload: Option<&Upload>, read: std::time::Duration) -> Option<std::time::Duration> {
    let Some(ended) = upload?.ended() else { return Some(read) };
    read.checked_sub(ended.elapsed()).filter(|left| !left.is_zero())
}

fn upload(exchange: &Exchange) -> Option<Rc<Upload>> {
    match &exchange.body {
        RequestBody::Streaming(body) => Some(Rc::clone(body.upload())),
        RequestBody::Complete(_) | RequestBody::Gone => None,
    }
}

/// The request for the wire.
fn take_request(exchange: &mut Exchange, protocol: Protocol, to: &Destination<'_>) -> Result<Request<Body>, Cause> {
    let uri = match protocol {
        Protocol::Http1 => exchange.uri.clone(),
        Protocol::Http2 => absolute(exchange, to)?,
    };
    let headers = fields::of_request(exchange, protocol);
    let body = match std::mem::replace(&mut exchange.body, RequestBody::Gone) {
        RequestBody::Complete(bytes) => {
            exchange.body = RequestBody::Complete(bytes.clone());
            Body::from(bytes)
        }
        RequestBody::Streaming(body) => Body::Client(body),
        RequestBody::Gone => Body::Empty,
    };
    let mut request = Request::new(body);
    *request.method_mut() = exchange.method.clone();
    *request.uri_mut() = uri;
    *request.headers_mut() = headers;
    Ok(request)
}

/// HTTP/2 names scheme and authority (RFC 9113 section 8.3.1); a client of HTTP/1.0 may have named none.
fn absolute(exchange: &Exchange, to: &Destination<'_>) -> Result<Uri, Cause> {
    let refused = |_| Cause::BadRequest("host");
    let mut parts = exchange.uri.clone().into_parts();
    parts.scheme = Some(if to.tls.is_some() { Scheme::HTTPS } else { Scheme::HTTP });
    parts.authority = Some(if exchange.authority.is_empty() {
        Authority::try_from(to.peer.address.to_string()).map_err(refused)?
    } else {
        Authority::try_from(exchange.authority.as_bytes()).map_err(refused)?
    });
    Uri::from_parts(parts).map_err(|_| Cause::BadRequest("host"))
}

fn put_back(exchange: &mut Exchange, request: Request<Body>) {
    exchange.body = match request.into_body() {
        Body::Client(body) => RequestBody::Streaming(body),
        Body::Full(bytes) => RequestBody::Complete(bytes),
        Body::Empty | Body::Upstream(_) => RequestBody::Complete(Bytes::new()),
    };
}

fn cause(error: &hyper::Error, lease: &Lease, to: &Destination<'_>, upload: Option<&Upload>) -> Cause {
    if let Some(cause) = upload.and_then(Upload::failed) {
        return cause;
    }
    let http2 = error.source().and_then(|source| source.downcast_ref::<h2::Error>());
    let io = http2.map_or_else(|| error.source()?.downcast_ref::<io::Error>(), h2::Error::get_io);
    match io {
        Some(error) if error.kind() == io::ErrorKind::TimedOut => return Cause::SendTimeout,
        Some(error) if to.tls.is_some_and(|client| note_tls(client, error)) => {
            tracing::debug!(address = %to.peer.address, %error, "TLS was broken off");
            if !lease.is_reused() && !lease.wire.is_answered() {
                return Cause::TlsRefused;
            }
        }
        Some(_) | None => {}
    }
    if http2.is_some_and(is_refusal) {
        return Cause::Refused;
    }
    match http2 {
        // What the endpoint says of a stream, or its going away, is no answer; what hyper says is about a bad one.
        Some(error) if io.is_none() && !error.is_remote() => Cause::BadAnswer,
        // It ended one stream, and the connection is well.
        Some(_) if io.is_none() => Cause::Closed,
        None if error.is_parse() || lease.wire.is_answered() => Cause::BadAnswer,
        Some(_) | None if lease.is_reused() => Cause::Stale,
        Some(_) | None => Cause::Closed,
    }
}

/// Whether an endpoint guarantees that it did not act on a request: it says so, or goes away without having come to it. Of
/// those that it did come to h2 says something else.
fn is_refusal(error: &h2::Error) -> bool {
    error.is_remote() && (error.is_go_away() || error.reason() == Some(h2::Reason::REFUSED_STREAM))
}

/// An answer whose end is not certain, or a switch of protocols that nobody asked for, is none.
fn check(exchange: &Exchange, response: Response<Incoming>, lease: Lease) -> Result<Answered, Cause> {
    let headers = response.headers();
    let fields = AnswerFields::of(headers);
    let AnswerFields { lengths, codings, of_connection: _ } = fields;
    if codings.count > 1 || (codings.count == 1 && (!codings.is_chunked || lengths > 0)) {
        return Err(Cause::BadAnswer);
    }
    if response.status() == http::StatusCode::SWITCHING_PROTOCOLS {
        let offered = exchange.upgrade.as_ref();
        let chosen = headers.get(header::UPGRADE);
        let same = offered.zip(chosen).is_some_and(|(a, b)| a.as_bytes().eq_ignore_ascii_case(b.as_bytes()));
        if !same {
            return Err(Cause::BadAnswer);
        }
    }
    Ok(Answered { response, lease, fields })
}
