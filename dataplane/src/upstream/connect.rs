//! A new upstream connection.

use std::{net::SocketAddr, rc::Rc, sync::Arc};

use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use snapshot::{Timeouts, Upstream};
use tokio::{
    net::TcpStream,
    time::{Instant, timeout},
};

use super::{Pool, io::UpstreamIo};
use crate::exchange::{Cause, Lease, Wire};

/// Connects to an endpoint. The connection runs in a task of its own, which ends with it.
///
/// # Errors
/// There is no connection within `Timeouts::connect`.
pub async fn connect(
    pool: &Rc<Pool>,
    address: SocketAddr,
    upstream: &Upstream,
    timeouts: &Timeouts,
) -> Result<Lease, Cause> {
    let stream = match timeout(timeouts.connect, TcpStream::connect(address)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => {
            tracing::debug!(%address, %error, "cannot connect");
            return Err(Cause::Connect);
        }
        Err(_) => return Err(Cause::ConnectTimeout),
    };
    // Without it the second small write of a request would wait for the acknowledgement of the first.
    stream.set_nodelay(true).map_err(|_| Cause::Connect)?;
    let wire = Arc::new(Wire::default());
    let io = TokioIo::new(UpstreamIo::new(stream, Arc::clone(&wire)));
    let (sender, connection) = http1::Builder::new().handshake(io).await.map_err(|_| Cause::Connect)?;
    tokio::task::spawn_local(async move {
        if let Err(error) = connection.with_upgrades().await {
            tracing::debug!(%address, %error, "upstream connection ended");
        }
    });
    let (born, keep_alive) = (Instant::now(), upstream.keep_alive);
    let home = Rc::<Pool>::clone(pool);
    Ok(Lease { sender, address, born, requests: 0, keep_alive, wire, home })
}
