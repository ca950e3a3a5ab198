//! Where connections and datagrams go.

use std::{io, net::SocketAddr, time::Duration};

use snapshot::{Retry, StreamBackend};
use tokio::{net::TcpStream, time::timeout};

use crate::{
    balance::RoundRobin,
    upstream::{Place, Tries},
};

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

    /// The endpoint whose turn it is.
    pub fn pick(&self) -> Option<SocketAddr> {
        let set = self.place.endpoints();
        let index = self.balance.pick(set.endpoints.len())?;
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
        let mut tries = Tries::new(retry);
        while let Some(address) = tries.next(&self.place.endpoints(), &self.balance, false) {
            match self.attempt(address, limit).await {
                Ok(stream) => return Ok((stream, address)),
                Err(error) => {
                    tracing::debug!(%address, %error, "cannot connect");
                    // One that is silent has cost as much time as a try may.
                    if error.kind() != io::ErrorKind::TimedOut {
                        tries.pass_over();
                    }
                }
            }
            failed();
            if tries.is_over() {
                break;
            }
        }
        Err(if tries.is_empty() { Unreachable::NoEndpoint } else { Unreachable::Failed })
    }

    async fn attempt(&self, address: SocketAddr, limit: Duration) -> io::Result<TcpStream> {
        let connecting = Box::pin(timeout(limit, TcpStream::connect(address)));
        let connected = self.place.while_here(address, connecting).await;
        let connected = connected.ok_or_else(|| io::Error::other("the endpoint has left"))?;
        prepare(connected.map_err(|_| io::ErrorKind::TimedOut)??)
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
