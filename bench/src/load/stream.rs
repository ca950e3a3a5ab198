//! One client connection, plain or TLS.

use std::{
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream},
    os::fd::{AsFd, BorrowedFd},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, Result, bail};
use rustix::net::{RecvFlags, recv};
use rustls::{ClientConfig, ClientConnection, pki_types::ServerName};

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
    /// Connects, and finishes the handshake where there is one.
    ///
    /// # Errors
    /// Where either fails.
    pub fn connect(address: SocketAddr, tls: Option<(&Arc<ClientConfig>, &str)>) -> Result<Self> {
        let mut socket = TcpStream::connect(address).with_context(|| format!("cannot connect to {address}"))?;
        socket.set_nodelay(true)?;
        let Some((config, host)) = tls else {
            socket.set_nonblocking(true)?;
            return Ok(Self::Plain(socket));
        };
        let name = ServerName::try_from(host.to_owned())?;
        let mut session = Box::new(ClientConnection::new(Arc::clone(config), name)?);
        socket.set_read_timeout(Some(HANDSHAKE))?;
        while session.is_handshaking() {
            session.complete_io(&mut socket).context("TLS handshake")?;
        }
        socket.set_nonblocking(true)?;
        Ok(Self::Tls(socket, session))
    }

    /// Whether HTTP/2 was agreed on.
    pub fn is_h2(&self) -> bool {
        matches!(self, Self::Tls(_, session) if session.alpn_protocol() == Some(b"h2"))
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
                while session.wants_write() {
                    session.write_tls(socket)?;
                }
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
