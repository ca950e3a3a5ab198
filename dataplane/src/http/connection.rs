//! One client connection: its task, and its time limits.

use std::{
    cell::{Cell, RefCell},
    future::Future,
    net::SocketAddr,
    pin::{Pin, pin},
    rc::Rc,
    sync::Arc,
    task::{Context as TaskContext, Poll},
    time::Duration,
};

use http::StatusCode;
use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use snapshot::ListenerId;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::{Instant, Sleep},
};

use super::{
    context::{Context, Guest},
    io::ClientIo,
    serve::serve,
};
use crate::{
    exchange::{Socket, Wait},
    observe::{ConnectionState, OpenConnection},
    runtime::LiveListener,
};

/// A connection that was accepted.
#[derive(Debug, Clone)]
pub struct Accepted {
    /// On which listener.
    pub listener: ListenerId,
    /// From where.
    pub peer: SocketAddr,
    /// At which address of ours.
    pub local: SocketAddr,
    /// Whether it is encrypted.
    pub tls: bool,
}

/// What the requests of one connection share.
pub struct Connection {
    /// The worker.
    pub context: Rc<Context>,
    /// What its IO and its task share with the request in flight.
    pub socket: Arc<Socket>,
    /// Where it came from.
    pub accepted: Accepted,
    /// Where log and metrics see it.
    pub gauge: Rc<OpenConnection>,
    listener: RefCell<Arc<LiveListener>>,
    requests: Cell<u32>,
    /// Keeps the worker from leaving before a tunnel has ended, too.
    _guest: Guest,
}

impl Connection {
    /// The head of another request is complete. Returns the listener as it is served now; where it is not served any
    /// more, as it was.
    pub fn begin(&self) -> Arc<LiveListener> {
        self.socket.begin();
        self.gauge.set(ConnectionState::Writing);
        self.context.gauges.request();
        self.requests.set(self.requests.get().saturating_add(1));
        if let Some(now) = self.context.listener(&self.accepted.listener) {
            *self.listener.borrow_mut() = Arc::clone(&now);
            return now;
        }
        Arc::clone(&self.listener.borrow())
    }

    /// Whether the present request is to be the last.
    pub fn is_last(&self, listener: &LiveListener) -> bool {
        let keep = &listener.http.keep_alive;
        keep.idle.is_zero() || self.requests.get() >= keep.requests || self.context.is_leaving()
    }
}

/// Serves a connection to its end. A tunnel that it became goes on in a task of its own.
pub async fn serve_connection<S>(stream: S, accepted: Accepted, guest: Guest)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let context = Rc::clone(guest.context());
    let Some(listener) = context.listener(&accepted.listener) else { return };
    let socket = Arc::new(Socket::new(&listener.http));
    let io = TokioIo::new(ClientIo::new(stream, Arc::clone(&socket)));
    let mut builder = http1::Builder::new();
    // Our own limits take its place: it would run on idle connections too, and need a timer for each request.
    builder.header_read_timeout(None);
    let connection = Rc::new(Connection {
        context: Rc::clone(&context),
        socket: Arc::clone(&socket),
        accepted,
        gauge: Rc::new(context.gauges.open()),
        listener: RefCell::new(listener),
        requests: Cell::new(0),
        _guest: guest,
    });
    let served = Rc::clone(&connection);
    let service = service_fn(move |request| serve(Rc::clone(&served), request));
    let http = builder.serve_connection(io, service).with_upgrades();
    let watched = Watched { http: pin!(http), watchdog: Watchdog::new(), connection: &connection };
    let ended = watched.run(&context).await;
    if let End::Http(Err(error)) = &ended {
        super::answer::note_refusal(&connection, error);
    }
}

/// How a connection ended.
enum End {
    /// hyper is done with it.
    Http(hyper::Result<()>),
    /// The client took nothing of the answer for too long.
    Stuck,
}

