//! Sockets that listen.

use std::{io, net::SocketAddr, net::TcpListener};

use socket2::{Domain, Protocol, Socket, Type};
use thiserror::Error;

/// Connections that may wait to be accepted; the kernel lowers it to `net.core.somaxconn`.
const BACKLOG: i32 = 4096;

/// An address cannot be listened on.
#[derive(Debug, Error)]
#[error("cannot bind {address}: {source}")]
pub struct BindError {
    /// The address.
    pub address: SocketAddr,
    /// Why.
    pub source: io::Error,
}

impl BindError {
    /// Whether this machine does not have the address's family at all: IPv6 is often switched off.
    pub fn is_unsupported(&self) -> bool {
        self.address.is_ipv6()
            && self.source.raw_os_error().is_some_and(|code| {
                [rustix::io::Errno::AFNOSUPPORT, rustix::io::Errno::ADDRNOTAVAIL]
                    .iter()
                    .any(|errno| errno.raw_os_error() == code && self.address.ip().is_unspecified())
            })
    }
}

/// Sockets of one address, one for each worker.
#[derive(Debug)]
pub struct Bound {
    /// The address with the port that it really is.
    pub address: SocketAddr,
    /// The sockets.
    pub sockets: Vec<TcpListener>,
}

/// Listens on an address with as many sockets as there are workers; the kernel spreads connections over them.
///
/// # Errors
/// The address is taken or cannot be had.
pub fn bind(address: SocketAddr, workers: usize) -> Result<Bound, BindError> {
    let fail = |source| BindError { address, source };
    if address.port() != 0 {
        probe(address).map_err(fail)?;
    }
    let first = listener(address).map_err(fail)?;
    let actual = first.local_addr().map_err(fail)?;
    let mut sockets = vec![first];
    for _ in 1..workers {
        sockets.push(listener(actual).map_err(fail)?);
    }
    Ok(Bound { address: actual, sockets })
}

/// A second bind with SO_REUSEPORT of a port that another process of this user has bound the same way succeeds, and
/// the two would silently share the traffic. Without that option it is refused. SO_REUSEADDR lets through what only
/// looks taken: connections of an earlier process in TIME_WAIT.
fn probe(address: SocketAddr) -> io::Result<()> {
    let socket = socket(address)?;
    socket.bind(&address.into())?;
    // With SO_REUSEADDR, two sockets may be bound as long as neither listens.
    socket.listen(1)
}

fn listener(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = socket(address)?;
    socket.set_reuse_port(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

fn socket(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        // `0.0.0.0` has a socket of its own.
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_address(true)?;
    Ok(socket)
}
