//! Frames over a socket.

use std::{io, time::Duration};

use bytes::{Buf, BytesMut};
use snapshot::frame::{Frame, FrameError, HEADER, Hello, MAX_HELLO, OutOfOrder, payload_length};
use thiserror::Error;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        UnixStream,
        unix::{OwnedReadHalf, OwnedWriteHalf},
    },
    time::timeout,
};

use crate::{Limits, metrics::Failure};

/// How much is asked of the socket at a time. A long frame is waited for in such pieces, so that what is allocated grows
/// with what came, not with what was promised.
const CHUNK: usize = 64 << 10;

/// Why a connection is of no use any more.
#[derive(Debug, Error)]
pub(crate) enum LinkError {
    #[error("{0}")]
    Socket(#[from] io::Error),
    #[error("the connection was closed")]
    Closed,
    #[error("no answer for {} s", .0.as_secs_f32())]
    Timeout(Duration),
    #[error("{0}")]
    Mismatch(String),
    #[error("{0}")]
    Frame(#[from] FrameError),
    #[error("{0}")]
    OutOfOrder(#[from] OutOfOrder),
    #[error("a {0} where none can stand")]
    Unexpected(&'static str),
}

impl LinkError {
    pub(crate) fn failure(&self) -> Failure {
        match self {
            Self::Socket(_) | Self::Closed => Failure::Socket,
            Self::Timeout(_) => Failure::Timeout,
            Self::Mismatch(_) => Failure::Schema,
            Self::Frame(_) | Self::OutOfOrder(_) | Self::Unexpected(_) => Failure::Protocol,
        }
    }
}

/// What is taken from the other end, once it has said hello. Before that it is nothing longer than a hello.
#[derive(Clone, Copy)]
pub(crate) struct Takes {
    pub(crate) decode: fn(&[u8]) -> Result<Frame, FrameError>,
    /// The longest frame, in bytes.
    pub(crate) longest: usize,
}

/// Both directions of a connection, before who is at the other end is known.
pub(crate) struct Wire {
    pub(crate) frames: FrameReader,
    pub(crate) out: FrameWriter,
}

impl Wire {
    pub(crate) fn new(stream: UnixStream, takes: Takes, limits: &Limits) -> Self {
        let (read, write) = stream.into_split();
        Self {
            frames: FrameReader { stream: read, buffer: BytesMut::new(), takes, longest: MAX_HELLO },
            out: FrameWriter { stream: write, buffer: Vec::new(), limit: limits.step },
        }
    }

    /// Says hello, and waits for the other end's. `peer` is how that one is called in errors.
    pub(crate) async fn greet(&mut self, ours: Hello, peer: &str, limits: &Limits) -> Result<Hello, LinkError> {
        self.out.put(&Frame::Hello(ours))?;
        self.out.flush().await?;
        match within(limits.hello, self.frames.next()).await??? {
            Frame::Hello(hello) => match hello.mismatch(peer) {
                None => {
                    self.frames.longest = self.frames.takes.longest;
                    Ok(hello)
                }
                Some(reason) => Err(LinkError::Mismatch(reason)),
            },
            _ => Err(LinkError::Unexpected("message before the first")),
        }
    }
}

/// Frames from a socket.
pub(crate) struct FrameReader {
    stream: OwnedReadHalf,
    buffer: BytesMut,
    takes: Takes,
    /// What is taken now.
    longest: usize,
}

impl FrameReader {
    /// The next frame; one that cannot be read is an error inside. Nothing is lost where this is given up before it is
    /// done.
    pub(crate) async fn next(&mut self) -> Result<Result<Frame, FrameError>, LinkError> {
        loop {
            if let Some(frame) = self.buffered()? {
                return Ok(frame);
            }
            self.buffer.reserve(CHUNK);
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Err(LinkError::Closed);
            }
        }
    }

    fn buffered(&mut self) -> Result<Option<Result<Frame, FrameError>>, LinkError> {
        let Some(header) = self.buffer.first_chunk::<HEADER>() else { return Ok(None) };
        let length = payload_length(*header, self.longest)?;
        if self.buffer.len().saturating_sub(HEADER) < length {
            return Ok(None);
        }
        self.buffer.advance(HEADER);
        let frame = (self.takes.decode)(&self.buffer.split_to(length));
        if length > CHUNK && self.buffer.is_empty() {
            // What a long frame took is not kept.
            self.buffer = BytesMut::new();
        }
        Ok(Some(frame))
    }
}

/// Frames to a socket.
pub(crate) struct FrameWriter {
    stream: OwnedWriteHalf,
    buffer: Vec<u8>,
    limit: Duration,
}

impl FrameWriter {
    /// Gathers a frame, to be sent by `send_some` or `flush`.
    pub(crate) fn put(&mut self, frame: &Frame) -> Result<(), FrameError> {
        frame.encode(&mut self.buffer)
    }

    /// Sends, if much has gathered.
    pub(crate) async fn send_some(&mut self) -> Result<(), LinkError> {
        if self.buffer.len() >= CHUNK { self.flush().await } else { Ok(()) }
    }

    /// Sends all that has gathered.
    pub(crate) async fn flush(&mut self) -> Result<(), LinkError> {
        for chunk in self.buffer.chunks(CHUNK) {
            within(self.limit, self.stream.write_all(chunk)).await??;
        }
        self.buffer.clear();
        // What a long frame took is not kept.
        self.buffer.shrink_to(CHUNK);
        Ok(())
    }
}

/// Waits, but not for ever.
pub(crate) async fn within<T>(limit: Duration, future: impl Future<Output = T>) -> Result<T, LinkError> {
    timeout(limit, future).await.map_err(|_| LinkError::Timeout(limit))
}
