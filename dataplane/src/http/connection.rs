//! One client connection, whatever is spoken over it.

use std::{
    cell::{Cell, Ref, RefCell},
    net::SocketAddr,
    pin::pin,
    rc::Rc,
    sync::Arc,
};

use snapshot::{Http2, HttpOptions, ListenerId};
use tokio::io::{AsyncRead, AsyncWrite};

use super::{
    answer,
    context::{Context, Guest},
    forwarded, h1, h2,
    io::ClientIo,
    sniff::Sniff,
    watched::{End, watched},
};
use crate::{
    exchange::{Client, Socket},
    observe::OpenConnection,
    runtime::LiveListener,
    tls::{Asked, Peer},
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
    /// Whether both addresses are those that a proxy in front of us named (PROXY protocol).
    pub proxied: bool,
}

/// What is known of what a client will speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speaks {
    /// HTTP/1.1: it did not ask for more.
    Http1,
    /// HTTP/2: it was agreed upon (ALPN, RFC 7301).
    Http2,
    /// Its first bytes will tell.
    Either,
}

/// What the requests of one connection share.
pub struct Connection {
    /// The worker.
    pub context: Rc<Context>,
    /// What its IO and its task share, with the request in flight too where there is one at a time.
    pub socket: Arc<Socket>,
    /// Where it came from.
    pub accepted: Accepted,
    /// Who asks over it, unless a trusted proxy names somebody else.
    pub peer: Client,
    /// What its handshake told; none: it is in the clear.
    pub tls: Option<Peer>,
    /// Where log and metrics see it.
    pub gauge: Rc<OpenConnection>,
    /// How many requests of an HTTP/2 connection are being answered.
    pub streams: Cell<u32>,
    /// How HTTP is spoken. Nothing else of the listener is held: between two requests, and for as long as one is answered,
    /// a connection must not keep tables that were replaced.
    options: RefCell<Arc<HttpOptions>>,
    requests: Cell<u32>,
    /// Keeps the worker from leaving before a tunnel has ended, too.
    _guest: Guest,
}

impl Connection {
    fn new(accepted: Accepted, options: Arc<HttpOptions>, guest: Guest, tls: Option<Peer>) -> Self {
        let context = Rc::clone(guest.context());
        Self {
            socket: Arc::new(Socket::new(&options)),
            peer: forwarded::peer(&accepted),
            accepted,
            tls,
            gauge: Rc::new(context.gauges.open()),
            context,
            streams: Cell::new(0),
            options: RefCell::new(options),
            requests: Cell::new(0),
            _guest: guest,
        }
    }

    /// The client, where it was asked for a certificate.
    pub fn asked_for_certificate(&self) -> Option<&Asked> {
        self.tls.as_ref()?.asked.as_deref()
    }

    /// Another request came.
    pub fn asked(&self) {
        self.requests.set(self.requests.get().saturating_add(1));
    }

    /// Whether a request ever came.
    pub fn has_been_asked(&self) -> bool {
        self.requests.get() > 0
    }

    /// A request is to be answered. Returns the listener as it is served now; where it is not served any more, one that
    /// serves no host, and the request is the last.
    pub fn begin(&self) -> Arc<LiveListener> {
        self.gauge.begin_request();
        self.context.gauges.request();
        let mut options = self.options.borrow_mut();
        let Some(now) = self.context.listener(&self.accepted.listener) else {
            self.requests.set(u32::MAX);
            return Arc::new(LiveListener::closed(Arc::clone(&options)));
        };
        if !Arc::ptr_eq(&options, &now.http) {
            *options = Arc::clone(&now.http);
        }
        now
    }

    /// How HTTP is spoken.
    pub fn options(&self) -> Ref<'_, HttpOptions> {
        Ref::map(self.options.borrow(), |options| &**options)
    }

    /// Whether the present request is to be the last.
    pub fn is_last(&self) -> bool {
        self.is_used_up() || self.context.is_leaving()
    }

    /// Whether it has had as many requests as a connection may have.
    pub fn is_used_up(&self) -> bool {
        let keep = self.options().keep_alive;
        self.requests.get() >= keep.requests || (keep.idle.is_zero() && self.has_been_asked())
    }
}

/// Serves a connection to its end. `tls` is what its handshake told.
pub async fn serve_connection<S>(stream: S, speaks: Speaks, accepted: Accepted, guest: Guest, tls: Option<Peer>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let Some(options) = guest.context().listener(&accepted.listener).map(|listener| Arc::clone(&listener.http)) else {
        return;
    };
    let connection = Rc::new(Connection::new(accepted, Arc::clone(&options), guest, tls));
    let mut io = ClientIo::new(stream, Arc::clone(&connection.socket));
    match find_out(&mut io, speaks, &connection, options.http2).await {
        // A task of its own size for each: an idle connection must not pay for the largest.
        Some(Some(http2)) => Box::pin(h2::converse(io, &connection, &options, http2)).await,
        Some(None) => h1::converse(io, &connection).await,
        None => {}
    }
}

/// How HTTP/2 is to be spoken, or that HTTP/1.1 is; none: the connection ended before anybody could know.
async fn find_out<S>(
    io: &mut ClientIo<S>,
    speaks: Speaks,
    connection: &Connection,
    http2: Option<Http2>,
) -> Option<Option<Http2>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let is_http2 = match speaks {
        Speaks::Http1 => false,
        Speaks::Http2 => true,
        Speaks::Either if http2.is_none() => false,
        Speaks::Either => match watched(pin!(Sniff::new(io)), connection).await {
            End::Done(Ok(Some(is_http2))) => is_http2,
            End::Done(Err(_)) => {
                answer::note_status(connection, connection.socket.refusal()?);
                return None;
            }
            End::Done(Ok(None)) | End::Stuck => return None,
        },
    };
    Some(http2.filter(|_| is_http2))
}