/// hyper's connection; the bounds are those that it asks for.
struct Watched<'a, H> {
    http: Pin<&'a mut H>,
    watchdog: Watchdog,
    connection: &'a Connection,
}

/// What the task needs of hyper's connection, whatever stream and service are.
trait Http: Future<Output = hyper::Result<()>> {
    fn end_gracefully(self: Pin<&mut Self>);
}

impl<I, S> Http for http1::UpgradeableConnection<I, S>
where
    Self: Future<Output = hyper::Result<()>>,
    S: hyper::service::HttpService<hyper::body::Incoming>,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    S::ResBody: 'static,
    <S::ResBody as hyper::body::Body>::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    I: hyper::rt::Read + hyper::rt::Write + Unpin,
{
    fn end_gracefully(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}

impl<H: Http> Watched<'_, H> {
    async fn run(mut self, context: &Context) -> End {
        let mut drain = pin!(context.drain.notified());
        let mut told = context.is_draining();
        if told {
            self.leave();
        }
        std::future::poll_fn(|cx| {
            if !told && drain.as_mut().poll(cx).is_ready() {
                told = true;
                self.leave();
            }
            self.poll(cx)
        })
        .await
    }

    /// The worker is leaving. A connection that has had a request ends after the one it is at, or at once; one that is
    /// new has been opened for a request which is on its way, and gets it answered.
    fn leave(&mut self) {
        if self.connection.requests.get() > 0 {
            self.http.as_mut().end_gracefully();
        } else if !self.connection.socket.is_in_head() {
            self.connection.socket.deadlines.set(Wait::Client, FIRST_REQUEST);
        }
    }

    fn poll(&mut self, cx: &mut TaskContext<'_>) -> Poll<End> {
        loop {
            if let Poll::Ready(result) = self.http.as_mut().poll(cx) {
                return Poll::Ready(End::Http(result));
            }
            if self.watchdog.poll(cx, &self.connection.socket).is_pending() {
                return Poll::Pending;
            }
            let deadlines = &self.connection.socket.deadlines;
            if deadlines.passed(Wait::Write) {
                return Poll::Ready(End::Stuck);
            }
            if deadlines.passed(Wait::Client) {
                self.end_waiting();
            }
        }
    }

    /// The client sent no request: an idle connection is closed silently, a head that had begun gets 408.
    fn end_waiting(&mut self) {
        let socket = &self.connection.socket;
        socket.deadlines.clear(Wait::Client);
        if socket.is_in_head() {
            socket.refuse(StatusCode::REQUEST_TIMEOUT);
        } else {
            self.http.as_mut().end_gracefully();
        }
    }
}

/// The one timer of a connection. It is set anew only when it fires too early or would fire too late.
struct Watchdog {
    timer: Option<Pin<Box<Sleep>>>,
    /// The limit that passed last, and when it is looked at again if polling everybody did not end it.
    handled: Option<(Instant, Instant)>,
}

/// How long a new connection may take to its first request when the worker is leaving.
const FIRST_REQUEST: Duration = Duration::from_secs(1);

/// How soon a limit is looked at again where those whom it concerns were polled and let it pass.
const AGAIN: Duration = Duration::from_secs(1);

impl Watchdog {
    fn new() -> Self {
        Self { timer: None, handled: None }
    }

    /// Ready when a limit has just passed: then everybody whom it may concern is to be polled.
    fn poll(&mut self, cx: &mut TaskContext<'_>, socket: &Socket) -> Poll<()> {
        loop {
            let Some(due) = socket.deadlines.next() else { return Poll::Pending };
            let at = self.handled.filter(|(handled, _)| *handled == due).map_or(due, |(_, again)| again);
            let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(at)));
            if at < timer.deadline() || timer.is_elapsed() {
                timer.as_mut().reset(at);
            }
            std::task::ready!(timer.as_mut().poll(cx));
            let now = Instant::now();
            if at <= now {
                self.handled = Some((due, now + AGAIN));
                return Poll::Ready(());
            }
        }
    }
}
