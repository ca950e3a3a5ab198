//! A socket that clients send datagrams to.

use std::{
    io::{self, IoSliceMut},
    net::SocketAddr,
};

use quinn_udp::{RecvMeta, Transmit, UdpSocketState};
use rustix::net::sockopt;
use tokio::{io::Interest, net::UdpSocket};

use super::{super::buffers, Key};

/// How many buffers are filled at once. Each may hold several datagrams of one client.
const BATCH: usize = 4;

/// A socket that clients send datagrams to, and from which each gets replies by the address of ours that it sent to.
#[derive(Debug)]
pub struct Datagrams {
    socket: UdpSocket,
    state: UdpSocketState,
}

impl Datagrams {
    /// Takes over a bound socket.
    ///
    /// # Errors
    /// The system does not have what it takes.
    pub fn new(socket: std::net::UdpSocket) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        let state = UdpSocketState::new((&socket).into())?;
        // What QUIC wants is not what others want: a reply larger than the network's packets goes out in fragments.
        match socket.local_addr()? {
            SocketAddr::V4(_) => sockopt::set_ip_mtu_discover(&socket, sockopt::Ipv4PathMtuDiscovery::WANT)?,
            SocketAddr::V6(_) => sockopt::set_ipv6_mtu_discover(&socket, sockopt::Ipv6PathMtuDiscovery::WANT)?,
        }
        Ok(Self { socket: UdpSocket::from_std(socket)?, state })
    }

    /// Waits until there may be something to receive.
    pub(super) async fn readable(&self) -> io::Result<()> {
        self.socket.readable().await
    }

    /// Fills the inbox; false: there is nothing.
    pub(super) fn receive(&self, inbox: &mut Inbox) -> io::Result<bool> {
        let Inbox { buffers, metas, filled } = inbox;
        let mut slices = buffers.each_mut().map(|buffer| IoSliceMut::new(buffer));
        let receive = || self.state.recv((&self.socket).into(), &mut slices, metas);
        match self.socket.try_io(Interest::READABLE, receive) {
            Ok(count) => *filled = count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => *filled = 0,
            Err(error) => return Err(error),
        }
        Ok(*filled > 0)
    }

    /// Sends a reply.
    pub(super) fn reply(&self, key: Key, datagram: &[u8]) -> io::Result<()> {
        let transmit =
            Transmit { destination: key.client, ecn: None, contents: datagram, segment_size: None, src_ip: key.to };
        // Not by way of the runtime: what cannot be sent at once is lost, as everywhere on the way.
        self.state.try_send((&self.socket).into(), &transmit)
    }
}

/// Datagrams that were received.
pub(super) struct Inbox {
    buffers: [Box<[u8]>; BATCH],
    metas: [RecvMeta; BATCH],
    filled: usize,
}

impl Inbox {
    pub(super) fn new() -> Self {
        Self { buffers: std::array::from_fn(|_| buffers::take()), metas: [RecvMeta::default(); BATCH], filled: 0 }
    }

    /// Each datagram with whose it is. The kernel may have put several of one client and one size together.
    pub(super) fn each(&self, mut take: impl FnMut(Key, &[u8])) {
        for (buffer, meta) in self.buffers.iter().zip(&self.metas).take(self.filled) {
            let key = Key { client: meta.addr, to: meta.dst_ip };
            let all = buffer.get(..meta.len).unwrap_or_default();
            if all.is_empty() {
                take(key, all);
            }
            all.chunks(meta.stride.max(1)).for_each(|datagram| take(key, datagram));
        }
    }
}

impl Drop for Inbox {
    fn drop(&mut self) {
        self.buffers.each_mut().into_iter().map(std::mem::take).for_each(buffers::give);
    }
}
