//! One client connection, plain or TLS.

use std::{
    io::{ErrorKind, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    os::fd::{AsFd, BorrowedFd},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, Result, bail};
use rustix::net::{AddressFamily, RecvFlags, SocketType, bind, connect, recv, socket};
use rustls::{ClientConfig, ClientConnection, HandshakeKind, pki_types::ServerName};

use super::{Answer, Progress};

/// How long a handshake may take; proxies under valgrind are slow.
const HANDSHAKE: Duration = Duration::from_secs(30);
/// What is read at once while a head is awaited.
const HEAD: usize = 16 * 1024;

/// A client connection.
#[derive(Debug)]
pub enum Stream {
    /// Without TLS.
    Plain(TcpStream),
    /// With TLS.
    Tls(TcpStream, Box<ClientConnection>),
}

impl Stream {
    /// Connects from an address of the loopback. A handshake goes on while others wait for their answers: what is sent
    /// meanwhile is kept until it is done.
    ///
    /// # Errors
    /// Where it cannot connect.
    pub fn connect(address: SocketAddr, from: Ipv4Addr, tls: Option<(&Arc<ClientConfig>, &str)>) -> Result<Self> {
        let socket = open(address, from).with_context(|| format!("cannot connect from {from} to {address}"))?;
        socket.set_nodelay(true)?;
        socket.set_nonblocking(true)?;
        let Some((config, host)) = tls else { return Ok(Self::Plain(socket)) };
        let name = ServerName::try_from(host.to_owned())?;
        Ok(Self::Tls(socket, Box::new(ClientConnection::new(Arc::clone(config), name)?)))
    }

    /// Finishes the handshake, and says whether HTTP/2 was agreed on.
    ///
    /// # Errors
    /// Where the handshake fails.
    pub fn agrees_on_h2(self) -> Result<bool> {
        let Self::Tls(mut socket, mut session) = self else { return Ok(false) };
        socket.set_nonblocking(false)?;
        socket.set_read_timeout(Some(HANDSHAKE))?;
        while session.is_handshaking() {
            session.complete_io(&mut socket).context("TLS handshake")?;
        }
        Ok(session.alpn_protocol() == Some(b"h2"))
    }

    /// Whether it took up an earlier session again, once its handshake is done.
    pub fn is_resumed(&self) -> bool {
        match self {
            Self::Plain(_) => false,
            Self::Tls(_, session) => session.handshake_kind() == Some(HandshakeKind::Resumed),
        }
    }

    /// Says that nothing more comes (RFC 8446, section 6.1): an end that no proxy takes for a fault. What cannot be said
    /// any more need not be.
    pub fn end(mut self) {
        if let Self::Tls(socket, session) = &mut self {
            session.send_close_notify();
            let _ = flush(socket, session);
        }
    }

    /// Sends a request. It is far smaller than a socket's buffer, so it never waits.
    ///
    /// # Errors
    /// Where the connection is broken.
    pub fn send(&mut self, request: &[u8]) -> Result<()> {
        match self {
            Self::Plain(socket) => socket.write_all(request)?,
            Self::Tls(socket, session) => {
                session.writer().write_all(request)?;
                flush(socket, session)?;
            }
        }
        Ok(())
    }

    /// Receives once, as far as there is something.
    ///
    /// # Errors
    /// Where the connection ends or the answer is none that counts.
    pub fn receive(&mut self, scratch: &mut [u8], answer: &mut Answer) -> Result<Progress> {
        match self {
            Self::Plain(socket) => receive_plain(socket, scratch, answer),
            Self::Tls(socket, session) => receive_tls(socket, session, scratch, answer),
        }
    }
}

impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Plain(socket) | Self::Tls(socket, _) => socket.as_fd(),
        }
    }
}

/// The kernel chooses the port; with several addresses there are enough of them (see [`super::SOURCES`]).
fn open(address: SocketAddr, from: Ipv4Addr) -> Result<TcpStream> {
    let socket = socket(AddressFamily::INET, SocketType::STREAM, None)?;
    bind(&socket, &SocketAddr::from((from, 0)))?;
    connect(&socket, &address)?;
    Ok(socket.into())
}

fn flush(socket: &mut TcpStream, session: &mut ClientConnection) -> std::io::Result<()> {
    while session.wants_write() {
        session.write_tls(socket)?;
    }
    Ok(())
}

/// A body is thrown away in the kernel (tcp(7), MSG_TRUNC): copying it would cost the load more than it costs a proxy.
fn receive_plain(socket: &TcpStream, scratch: &mut [u8], answer: &mut Answer) -> Result<Progress> {
    if answer.in_body() {
        return match recv(socket, scratch, RecvFlags::TRUNC) {
            Ok((_, 0)) => bail!("closed in the middle of a body"),
            Ok((_, count)) => answer.skip(count),
            Err(error) => not_yet(error.into()),
        };
    }
    let head = scratch.get_mut(..HEAD).context("no room for a head")?;
    match recv(socket, &mut *head, RecvFlags::empty()) {
        Ok((_, 0)) => bail!("closed without an answer"),
        Ok((count, _)) => answer.feed(head.get(..count).unwrap_or_default()),
        Err(error) => not_yet(error.into()),
    }
}

fn receive_tls(
    socket: &mut TcpStream,
    session: &mut ClientConnection,
    scratch: &mut [u8],
    answer: &mut Answer,
) -> Result<Progress> {
    match session.read_tls(socket) {
        Ok(0) => bail!("closed without an answer"),
        Ok(_) => {}
        Err(error) => return not_yet(error),
    }
    session.process_new_packets()?;
    flush(socket, session)?; // the end of a handshake, and the request behind it
    let mut progress = Progress::More;
    loop {
        match session.reader().read(scratch) {
            Ok(0) => return Ok(progress),
            Ok(count) => progress = answer.feed(scratch.get(..count).unwrap_or_default())?,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(progress),
            Err(error) => return Err(error.into()),
        }
    }
}

fn not_yet(error: std::io::Error) -> Result<Progress> {
    match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::Interrupted => Ok(Progress::More),
        _ => Err(error.into()),
    }
}
