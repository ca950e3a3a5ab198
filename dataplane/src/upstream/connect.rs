//! A new upstream connection.

use std::{cell::RefCell, future::Future, io, pin::Pin, rc::Rc, sync::Arc, task::Poll};

use hyper::{
    client::conn::{http1, http2},
    rt::Executor,
};
use hyper_util::rt::TokioIo;
use snapshot::{Timeouts, UpstreamKeepAlive};
use tokio::{
    net::TcpStream,
    time::{Instant, timeout_at},
};
use tokio_rustls::TlsConnector;

use super::{Pool, io::UpstreamIo, stream::Stream};
use crate::{
    exchange::{Body, Cause, Driver, Lease, Moment, Peer, Sender, Wire, after},
    tls::TlsClient,
};

/// How large the fields of an answer may be, bytes (RFC 9113 section 6.5.2).
const MOST_FIELDS: u32 = 64 << 10;

/// Where a connection is to lead to, and how it is used.
#[derive(Debug, Clone, Copy)]
pub struct Destination<'a> {
    /// The endpoint, and the number of `tls`.
    pub peer: Peer,
    /// How TLS is spoken; none: it is not.
    pub tls: Option<&'a TlsClient>,
    /// How long a connection is used.
    pub keep_alive: UpstreamKeepAlive,
}

/// Connects to an endpoint.
///
/// Only so many are being opened to one endpoint at a time, or every request for one that is silent would open its own.
/// Who has to wait for its turn may get a connection that has become free meanwhile.
///
/// # Errors
/// There is no connection within `Timeouts::connect`.
pub async fn connect(pool: &Rc<Pool>, to: &Destination<'_>, timeouts: &Timeouts) -> Result<Lease, Cause> {
    let Destination { peer, keep_alive, .. } = *to;
    let until = after(timeouts.connect);
    let turns = pool.turns(peer);
    let _turn = match turns.try_acquire() {
        Ok(turn) => turn,
        Err(_) => {
            let turn = timeout_at(until, turns.acquire()).await.map_err(|_| Cause::ConnectTimeout)?;
            if let Some(lease) = pool.take(peer) {
                return Ok(lease);
            }
            turn.map_err(|_| Cause::Connect)?
        }
    };
    let wire = Arc::new(Wire::default());
    let io = open(pool, to, until, &wire).await?;
    let (sender, connection) = http1::Builder::new().handshake(io).await.map_err(|_| Cause::Connect)?;
    let sender = Sender::Http1(sender, Driver::new(connection.with_upgrades()));
    let (born, home) = (Moment::now(), Rc::<Pool>::clone(pool));
    Ok(Lease { sender, peer, born, requests: 0, keep_alive, wire, home })
}

/// A new connection of HTTP/2, and what is to be known of it.
pub struct Http2 {
    /// Sends requests.
    pub sender: http2::SendRequest<Body>,
    /// What the connection's IO has to know and to tell.
    pub wire: Arc<Wire>,
    /// None once it has ended. Until it is dropped it counts as open, and requests for it would wait until they are late.
    connection: Rc<RefCell<Option<Connection>>>,
}

type Connection = http2::Connection<TokioIo<UpstreamIo>, Body, Local>;

impl Http2 {
    /// How many requests the endpoint takes at a time: one until it has said so.
    pub fn most_streams(&self) -> usize {
        self.connection.borrow().as_ref().map_or(0, Connection::current_max_send_streams)
    }
}

/// Connects to an endpoint that speaks HTTP/2. The connection's tasks end with it.
///
/// # Errors
/// There is no connection within `Timeouts::connect`.
pub async fn connect_http2(pool: &Pool, to: &Destination<'_>, timeouts: &Timeouts) -> Result<Http2, Cause> {
    let address = to.peer.address;
    let wire = Arc::new(Wire::default());
    wire.begin(timeouts.send);
    let io = open(pool, to, after(timeouts.connect), &wire).await?;
    let mut builder = http2::Builder::new(Local);
    builder.initial_max_send_streams(1).max_header_list_size(MOST_FIELDS);
    let (sender, connection) = builder.handshake(io).await.map_err(|_| Cause::Connect)?;
    let connection = Rc::new(RefCell::new(Some(connection)));
    let served = Rc::clone(&connection);
    tokio::task::spawn_local(async move {
        let polled = std::future::poll_fn(|cx| match &mut *served.borrow_mut() {
            Some(connection) => Pin::new(connection).poll(cx),
            None => Poll::Ready(Ok(())),
        });
        let ended = polled.await;
        drop(served.take());
        if let Err(error) = ended {
            tracing::debug!(%address, %error, "upstream connection ended");
        }
    });
    Ok(Http2 { sender, wire, connection })
}

async fn open(
    pool: &Pool,
    to: &Destination<'_>,
    until: Instant,
    wire: &Arc<Wire>,
) -> Result<TokioIo<UpstreamIo>, Cause> {
    let address = to.peer.address;
    let stream = match timeout_at(until, TcpStream::connect(address)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => {
            tracing::debug!(%address, %error, "cannot connect");
            return Err(Cause::Connect);
        }
        Err(_) => return Err(Cause::ConnectTimeout),
    };
    // Without it the second small write of a request would wait for the acknowledgement of the first.
    stream.set_nodelay(true).map_err(|_| Cause::Connect)?;
    let stream = match to.tls {
        None => Stream::Plain(stream),
        Some(client) => {
            // Apart, because it is large and most connections have none.
            let shaking_hands = Box::pin(shake_hands(pool, to.peer, client, stream));
            timeout_at(until, shaking_hands).await.map_err(|_| Cause::ConnectTimeout)??
        }
    };
    Ok(TokioIo::new(UpstreamIo::new(stream, Arc::clone(wire))))
}

async fn shake_hands(pool: &Pool, peer: Peer, client: &TlsClient, stream: TcpStream) -> Result<Stream, Cause> {
    let connector = TlsConnector::from(pool.sessions.config(peer, client));
    match connector.connect(client.name(), stream).await {
        Ok(stream) => Ok(Stream::Tls(Box::new(stream))),
        Err(error) => {
            tracing::debug!(address = %peer.address, name = ?client.name(), %error, "cannot speak TLS");
            Err(if note_tls(client, &error) { Cause::Tls } else { Cause::Connect })
        }
    }
}

/// Counts an error where it is one of TLS.
pub fn note_tls(client: &TlsClient, error: &io::Error) -> bool {
    let error = error.get_ref().and_then(|error| error.downcast_ref::<rustls::Error>());
    error.inspect(|error| client.failed(error)).is_some()
}

/// Runs hyper's tasks on this thread.
#[derive(Debug, Clone, Copy)]
struct Local;

impl<F: Future + 'static> Executor<F> for Local {
    fn execute(&self, future: F) {
        tokio::task::spawn_local(async { drop(future.await) });
    }
}
