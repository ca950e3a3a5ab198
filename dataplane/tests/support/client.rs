//! A client that sends what it is told, byte for byte.

use std::{net::SocketAddr, sync::Arc};

use rustls::{ClientConfig, RootCertStore, pki_types::ServerName};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::{Proxy, within};

pub struct Client<S = TcpStream> {
    pub stream: S,
    pub unread: Vec<u8>,
}

#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        header(&self.head, name)
    }
}

pub fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let mut fields = head.lines().filter_map(|line| line.split_once(':'));
    fields.find(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
}

/// One request on a connection of its own.
pub async fn get(address: SocketAddr, host: &str, path: &str) -> Answer {
    Client::connect(address).await.get(host, path).await
}

/// A client over TLS of the host `a.example`, who trusts this certificate and speaks this protocol.
pub async fn tls_client(proxy: &Proxy, certificate: &[u8], protocol: &'static [u8]) -> Client<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(certificate.to_vec().into()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![protocol.to_vec()];
    let stream = TcpStream::connect(proxy.https()).await.unwrap();
    let name = ServerName::try_from("a.example").unwrap();
    let stream = within("a handshake", TlsConnector::from(Arc::new(config)).connect(name, stream)).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(protocol));
    Client::new(stream)
}

impl Client {
    pub async fn connect(address: SocketAddr) -> Self {
        Self::new(within("a connection", TcpStream::connect(address)).await.unwrap())
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Client<S> {
    pub fn new(stream: S) -> Self {
        Self { stream, unread: Vec::new() }
    }

    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        within("sending", self.stream.write_all(bytes.as_ref())).await.unwrap();
        within("sending", self.stream.flush()).await.unwrap();
    }

    pub async fn get(&mut self, host: &str, path: &str) -> Answer {
        self.send(format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n")).await;
        self.answer().await
    }

    /// The next answer.
    pub async fn answer(&mut self) -> Answer {
        let head = self.head().await;
        let status = head[9..12].parse().unwrap();
        let body = self.body(&head, status).await.expect("a whole body");
        Answer { status, head, body }
    }

    /// The head of the next answer.
    pub async fn head(&mut self) -> String {
        let end = loop {
            if let Some(at) = self.unread.windows(4).position(|window| window == b"\r\n\r\n") {
                break at + 4;
            }
            assert!(self.more().await, "closed within a head: {:?}", String::from_utf8_lossy(&self.unread));
        };
        String::from_utf8(self.unread.drain(..end).collect()).unwrap()
    }

    /// The body that belongs to a head; none: it was cut short.
    pub async fn body(&mut self, head: &str, status: u16) -> Option<Vec<u8>> {
        if header(head, "transfer-encoding").is_some() {
            return self.chunks().await;
        }
        match header(head, "content-length") {
            Some(length) => self.take(length.parse().unwrap()).await,
            None if status == 204 || status == 304 || status == 101 => Some(Vec::new()),
            None => {
                while self.more().await {}
                Some(std::mem::take(&mut self.unread))
            }
        }
    }

    /// The next chunk of a chunked body; none: it ended badly.
    pub async fn chunk(&mut self) -> Option<Vec<u8>> {
        let line = self.line().await?;
        let length = usize::from_str_radix(line.trim(), 16).unwrap();
        let chunk = self.take(length).await?;
        if length > 0 {
            self.take(2).await?;
        }
        Some(chunk)
    }

    async fn chunks(&mut self) -> Option<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let chunk = self.chunk().await?;
            if chunk.is_empty() {
                while self.line().await? != "\r\n" {}
                return Some(body);
            }
            body.extend(chunk);
        }
    }

    /// The lines up to an empty one, such as trailers.
    pub async fn until_empty_line(&mut self) -> String {
        let mut lines = String::new();
        while !lines.ends_with("\r\n\r\n") && lines != "\r\n" {
            lines += &self.line().await.expect("an empty line");
        }
        lines
    }

    async fn line(&mut self) -> Option<String> {
        loop {
            if let Some(at) = self.unread.iter().position(|&byte| byte == b'\n') {
                return Some(String::from_utf8(self.unread.drain(..=at).collect()).unwrap());
            }
            if !self.more().await {
                return None;
            }
        }
    }

    pub async fn take(&mut self, length: usize) -> Option<Vec<u8>> {
        while self.unread.len() < length {
            if !self.more().await {
                return None;
            }
        }
        Some(self.unread.drain(..length).collect())
    }

    /// Everything until the end of the connection, however it ends.
    pub async fn rest(&mut self) -> String {
        while self.more().await {}
        String::from_utf8_lossy(&std::mem::take(&mut self.unread)).into_owned()
    }

    /// Reads something; false at the end.
    async fn more(&mut self) -> bool {
        self.unread.reserve(1 << 16);
        within("bytes", self.stream.read_buf(&mut self.unread)).await.unwrap_or(0) > 0
    }
}
