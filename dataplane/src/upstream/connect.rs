//! A new upstream connection.

use std::{cell::RefCell, future::Future, net::SocketAddr, pin::Pin, rc::Rc, sync::Arc};

use hyper::{
    client::conn::{http1, http2},
    rt::Executor,
};
use hyper_util::rt::TokioIo;
use snapshot::{Timeouts, Upstream};
use tokio::{
    net::TcpStream,
    time::{Instant, timeout_at},
};

use super::{Pool, io::UpstreamIo};
use crate::exchange::{Body, Cause, Driver, Lease, Sender, Wire, after};

/// How large the fields of an answer may be, bytes (RFC 9113 section 6.5.2).
const MOST_FIELDS: u32 = 64 << 10;

/// Connects to an endpoint.
///
/// Only so many are being opened to one endpoint at a time, or every request for one that is silent would open its own.
/// Who has to wait for its turn may get a connection that has become free meanwhile.
///
/// # Errors
/// There is no connection within `Timeouts::connect`.
pub async fn connect(
    pool: &Rc<Pool>,
    address: SocketAddr,
    upstream: &Upstream,
    timeouts: &Timeouts,
) -> Result<Lease, Cause> {
    let until = after(timeouts.connect);
    let turns = pool.turns(address);
    let _turn = match turns.try_acquire() {
        Ok(turn) => turn,
        Err(_) => {
            let turn = timeout_at(until, turns.acquire()).await.map_err(|_| Cause::ConnectTimeout)?;
            if let Some(lease) = pool.take(address) {
                return Ok(lease);
            }
            turn.map_err(|_| Cause::Connect)?
        }
    };
    let wire = Arc::new(Wire::default());
    let io = open(address, until, &wire).await?;
    let (sender, connection) = http1::Builder::new().handshake(io).await.map_err(|_| Cause::Connect)?;
    let sender = Sender::Http1(sender, Some(Driver::new(connection.with_upgrades())));
    let (born, keep_alive) = (Instant::now(), upstream.keep_alive);
    let home = Rc::<Pool>::clone(pool);
    Ok(Lease { sender, address, born, requests: 0, keep_alive, wire, home })
}

/// A new connection of HTTP/2, and what is to be known of it.
pub struct Http2 {
    /// Sends requests.
    pub sender: http2::SendRequest<Body>,
    /// What the connection's IO has to know and to tell.
    pub wire: Arc<Wire>,
    connection: Rc<RefCell<Connection>>,
}

type Connection = http2::Connection<TokioIo<UpstreamIo>, Body, Local>;

impl Http2 {
    /// How many requests the endpoint takes at a time: one until it has said so.
    pub fn most_streams(&self) -> usize {
        self.connection.borrow().current_max_send_streams()
    }
}

/// Connects to an endpoint that speaks HTTP/2. The connection's tasks end with it.
///
/// # Errors
/// There is no connection within `Timeouts::connect`.
pub async fn connect_http2(address: SocketAddr, timeouts: &Timeouts) -> Result<Http2, Cause> {
    let wire = Arc::new(Wire::default());
    wire.begin(timeouts.send);
    let io = open(address, after(timeouts.connect), &wire).await?;
    let mut builder = http2::Builder::new(Local);
    builder.initial_max_send_streams(1).max_header_list_size(MOST_FIELDS);
    let (sender, connection) = builder.handshake(io).await.map_err(|_| Cause::Connect)?;
    let connection = Rc::new(RefCell::new(connection));
    let served = Rc::clone(&connection);
    tokio::task::spawn_local(async move {
        let ended = std::future::poll_fn(|cx| Pin::new(&mut *served.borrow_mut()).poll(cx)).await;
        if let Err(error) = ended {
            tracing::debug!(%address, %error, "upstream connection ended");
        }
    });
    Ok(Http2 { sender, wire, connection })
}

async fn open(address: SocketAddr, until: Instant, wire: &Arc<Wire>) -> Result<TokioIo<UpstreamIo>, Cause> {
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
    Ok(TokioIo::new(UpstreamIo::new(stream, Arc::clone(wire))))
}

/// Runs hyper's tasks on this thread.
#[derive(Debug, Clone, Copy)]
struct Local;

impl<F: Future + 'static> Executor<F> for Local {
    fn execute(&self, future: F) {
        tokio::task::spawn_local(async { drop(future.await) });
    }
}
