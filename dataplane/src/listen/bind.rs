//! Sockets that listen.

use std::{
    io,
    net::{SocketAddr, TcpListener, UdpSocket},
};

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
    pub sockets: Vec<Listening>,
}

/// What a socket is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

/// A socket that clients reach.
#[derive(Debug)]
pub enum Listening {
    /// Of connections.
    Tcp(TcpListener),
    /// Of datagrams.
    Udp(UdpSocket),
}

/// Listens on an address with as many sockets as there are workers; the kernel spreads connections over them, and
/// datagrams so that those of one client always come to the same.
///
/// # Errors
/// The address is taken or cannot be had.
pub fn bind(address: SocketAddr, kind: Kind, workers: usize) -> Result<Bound, BindError> {
    let fail = |source| BindError { address, source };
    if address.port() != 0 {
        probe(address, kind).map_err(fail)?;
    }
    let (first, actual) = listening(address, kind).map_err(fail)?;
    let mut sockets = vec![first];
    for _ in 1..workers {
        sockets.push(listening(actual, kind).map_err(fail)?.0);
    }
    Ok(Bound { address: actual, sockets })
}

/// A second bind with SO_REUSEPORT of a port that another process of this user has bound the same way succeeds, and
/// the two would silently share the traffic. Without that option it is refused. SO_REUSEADDR lets through what only
/// looks taken: connections of an earlier process in TIME_WAIT.
fn probe(address: SocketAddr, kind: Kind) -> io::Result<()> {
    let socket = socket(address, kind)?;
    socket.bind(&address.into())?;
    match kind {
        // With SO_REUSEADDR, two sockets may be bound as long as neither listens.
        Kind::Tcp => socket.listen(1),
        Kind::Udp => Ok(()),
    }
}

/// A socket, and the address that it really has.
fn listening(address: SocketAddr, kind: Kind) -> io::Result<(Listening, SocketAddr)> {
    let socket = socket(address, kind)?;
    socket.set_reuse_port(true)?;
    socket.bind(&address.into())?;
    socket.set_nonblocking(true)?;
    match kind {
        Kind::Tcp => {
            socket.listen(BACKLOG)?;
            let socket = TcpListener::from(socket);
            let actual = socket.local_addr()?;
            Ok((Listening::Tcp(socket), actual))
        }
        Kind::Udp => {
            let socket = UdpSocket::from(socket);
            let actual = socket.local_addr()?;
            Ok((Listening::Udp(socket), actual))
        }
    }
}

fn socket(address: SocketAddr, kind: Kind) -> io::Result<Socket> {
    let (of, protocol) = match kind {
        Kind::Tcp => (Type::STREAM, Protocol::TCP),
        Kind::Udp => (Type::DGRAM, Protocol::UDP),
    };
    let socket = Socket::new(Domain::for_address(address), of, Some(protocol))?;
    if address.is_ipv6() {
        // `0.0.0.0` has a socket of its own.
        socket.set_only_v6(true)?;
    }
    if kind == Kind::Tcp {
        // Of datagrams it would let several have one address.
        socket.set_reuse_address(true)?;
    }
    Ok(socket)
}
