//! HTTP/2 towards clients (RFC 9113).

use std::{
    cell::RefCell,
    future::Future,
    pin::{Pin, pin},
    rc::Rc,
    sync::Arc,
    task::{Context, Poll},
};

use hyper::{
    rt::Executor,
    server::conn::http2,
    service::{HttpService, service_fn},
};
use hyper_util::rt::TokioIo;
use snapshot::{Http2, HttpOptions};
use tokio::io::{AsyncRead, AsyncWrite};

use super::{
    answer,
    connection::Connection,
    gather::Gather,
    io::ClientIo,
    serve::serve,
    watched::{Conversation, End, watched},
};
use crate::exchange::{Socket, Wait, Watchdog};

/// How much of a request's body may come before it is asked for, bytes.
const STREAM_WINDOW: u32 = 256 << 10;

/// The same for all requests of a connection.
const CONNECTION_WINDOW: u32 = 1 << 20;

/// How much of an answer is kept for a client that takes it slowly, bytes.
const SEND_BUFFER: usize = 64 << 10;

/// Streams that we had to reset because of what the client sent, for one connection. One that has more is ended.
const FAULTY_STREAMS: usize = 128;

/// Requests that the client took back before anybody saw them (CVE-2023-44487, "rapid reset").
const UNSEEN_STREAMS: usize = 20;

/// Serves a connection to its end.
pub async fn converse<S>(io: ClientIo<S>, connection: &Rc<Connection>, options: &HttpOptions, http2: Http2)
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
{
    connection.socket.share();
    let next = Rc::<RefCell<Option<Arc<Socket>>>>::default();
    let streams = Streams { connection: Rc::clone(connection), next: Rc::clone(&next) };
    let served = Rc::clone(connection);
    let service = service_fn(move |request| {
        served.asked();
        let socket = Arc::new(Socket::stream(&served.socket));
        next.replace(Some(Arc::clone(&socket)));
        serve(Rc::clone(&served), socket, request)
    });
    let writer = Gather::new(io, Arc::clone(&connection.socket));
    let http = builder(streams, options, http2).serve_connection(TokioIo::new(writer.clone()), service);
    let conversation = pin!(Http2Conversation { http, writer, connection: Rc::clone(connection), ends: false });
    if let End::Done(Err(error)) = watched(conversation, connection).await {
        answer::note_refusal(connection, &error);
    }
}

/// Limits on frames, continuations and the dynamic table are the library's own.
fn builder(streams: Streams, options: &HttpOptions, http2: Http2) -> http2::Builder<Streams> {
    // RFC 9113 section 6.5.2 counts 32 bytes more for each field than we do: our own check is to decide.
    let head = options.head.total.saturating_add(options.head.fields.saturating_mul(32));
    let mut builder = http2::Builder::new(streams);
    builder
        .max_concurrent_streams(http2.max_streams)
        .max_header_list_size(head)
        .enable_connect_protocol()
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buf_size(SEND_BUFFER)
        .max_local_error_reset_streams(FAULTY_STREAMS)
        .max_pending_accept_reset_streams(UNSEEN_STREAMS);
    builder
}

/// hyper's connection together with what it writes to.
struct Http2Conversation<H, S> {
    http: H,
    writer: Gather<ClientIo<S>>,
    connection: Rc<Connection>,
    /// It was told to end after the requests that it has.
    ends: bool,
}

impl<H, S> Future for Http2Conversation<H, S>
where
    H: Conversation<Output = hyper::Result<()>> + Unpin,
    S: AsyncRead + AsyncWrite + Unpin,
{
    type Output = hyper::Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let mut result = Pin::new(&mut this.http).poll(cx);
        if result.is_pending() && !this.ends && this.connection.has_been_asked() && this.connection.is_last() {
            this.ends = true;
            Pin::new(&mut this.http).end_gracefully();
            result = Pin::new(&mut this.http).poll(cx);
        }
        match (this.writer.poll_send(cx), result) {
            (Poll::Ready(Err(error)), Poll::Pending) => {
                tracing::debug!(peer = %this.connection.accepted.peer, %error, "client connection broken");
                Poll::Ready(Ok(()))
            }
            (_, result) => result,
        }
    }
}

impl<H, S> Conversation for Http2Conversation<H, S>
where
    Self: Future,
    H: Conversation + Unpin,
{
    fn end_gracefully(mut self: Pin<&mut Self>) {
        self.ends = true;
        Pin::new(&mut self.http).end_gracefully();
    }
}

impl<I, S> Conversation for http2::Connection<I, S, Streams>
where
    Self: Future + Unpin,
    S: HttpService<hyper::body::Incoming>,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    S::Future: 'static,
    S::ResBody: 'static,
    <S::ResBody as hyper::body::Body>::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    <S::ResBody as hyper::body::Body>::Data: 'static,
    I: hyper::rt::Read + hyper::rt::Write + Unpin,
{
    fn end_gracefully(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}

/// Runs each request in a task of its own, on the connection's thread.
#[derive(Clone)]
struct Streams {
    connection: Rc<Connection>,
    /// The request that comes next: hyper calls the service first, then has its future run.
    next: Rc<RefCell<Option<Arc<Socket>>>>,
}

impl<F: Future + 'static> Executor<F> for Streams {
    fn execute(&self, future: F) {
        let Some(socket) = self.next.take() else {
            return drop(tokio::task::spawn_local(async { drop(future.await) }));
        };
        let open = OpenStream::new(&self.connection);
        tokio::task::spawn_local(async move {
            run(future, &socket).await;
            drop(open);
        });
    }
}

/// Answers a request within its time limits. One that is dropped before its end is reset by hyper.
async fn run(http: impl Future, socket: &Socket) {
    let mut http = std::pin::pin!(http);
    let mut watchdog = Watchdog::default();
    std::future::poll_fn(|cx| {
        loop {
            if http.as_mut().poll(cx).is_ready() {
                return Poll::Ready(());
            }
            if watchdog.poll(cx, &socket.deadlines).is_pending() {
                return Poll::Pending;
            }
            if socket.deadlines.passed(Wait::Write) {
                return Poll::Ready(());
            }
        }
    })
    .await;
}

/// A request that is being answered, or a tunnel: its connection is not idle.
pub struct OpenStream(Rc<Connection>);

impl OpenStream {
    /// One more on `connection`, until it is dropped.
    pub fn new(connection: &Rc<Connection>) -> Self {
        connection.streams.set(connection.streams.get().saturating_add(1));
        Self(Rc::clone(connection))
    }
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        let left = self.0.streams.get().saturating_sub(1);
        self.0.streams.set(left);
        if left == 0 {
            self.0.socket.rest();
        }
    }
}
