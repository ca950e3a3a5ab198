//! One try at one endpoint.

use std::{error::Error as _, io, net::SocketAddr, pin::pin, rc::Rc};

use bytes::Bytes;
use http::{Request, Response, header};
use hyper::{body::Incoming, client::conn::http1::SendRequest};

use super::{LiveForward, Pool, connect::connect};
use crate::exchange::{Body, Cause, Elapsed, Exchange, Lease, RequestBody, Socket, Ticket, Upload};

/// What a try needs besides the request.
pub struct Caller<'a> {
    /// The connections of this worker.
    pub pool: &'a Rc<Pool>,
    /// Where the try is noted.
    pub ticket: &'a mut Ticket,
}

/// An answer and the connection it comes over.
pub struct Answered {
    /// The head, and the body that is still coming.
    pub response: Response<Incoming>,
    /// The connection.
    pub lease: Lease,
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
    loop {
        let mut lease = lease(caller, forward, address).await?;
        caller.ticket.connected(lease.is_reused());
        let upload = upload(exchange);
        let request = take_request(exchange);
        let sent = send(&exchange.socket, &mut lease.sender, request, &upload, forward.timeouts.read).await;
        match sent {
            Ok(response) => return check(exchange, response, lease),
            Err(Unsent::Untouched(request)) => {
                put_back(exchange, *request);
                if !lease.is_reused() {
                    return Err(Cause::Connect);
                }
            }
            Err(Unsent::Failed(error)) => {
                // The endpoint has probably closed the others as well.
                caller.pool.forget(address);
                return Err(cause(&error, &lease, upload.as_deref()));
            }
            Err(Unsent::Late) => return Err(Cause::ReadTimeout),
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

async fn lease(caller: &Caller<'_>, forward: &LiveForward, address: SocketAddr) -> Result<Lease, Cause> {
    let mut lease = match caller.pool.take(address) {
        Some(lease) => lease,
        None => connect(caller.pool, address, &forward.upstream.source, &forward.timeouts).await?,
    };
    lease.requests = lease.requests.saturating_add(1);
    lease.wire.begin(forward.timeouts.send);
    Ok(lease)
}

async fn send(
    socket: &Socket,
    sender: &mut SendRequest<Body>,
    request: Request<Body>,
    upload: &Option<Rc<Upload>>,
    read: std::time::Duration,
) -> Result<Response<Incoming>, Unsent> {
    let mut answer = pin!(sender.try_send_request(request));
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

/// The request for the wire. What may have to be sent again is copied, everything else moves.
fn take_request(exchange: &mut Exchange) -> Request<Body> {
    let repeatable = exchange.is_repeatable();
    let headers = if repeatable { exchange.headers.clone() } else { std::mem::take(&mut exchange.headers) };
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
    *request.uri_mut() = exchange.uri.clone();
    *request.headers_mut() = headers;
    request
}

fn put_back(exchange: &mut Exchange, request: Request<Body>) {
    let (head, body) = request.into_parts();
    exchange.headers = head.headers;
    exchange.body = match body {
        Body::Client(body) => RequestBody::Streaming(body),
        Body::Full(bytes) => RequestBody::Complete(bytes),
        Body::Empty | Body::Upstream(_) => RequestBody::Complete(Bytes::new()),
    };
}

fn cause(error: &hyper::Error, lease: &Lease, upload: Option<&Upload>) -> Cause {
    if let Some(cause) = upload.and_then(Upload::failed) {
        return cause;
    }
    if is_timeout(error) {
        return Cause::SendTimeout;
    }
    if error.is_parse() || lease.wire.is_answered() { Cause::BadAnswer } else { Cause::Closed }
}

fn is_timeout(error: &hyper::Error) -> bool {
    error
        .source()
        .and_then(|source| source.downcast_ref::<io::Error>())
        .is_some_and(|error| error.kind() == io::ErrorKind::TimedOut)
}

/// An answer whose end is not certain, or a switch of protocols that nobody asked for, is none.
fn check(exchange: &Exchange, response: Response<Incoming>, lease: Lease) -> Result<Answered, Cause> {
    let headers = response.headers();
    let codings = headers.get_all(header::TRANSFER_ENCODING).iter().count();
    let chunked = headers.get(header::TRANSFER_ENCODING).is_some_and(|v| v.as_bytes().eq_ignore_ascii_case(b"chunked"));
    if codings > 1 || (codings == 1 && !chunked) || (chunked && headers.contains_key(header::CONTENT_LENGTH)) {
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
    Ok(Answered { response, lease })
}
