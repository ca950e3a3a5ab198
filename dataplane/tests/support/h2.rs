//! HTTP/2: hyper's client, and frames as bytes for what it would never send.

use bytes::Bytes;
use http_body_util::{BodyExt, Empty, combinators::BoxBody};
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
};

use super::within;

pub type AnyBody = BoxBody<Bytes, std::io::Error>;

/// A client that keeps to the rules.
#[derive(Clone)]
pub struct Http2 {
    pub sender: SendRequest<AnyBody>,
}

impl Http2 {
    /// In the clear, without asking.
    pub async fn connect(address: std::net::SocketAddr) -> Self {
        Self::over(TcpStream::connect(address).await.unwrap()).await
    }

    pub async fn over(stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) -> Self {
        let handshake = http2::handshake(TokioExecutor::new(), TokioIo::new(stream));
        let (sender, connection) = within("a handshake", handshake).await.unwrap();
        tokio::spawn(connection);
        Self { sender }
    }

    pub async fn send(
        &mut self,
        request: http::Request<AnyBody>,
    ) -> hyper::Result<http::Response<hyper::body::Incoming>> {
        within("an answer", self.sender.send_request(request)).await
    }

    /// Status and body.
    pub async fn get(&mut self, url: &str) -> (u16, String) {
        let response = self.send(get(url)).await.unwrap();
        let status = response.status().as_u16();
        let body = within("a body", response.into_body().collect()).await.unwrap().to_bytes();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    pub async fn closed(&self) {
        super::eventually("the end of the connection", || self.sender.is_closed()).await;
    }
}

pub fn empty() -> AnyBody {
    Empty::new().map_err(|never| match never {}).boxed()
}

pub fn full(body: impl Into<Bytes>) -> AnyBody {
    http_body_util::Full::new(body.into()).map_err(|never| match never {}).boxed()
}

pub fn get(url: &str) -> http::Request<AnyBody> {
    http::Request::get(url).body(empty()).unwrap()
}

pub const DATA: u8 = 0;
pub const HEADERS: u8 = 1;
pub const RST_STREAM: u8 = 3;
pub const SETTINGS: u8 = 4;
pub const PING: u8 = 6;
pub const GOAWAY: u8 = 7;
pub const WINDOW_UPDATE: u8 = 8;
pub const CONTINUATION: u8 = 9;

pub const END_STREAM: u8 = 1;
pub const ACK: u8 = 1;
pub const END_HEADERS: u8 = 4;

#[derive(Debug, Clone)]
pub struct Frame {
    pub kind: u8,
    pub flags: u8,
    pub stream: u32,
    pub payload: Vec<u8>,
}

impl Frame {
    pub fn new(kind: u8, flags: u8, stream: u32, payload: impl Into<Vec<u8>>) -> Self {
        Self { kind, flags, stream, payload: payload.into() }
    }

    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = u32::try_from(self.payload.len()).unwrap().to_be_bytes()[1..].to_vec();
        bytes.extend([self.kind, self.flags]);
        bytes.extend(self.stream.to_be_bytes());
        bytes.extend(&self.payload);
        bytes
    }

    /// The error code of a reset or a farewell.
    pub fn code(&self) -> u32 {
        let at = if self.kind == GOAWAY { 4 } else { 0 };
        u32::from_be_bytes(self.payload[at..at + 4].try_into().unwrap())
    }
}

/// Fields as HPACK literals without indexing and without Huffman coding (RFC 7541 section 6.2.2).
pub fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, value) in fields {
        out.push(0);
        for text in [name, value] {
            length(&mut out, text.len());
            out.extend(text.as_bytes());
        }
    }
    out
}

fn length(out: &mut Vec<u8>, length: usize) {
    if length < 127 {
        return out.push(length as u8);
    }
    out.push(127);
    let mut rest = length - 127;
    while rest >= 128 {
        out.push((rest % 128) as u8 | 128);
        rest /= 128;
    }
    out.push(rest as u8);
}

/// A GET of `/` at a.example on a stream.
pub fn head(stream: u32) -> Frame {
    let fields = [(":method", "GET"), (":scheme", "http"), (":authority", "a.example"), (":path", "/")];
    Frame::new(HEADERS, END_HEADERS | END_STREAM, stream, block(&fields))
}

/// A client that sends frames.
pub struct Raw<S = TcpStream> {
    pub stream: S,
}

impl Raw {
    /// Says hello.
    pub async fn connect(address: std::net::SocketAddr) -> Self {
        let mut raw = Self { stream: TcpStream::connect(address).await.unwrap() };
        raw.stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
        raw.send(&[Frame::new(SETTINGS, 0, 0, [])]).await;
        raw
    }

    /// False where the connection has ended.
    pub async fn send(&mut self, frames: &[Frame]) -> bool {
        let bytes: Vec<u8> = frames.iter().flat_map(Frame::bytes).collect();
        within("sending", self.stream.write_all(&bytes)).await.is_ok()
    }

    /// The next frame; none: the connection has ended.
    pub async fn next(&mut self) -> Option<Frame> {
        let mut head = [0; 9];
        within("a frame", self.stream.read_exact(&mut head)).await.ok()?;
        let length = usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
        let mut payload = vec![0; length];
        within("a frame", self.stream.read_exact(&mut payload)).await.ok()?;
        let stream = u32::from_be_bytes(head[5..9].try_into().unwrap());
        Some(Frame { kind: head[3], flags: head[4], stream, payload })
    }

    /// The next frame of a kind; none: the connection has ended.
    pub async fn next_of(&mut self, kinds: &[u8]) -> Option<Frame> {
        loop {
            let frame = self.next().await?;
            if kinds.contains(&frame.kind) {
                return Some(frame);
            }
        }
    }

    /// Reads until the end.
    pub async fn ended(&mut self) {
        while self.next().await.is_some() {}
    }
}
