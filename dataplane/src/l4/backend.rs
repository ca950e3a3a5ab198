//! Where connections and datagrams go.

use std::{io, net::SocketAddr, time::Duration};

use smallvec::SmallVec;
use snapshot::{Retry, StreamBackend};
use tokio::{
    net::TcpStream,
    time::{Instant, timeout},
};

use crate::{balance::RoundRobin, upstream::Place};

/// A backend that is served.
#[derive(Debug)]
pub struct LiveBackend {
    /// What it was built from.
    pub source: StreamBackend,
    /// Where its endpoints come from.
    pub place: Place,
    /// Which endpoint is next.
    balance: RoundRobin,
}

/// There is no connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unreachable {
    /// There is no endpoint at all.
    NoEndpoint,
    /// Those that were tried did not take it.
    Failed,
}

impl LiveBackend {
    /// A backend; `seed` is where its round robin begins.
    pub fn new(source: StreamBackend, place: Place, seed: usize) -> Self {
        Self { source, place, balance: RoundRobin::new(seed) }
    }

    /// The endpoint whose turn it is, of those that are not in `tried`.
    pub fn pick(&self, tried: &[SocketAddr]) -> Option<SocketAddr> {
        let set = self.place.endpoints();
        let was_tried = |index: usize| set.endpoints.get(index).is_none_or(|e| tried.contains(&e.address));
        let index = self.balance.pick_except(set.endpoints.len(), was_tried)?;
        set.endpoints.get(index).map(|endpoint| endpoint.address)
    }

    /// Connects to one endpoint or another. `failed` is told of each one that could not be had.
    ///
    /// # Errors
    /// There is none, or all tries that `retry` allows were in vain.
    pub async fn connect(
        &self,
        limit: Duration,
        retry: &Retry,
        failed: impl Fn(),
    ) -> Result<(TcpStream, SocketAddr), Unreachable> {
        let until = if retry.timeout.is_zero() { None } else { Instant::now().checked_add(retry.timeout) };
        let mut tried: SmallVec<[SocketAddr; 2]> = SmallVec::new();
        while let Some(address) = self.pick(&tried) {
            match self.attempt(address, limit).await {
                Ok(stream) => return Ok((stream, address)),
                Err(error) => tracing::debug!(%address, %error, "cannot connect"),
            }
            failed();
            tried.push(address);
            let used_up = retry.tries != 0 && u32::try_from(tried.len()).is_ok_and(|count| count >= retry.tries);
            if used_up || until.is_some_and(|until| Instant::now() >= until) {
                break;
            }
        }
        Err(if tried.is_empty() { Unreachable::NoEndpoint } else { Unreachable::Failed })
    }

    /// An endpoint that leaves meanwhile is given up at once.
    async fn attempt(&self, address: SocketAddr, limit: Duration) -> io::Result<TcpStream> {
        let connected = tokio::select! {
            connected = timeout(limit, TcpStream::connect(address)) => connected.map_err(|_| io::ErrorKind::TimedOut)?,
            () = self.place.left(address) => return Err(io::Error::other("the endpoint has left")),
        };
        connected.and_then(prepare)
    }
}

/// After how long of silence an endpoint is asked whether it is still there: one whose machine is gone sends no end.
const PROBE: Duration = Duration::from_secs(30);

fn prepare(stream: TcpStream) -> io::Result<TcpStream> {
    stream.set_nodelay(true)?;
    let probes = socket2::TcpKeepalive::new().with_time(PROBE).with_interval(PROBE);
    socket2::SockRef::from(&stream).set_tcp_keepalive(&probes)?;
    Ok(stream)
}
