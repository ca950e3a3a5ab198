//! One connection of the backend.

use std::{
    fs::File,
    io::{ErrorKind, Write},
    net::TcpStream,
};

use anyhow::Result;
use rustix::{
    event::epoll::EventFlags,
    fs::{MemfdFlags, memfd_create, sendfile},
    net::{RecvFlags, recv},
};

use super::PATHS;

/// A request of the bench is far shorter.
const REQUEST: usize = 8 * 1024;
const SIZES: [usize; 3] = [1024, 100 * 1024, 1024 * 1024];
const NOT_FOUND: &[u8] = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";
/// Below this, copying is cheaper than `sendfile`.
const COPIED: usize = 16 * 1024;

/// The answers, whole, made beforehand.
pub(super) struct Answers {
    by_path: Vec<(Vec<u8>, Bytes)>,
    not_found: Bytes,
}

enum Bytes {
    Memory(Vec<u8>),
    /// A file in memory, whose pages the kernel sends without copying.
    File(File, usize),
}

impl Answers {
    pub(super) fn new() -> Result<Self> {
        let answer = |(path, size): (&str, usize)| Ok((format!("GET {path} ").into_bytes(), Bytes::new(size)?));
        let by_path = PATHS.into_iter().zip(SIZES).map(answer).collect::<Result<_>>()?;
        Ok(Self { by_path, not_found: Bytes::Memory(NOT_FOUND.to_vec()) })
    }

    fn find(&self, request: &[u8]) -> &Bytes {
        self.by_path.iter().find(|(start, _)| request.starts_with(start)).map_or(&self.not_found, |(_, bytes)| bytes)
    }
}

impl Bytes {
    fn new(size: usize) -> Result<Self> {
        let mut bytes =
            format!("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {size}\r\n\r\n").into_bytes();
        bytes.resize(bytes.len() + size, b'x');
        if size <= COPIED {
            return Ok(Self::Memory(bytes));
        }
        let mut file = File::from(memfd_create("bench", MemfdFlags::CLOEXEC)?);
        file.write_all(&bytes)?;
        Ok(Self::File(file, bytes.len()))
    }

    fn len(&self) -> usize {
        match self {
            Self::Memory(bytes) => bytes.len(),
            Self::File(_, length) => *length,
        }
    }

    /// Sends from `offset` on, as much as the socket takes.
    fn send(&self, socket: &mut TcpStream, offset: usize) -> std::io::Result<usize> {
        match self {
            Self::Memory(bytes) => socket.write(bytes.get(offset..).unwrap_or_default()),
            Self::File(file, length) => {
                Ok(sendfile(socket, file, Some(&mut (offset as u64)), length.saturating_sub(offset))?)
            }
        }
    }
}

/// What a connection needs next.
pub(super) enum Next {
    Await(EventFlags),
    Close,
}

pub(super) struct Connection {
    socket: TcpStream,
    /// The request so far; kept while its answer is sent.
    request: Vec<u8>,
    /// How much of the answer is sent, while one is being sent.
    sent: Option<usize>,
}

impl Connection {
    pub(super) fn new(socket: TcpStream) -> Self {
        Self { socket, request: Vec::with_capacity(REQUEST), sent: None }
    }

    pub(super) fn socket(&self) -> &TcpStream {
        &self.socket
    }

    pub(super) fn awaits(&self) -> EventFlags {
        if self.sent.is_some() { EventFlags::OUT } else { EventFlags::IN }
    }

    pub(super) fn ready(&mut self, answers: &Answers) -> Next {
        if self.sent.is_none() && !self.receive() {
            return Next::Close;
        }
        if self.sent.is_some() && !self.send(answers) {
            return Next::Close;
        }
        Next::Await(self.awaits())
    }

    /// Whether the connection lives. Requests have no body, so a request ends with its head.
    fn receive(&mut self) -> bool {
        let mut buffer = [0; REQUEST];
        match recv(&self.socket, &mut buffer, RecvFlags::empty()) {
            Ok((0, _)) => return false,
            Ok((count, _)) => self.request.extend_from_slice(buffer.get(..count).unwrap_or_default()),
            Err(error) => return std::io::Error::from(error).kind() == ErrorKind::WouldBlock,
        }
        if self.request.ends_with(b"\r\n\r\n") {
            self.sent = Some(0);
        }
        self.request.len() < REQUEST
    }

    fn send(&mut self, answers: &Answers) -> bool {
        let answer = answers.find(&self.request);
        let mut sent = self.sent.unwrap_or_default();
        while sent < answer.len() {
            match answer.send(&mut self.socket, sent) {
                Ok(0) => return false,
                Ok(count) => sent += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.sent = Some(sent);
                    return true;
                }
                Err(_) => return false,
            }
        }
        self.sent = None;
        self.request.clear();
        true
    }
}
