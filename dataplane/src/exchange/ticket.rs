//! What is known of a request, from its first byte to the last of its answer, and the one place where it is logged and
//! counted.

use std::{
    cell::RefCell,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    rc::Rc,
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{HeaderValue, Method, Uri, Version, uri::PathAndQuery};
use http_body::{Frame, SizeHint};
use smallvec::SmallVec;

use super::{Body, BodyError, Failure, Socket, Upload, time_of_day};
use crate::observe::{OpenConnection, Record, RouteMetrics, Try, WorkerLog};

/// nginx's status for a client that left before its answer began.
const CLIENT_GONE: u16 = 499;

/// Where a worker's finished requests go.
#[derive(Debug)]
pub struct Sink {
    /// The worker's end of the access log.
    pub log: RefCell<WorkerLog>,
    /// Counts requests that no route serves.
    pub unrouted: Arc<RouteMetrics>,
}

/// What the head of a request says, as log and metrics want it.
#[derive(Debug)]
pub struct Facts {
    /// When the head was complete.
    pub began: Instant,
    /// The client.
    pub remote_address: IpAddr,
    /// The method; none where no request line could be read.
    pub method: Option<Method>,
    /// The target as the client sent it.
    pub target: Uri,
    /// The HTTP version.
    pub version: Version,
    /// The `Referer` field.
    pub referer: Option<HeaderValue>,
    /// The `User-Agent` field.
    pub user_agent: Option<HeaderValue>,
    /// The request's id.
    pub request_id: HeaderValue,
    /// Bytes of request line and fields.
    pub head_length: u64,
}

/// A request that is being answered. It ends by [`Ticket::finish`]; one that is dropped before was left by its client.
#[derive(Debug)]
pub struct Ticket(Option<Box<Open>>);

#[derive(Debug)]
struct Open {
    facts: Facts,
    sink: Rc<Sink>,
    socket: Arc<Socket>,
    gauge: Rc<OpenConnection>,
    metrics: Option<Arc<RouteMetrics>>,
    upstream: Option<Arc<str>>,
    upload: Option<Rc<Upload>>,
    uploaded: u64,
    /// One is the rule.
    tries: SmallVec<[Try; 1]>,
    try_began: Instant,
    status: u16,
    response_head: u64,
    body_sent: u64,
}

impl Ticket {
    /// A request whose head is complete.
    pub fn new(facts: Facts, sink: Rc<Sink>, socket: Arc<Socket>, gauge: Rc<OpenConnection>) -> Self {
        socket.used(facts.head_length);
        Self(Some(Box::new(Open {
            try_began: facts.began,
            facts,
            sink,
            socket,
            gauge,
            metrics: None,
            upstream: None,
            upload: None,
            uploaded: 0,
            tries: SmallVec::new(),
            status: CLIENT_GONE,
            response_head: 0,
            body_sent: 0,
        })))
    }

    /// The request's id.
    pub fn request_id(&self) -> HeaderValue {
        self.0.as_ref().map_or(HeaderValue::from_static("-"), |open| open.facts.request_id.clone())
    }

    /// A route serves it.
    pub fn routed(&mut self, metrics: &Arc<RouteMetrics>) {
        self.with(|open| open.metrics = Some(Arc::clone(metrics)));
    }

    /// A backend is to serve it: `namespace-service-port`.
    pub fn forwarded(&mut self, upstream: &Arc<str>) {
        self.with(|open| open.upstream = Some(Arc::clone(upstream)));
    }

    /// It has a body.
    pub fn uploads(&mut self, upload: &Rc<Upload>) {
        self.with(|open| open.upload = Some(Rc::clone(upload)));
    }

    /// A try at an endpoint begins.
    pub fn begin_try(&mut self, address: SocketAddr) {
        self.with(|open| {
            open.try_began = Instant::now();
            open.tries.push(Try {
                address,
                status: None,
                response_length: 0,
                connect_time: None,
                header_time: None,
                response_time: Duration::ZERO,
            });
        });
    }

    /// The present try has a connection.
    pub fn connected(&mut self, reused: bool) {
        self.with(|open| {
            let time = if reused { Duration::ZERO } else { open.try_began.elapsed() };
            if let Some(one) = open.tries.last_mut() {
                one.connect_time = Some(time);
            }
        });
    }

    /// The present try has the head of an answer.
    pub fn answered(&mut self, status: u16) {
        self.with_try(|one, elapsed| {
            one.status = Some(status);
            one.header_time = Some(elapsed);
            one.response_time = elapsed;
        });
    }

    /// The present try has failed.
    pub fn fail_try(&mut self, failure: &Failure) {
        self.with_try(|one, elapsed| {
            one.status = Some(failure.status().as_u16());
            one.response_time = elapsed;
        });
    }

    /// The head of the answer goes to the client.
    pub fn respond(&mut self, status: u16, head_length: u64) {
        self.with(|open| {
            open.status = status;
            open.response_head = head_length;
        });
    }

    /// The client has taken what was sent so far.
    fn taken(&self) {
        if let Some(open) = &self.0 {
            open.socket.taken();
        }
    }

    /// More of the answer's body goes to the client.
    pub fn sent(&mut self, bytes: u64) {
        self.with(|open| {
            open.body_sent = open.body_sent.saturating_add(bytes);
            open.socket.used(bytes);
            open.socket.offered();
        });
    }

    /// Bytes passed in a tunnel, from the client and to it.
    pub fn passed(&mut self, up: u64, down: u64) {
        self.with(|open| {
            open.uploaded = open.uploaded.saturating_add(up);
            open.body_sent = open.body_sent.saturating_add(down);
        });
    }

    /// The answer has ended: logs and counts, and the connection waits for the next request.
    pub fn finish(&mut self) {
        if let Some(mut open) = self.0.take() {
            open.note();
            open.socket.rest();
        }
    }

    /// The answer has ended as it should; what is left of the request's body is wanted by nobody.
    fn finish_whole(&mut self) {
        let Some(mut open) = self.0.take() else { return };
        open.note();
        match open.upload {
            Some(upload) => upload.end(),
            None => open.socket.rest(),
        }
    }

    fn with(&mut self, change: impl FnOnce(&mut Open)) {
        if let Some(open) = &mut self.0 {
            change(open);
        }
    }

    fn with_try(&mut self, change: impl FnOnce(&mut Try, Duration)) {
        self.with(|open| {
            let elapsed = open.try_began.elapsed();
            if let Some(one) = open.tries.last_mut() {
                change(one, elapsed);
            }
        });
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.finish();
    }
}

impl Open {
    fn note(&mut self) {
        let now = Instant::now();
        self.end_try(now);
        let facts = &self.facts;
        let uploaded = self.uploaded + self.upload.as_ref().map_or(0, |upload| upload.received());
        // In HTTP/2 the host is no part of the target.
        let absolute = facts.version != Version::HTTP_2 && facts.target.authority().is_some();
        let full = absolute.then(|| facts.target.to_string());
        let target = full.as_deref().or(facts.target.path_and_query().map(PathAndQuery::as_str)).unwrap_or_default();
        let record = Record {
            ended: time_of_day(),
            remote_address: facts.remote_address,
            remote_user: None,
            method: facts.method.as_ref().map_or("", Method::as_str),
            target,
            version: facts.version,
            status: self.status,
            body_sent: self.body_sent,
            response_length: self.response_head.saturating_add(self.body_sent),
            referer: facts.referer.as_ref().map(HeaderValue::as_bytes),
            user_agent: facts.user_agent.as_ref().map(HeaderValue::as_bytes),
            request_length: facts.head_length.saturating_add(uploaded),
            request_time: now.saturating_duration_since(facts.began),
            upstream: self.upstream.as_deref(),
            tries: &self.tries,
            request_id: facts.request_id.to_str().unwrap_or("-"),
        };
        self.metrics.as_ref().unwrap_or(&self.sink.unrouted).observe(&record);
        self.sink.log.borrow_mut().write(&record);
        self.gauge.end_request();
        if self.status == CLIENT_GONE {
            self.socket.left();
        }
    }

    /// A try whose head came ends with the answer; one whose head did not, with the client that did not wait.
    fn end_try(&mut self, now: Instant) {
        let (elapsed, body_sent) = (now.saturating_duration_since(self.try_began), self.body_sent);
        if let Some(one) = self.tries.last_mut() {
            if one.status.is_none() || one.header_time.is_some() {
                one.response_time = elapsed;
            }
            if one.header_time.is_some() {
                one.response_length = body_sent;
            }
        }
    }
}

/// The body of an answer on its way to the client: counts, and finishes the ticket at its end.
#[derive(Debug)]
pub struct Answer {
    body: Body,
    ticket: Ticket,
}

impl Answer {
    /// An answer whose ticket somebody else finishes.
    pub fn untracked(body: Body) -> Self {
        Self { body, ticket: Ticket(None) }
    }

    /// The answer to the ticket's request.
    pub fn new(body: Body, mut ticket: Ticket) -> Self {
        if matches!(body, Body::Empty) {
            ticket.finish_whole();
        }
        Self { body, ticket }
    }
}

impl http_body::Body for Answer {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        this.ticket.taken();
        let next = Pin::new(&mut this.body).poll_frame(cx);
        match &next {
            Poll::Ready(Some(Ok(frame))) => {
                this.ticket.sent(frame.data_ref().map_or(0, |bytes| bytes.len() as u64));
                if this.body.is_end_stream() {
                    this.ticket.finish_whole();
                }
            }
            Poll::Ready(None) => this.ticket.finish_whole(),
            Poll::Ready(Some(Err(_))) | Poll::Pending => {}
        }
        next
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
