//! From a request that has a backend to the head of its answer.

use std::{rc::Rc, sync::Arc};

use bytes::Bytes;
use http::{Response, StatusCode, header};
use hyper::body::Incoming;
use snapshot::Protocol;

use super::{connection::Connection, tunnel::UpstreamHalf};
use crate::{
    exchange::{Body, BodyError, Cause, Exchange, Failure, RequestBody, Socket, Ticket, UpstreamBody},
    runtime::LiveRoute,
    upstream::{Answered, Caller, LiveForward, forward, strip_connection},
};

/// The answer of a backend.
pub enum Outcome {
    /// A message.
    Message(Response<Body>),
    /// A switch of protocols: what follows is the endpoint's half of a tunnel.
    Tunnel(Response<Body>, UpstreamHalf),
}

/// Asks the backend of a route.
///
/// # Errors
/// The body is not taken, or no endpoint answered.
pub async fn ask(
    connection: &Rc<Connection>,
    exchange: &mut Exchange,
    ticket: &mut Ticket,
    route: &LiveRoute,
    way: &LiveForward,
) -> Result<Outcome, Failure> {
    ticket.forwarded(&way.upstream.log_name);
    let protocol = way.upstream.source.protocol;
    if protocol == Protocol::Http2 && exchange.upgrade.is_some() && exchange.socket.is_stream() {
        // A WebSocket over HTTP/2: there is no answer without a switch that its client could take.
        return Err(Cause::Protocol.into());
    }
    take_body(exchange, route, protocol).await?;
    if protocol == Protocol::Http2 {
        exchange.upgrade = None;
    }
    let mut caller = Caller { pool: &connection.context.pool, ticket, over_tls: connection.accepted.tls };
    let answered = forward(&mut caller, exchange, way).await?;
    ticket.answered(answered.response.status().as_u16());
    Ok(accept(exchange, answered, way))
}

/// Looks at the size before the client is told to go on, and gathers a body that is small: it can then be sent again,
/// and goes out with its length.
async fn take_body(exchange: &mut Exchange, route: &LiveRoute, protocol: Protocol) -> Result<(), Failure> {
    let RequestBody::Streaming(body) = &mut exchange.body else { return Ok(()) };
    let announced = body.announced();
    if let Some(limit) = route.source.max_body {
        if announced.is_some_and(|length| length > limit.get()) {
            return Err(Cause::BodyTooLarge.into());
        }
        body.limit(limit.get());
    }
    let most = exchange.options.body_buffer;
    // Over HTTP/2 a call may be a conversation: the client's next word may depend on the endpoint's.
    let waits = protocol == Protocol::Http1;
    let complete = match announced {
        Some(0) => Some(Bytes::new()),
        Some(length) if length > most => None,
        _ => Box::pin(body.gather(most, waits)).await.map_err(|BodyError(cause)| Failure::from(cause))?,
    };
    if let Some(bytes) = complete {
        exchange.body = RequestBody::Complete(bytes);
    } else {
        // A tunnel begins after the request, and this one has no certain end.
        exchange.upgrade = None;
    }
    Ok(())
}

fn accept(exchange: &Exchange, answered: Answered, way: &LiveForward) -> Outcome {
    let Answered { response, lease, fields } = answered;
    let (mut head, incoming) = response.into_parts();
    if head.status == StatusCode::SWITCHING_PROTOCOLS {
        lease.sender.detach();
        return switch(head, incoming, way, Arc::clone(&exchange.socket));
    }
    fields.clean(&mut head.headers);
    let body = UpstreamBody::new(incoming, lease, Arc::clone(&exchange.socket), way.timeouts.read);
    let body = if body.is_end_stream() { Body::Empty } else { Body::Upstream(Box::new(body)) };
    Outcome::Message(Response::from_parts(head, body))
}

fn switch(mut head: http::response::Parts, incoming: Incoming, way: &LiveForward, socket: Arc<Socket>) -> Outcome {
    let protocol = head.headers.get(header::UPGRADE).cloned();
    strip_connection(&mut head.headers);
    if let Some(protocol) = protocol {
        head.headers.insert(header::UPGRADE, protocol);
        head.headers.insert(header::CONNECTION, header::HeaderValue::from_static("upgrade"));
    }
    let mut response = Response::from_parts(head, incoming);
    let half = UpstreamHalf { upgrade: hyper::upgrade::on(&mut response), patience: way.timeouts.read, socket };
    Outcome::Tunnel(response.map(|_| Body::Empty), half)
}
