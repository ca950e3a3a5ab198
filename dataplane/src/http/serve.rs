//! The life of a request on one page.

use std::{convert::Infallible, future::Future, pin::Pin, rc::Rc, sync::Arc};

use http::{Request, Response, StatusCode, request::Parts};
use hyper::body::{Body as _, Incoming};

use super::{
    answer::{self, Head},
    client_cert,
    connection::Connection,
    forward::{Outcome, ask},
    forwarded,
    head::{self, Target},
    request::upgrade_of,
    survey::Survey,
    tunnel,
    websocket::{self, WebSocket},
};
use crate::{
    exchange::{Answer, Body, Cause, ClientBody, Exchange, Failure, RequestBody, Socket, Ticket, Upload},
    filter::Flow,
    runtime::{LiveAction, LiveListener, LiveRoute, LiveTable},
};

/// The answer to one request, once it is polled to its end. What goes wrong is an answer too.
pub type Serving = Pin<Box<dyn Future<Output = Result<Response<Answer>, Infallible>>>>;

/// Answers one request.
pub fn serve(connection: Rc<Connection>, socket: Arc<Socket>, mut request: Request<Incoming>) -> Serving {
    socket.begin();
    let listener = connection.begin();
    let tunnel = tunnel::client_half(&mut request);
    let is_grpc = answer::is_grpc(&request);
    let Taken { mut ticket, websocket, exchange } = take(&connection, &listener, socket, request);
    let mut exchange = match exchange {
        Ok(exchange) => exchange,
        Err(failure) => {
            let hsts = listener.hsts.clone();
            return Box::pin(async move {
                let head = Head { connection: &connection, hsts };
                Ok(head.seal(answer::of_failure(&failure, is_grpc), ticket))
            });
        }
    };
    // On the heap, and only what waiting needs: hyper moves it several times.
    Box::pin(async move {
        let outcome = answer(&connection, listener, &mut exchange, &mut ticket).await;
        let head = Head { connection: &connection, hsts: exchange.hsts };
        Ok(match websocket::seen_by_client(websocket, outcome) {
            Ok(Outcome::Message(response)) => head.seal(response, ticket),
            Ok(Outcome::Tunnel(response, upstream)) => {
                let halves = tunnel.zip(Some(upstream));
                tunnel::open(&connection, head.of(response, &mut ticket), halves, ticket)
            }
            Err(failure) => head.seal(answer::of_failure(&failure, is_grpc), ticket),
        })
    })
}

/// A request that has come, and is in the books.
struct Taken {
    ticket: Ticket,
    websocket: Option<WebSocket>,
    exchange: Result<Exchange, Failure>,
}

/// Notes who asks for what, and checks it.
fn take(connection: &Connection, listener: &LiveListener, socket: Arc<Socket>, request: Request<Incoming>) -> Taken {
    let (mut head, incoming) = request.into_parts();
    let client =
        forwarded::client(&head.headers, &connection.accepted, &connection.peer, &listener.http.trusted_proxies);
    let mut survey = Survey::of(&head.headers);
    let facts = answer::facts(&head, &mut survey, &client, &connection.context);
    let head_length = facts.head_length;
    let mut ticket = Ticket::new(facts, connection.context.sink.clone(), Arc::clone(&socket), connection.gauge.clone());
    let body = body(incoming, survey.expects, listener, &socket, &mut ticket);
    let websocket = match websocket::translate(&mut head) {
        Ok(websocket) => websocket,
        Err(failure) => return Taken { ticket, websocket: None, exchange: Err(failure) },
    };
    let exchange = head::check(&head, &survey, head_length, &listener.http.head).map(|target| {
        let Target { authority, host, uri, path } = target;
        let upgrade = match websocket {
            Some(_) => Some(websocket::NAME),
            None if survey.upgrades => upgrade_of(&head),
            None => None,
        };
        let Parts { method, headers, .. } = head;
        let (request_id, options) = (ticket.request_id(), Arc::clone(&listener.http));
        Exchange {
            method,
            uri,
            path,
            headers,
            authority,
            host,
            request_id,
            client,
            body,
            upgrade,
            options,
            socket,
            certificate: None,
            hsts: listener.hsts.clone(),
        }
    });
    Taken { ticket, websocket, exchange }
}

/// Route, filters, action. The endpoint may be waited for as long as a call of gRPC takes: by then nothing holds the tables,
/// which may have been replaced long ago.
async fn answer(
    connection: &Rc<Connection>,
    listener: Arc<LiveListener>,
    exchange: &mut Exchange,
    ticket: &mut Ticket,
) -> Result<Outcome, Failure> {
    let next = decide(connection, &listener, exchange, ticket)?;
    drop(listener);
    let route = match next {
        Next::Answer(response) => return Ok(Outcome::Message(response)),
        Next::Route(route) => route,
    };
    match &route.then {
        LiveAction::Respond(status) => Err(Cause::Configured(*status).into()),
        LiveAction::Forward(way) => ask(connection, exchange, ticket, &route, way).await,
    }
}

/// What a request is due.
enum Next {
    /// This answer.
    Answer(Response<Body>),
    /// That of a route.
    Route(Arc<LiveRoute>),
}

/// Route and filters.
fn decide(
    connection: &Connection,
    listener: &LiveListener,
    exchange: &mut Exchange,
    ticket: &mut Ticket,
) -> Result<Next, Failure> {
    let found = find(listener, &exchange.host, exchange.path());
    if let Found::Route(_, route) = &found {
        ticket.routed(&route.metrics);
    }
    let table = match found {
        Found::Ourselves => return Ok(Next::Answer(answer::of_status(StatusCode::OK))),
        Found::Route(table, _) => Some(table),
        Found::Nothing(table) => table,
    };
    if listener.tls.is_some()
        && let Some(own) = table.and_then(|table| table.hsts.as_ref())
    {
        exchange.hsts.clone_from(own);
    }
    if let Flow::Respond(response) = client_cert::check(connection, table, exchange)? {
        return Ok(Next::Answer(response));
    }
    let Found::Route(_, route) = found else { return Err(Cause::NoRoute.into()) };
    let route = Arc::clone(route);
    for filter in &route.filters {
        if let Flow::Respond(response) = filter.request(exchange)? {
            return Ok(Next::Answer(response));
        }
    }
    Ok(Next::Route(route))
}

/// Who answers.
#[derive(Clone, Copy)]
enum Found<'a> {
    Route(&'a LiveTable, &'a Arc<LiveRoute>),
    /// A question to the proxy itself: `OPTIONS *`, or a load balancer's health check.
    Ourselves,
    /// No route; the host may be known all the same.
    Nothing(Option<&'a LiveTable>),
}

fn find<'a>(listener: &'a LiveListener, host: &str, path: Option<&str>) -> Found<'a> {
    let Some(path) = path else { return Found::Ourselves };
    if path == &*listener.http.health_check_path && !listener.hosts.names(host) {
        return Found::Ourselves;
    }
    let table = listener.hosts.find(host).map(|table| &**table);
    match table.and_then(|table| Some((table, table.find(path)?))) {
        Some((table, route)) => Found::Route(table, route),
        None => Found::Nothing(table),
    }
}

fn body(
    incoming: Incoming,
    expects: bool,
    listener: &LiveListener,
    socket: &Arc<Socket>,
    ticket: &mut Ticket,
) -> RequestBody {
    if incoming.is_end_stream() {
        return RequestBody::Complete(bytes::Bytes::new());
    }
    let upload = Rc::new(Upload::new(incoming, expects, Arc::clone(socket)));
    ticket.uploads(&upload);
    RequestBody::Streaming(Box::new(ClientBody::new(upload, listener.http.body_timeout)))
}
