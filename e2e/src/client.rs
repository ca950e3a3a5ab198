//! HTTP clients for tests: nothing hidden, no pool, no redirects unless asked.

mod tls;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Incoming};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::client::conn::http2;
use hyper::header::{HOST, HeaderMap, LOCATION};
use hyper::{Method, Request, Response, StatusCode, Uri, Version};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;

pub use tls::{Identity, Leaf};

/// No test request takes longer, unless something is wrong.
const DEADLINE: Duration = Duration::from_secs(10);
/// Shorter, so that an error tells who is silent: the network or who answers.
const CONNECT_DEADLINE: Duration = Duration::from_secs(8);
const MOST_REDIRECTS: usize = 5;

/// Fields of a request beyond Host.
pub type Headers = BTreeMap<String, String>;

/// The body of a test's request.
pub type RequestBody = Full<Bytes>;

/// Any body of a request that hyper can send from a task of its own.
pub trait RequestData: Body<Data = Bytes, Error = Infallible> + Send + Unpin + 'static {}

impl<B: Body<Data = Bytes, Error = Infallible> + Send + Unpin + 'static> RequestData for B {}

/// Where and what to ask.
#[derive(Debug, Clone)]
pub struct Target {
    /// The address to connect to, whatever the host is.
    pub address: std::net::IpAddr,
    /// Port for `http`.
    pub http_port: u16,
    /// Port for `https`.
    pub https_port: u16,
    /// What is shown where a certificate is asked for.
    pub identity: Option<Identity>,
}

impl Target {
    /// An address with the usual ports.
    #[must_use]
    pub fn new(address: std::net::IpAddr) -> Self {
        Self { address, http_port: 80, https_port: 443, identity: None }
    }

    /// One GET over `http` on a connection of its own.
    ///
    /// # Errors
    /// There was no complete answer.
    pub async fn get(&self, host: &str, path: &str) -> anyhow::Result<Answer> {
        self.send(Method::GET, &format!("http://{host}{path}"), &Headers::new()).await
    }

    /// One request without a body on a connection of its own. Its URI names scheme, host and path.
    ///
    /// # Errors
    /// There was no complete answer.
    pub async fn send(&self, method: Method, uri: &str, headers: &Headers) -> anyhow::Result<Answer> {
        let exchange = self.exchange(method.clone(), uri.parse().context("URI")?, headers);
        timeout(DEADLINE, exchange)
            .await
            .unwrap_or_else(|_| Err(anyhow!("no answer in {DEADLINE:?}")))
            .with_context(|| format!("{method} {uri}"))
    }

    /// As [`Target::send`], and goes where redirects lead, by the same address.
    ///
    /// # Errors
    /// There was no complete answer, or too many redirects.
    pub async fn follow(&self, method: Method, uri: &str, headers: &Headers) -> anyhow::Result<Answer> {
        let mut uri = uri.to_owned();
        for _ in 0..MOST_REDIRECTS {
            let answer = self.send(method.clone(), &uri, headers).await?;
            if !matches!(answer.status.as_u16(), 301 | 302 | 303 | 307 | 308) {
                return Ok(answer);
            }
            let location = answer.headers.get(LOCATION).context("a redirect without Location")?;
            uri = location.to_str()?.to_owned();
        }
        bail!("more than {MOST_REDIRECTS} redirects, the last one to {uri}")
    }

    async fn exchange(&self, method: Method, uri: Uri, headers: &Headers) -> anyhow::Result<Answer> {
        let host = uri.authority().context("a URI without host")?.as_str();
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let mut request = Request::builder().method(method).uri(path).header(HOST, host);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let request = request.body(RequestBody::default())?;
        if uri.scheme_str() == Some("https") {
            let stream = self.connect(self.https_port).await?;
            let (stream, leaf) = tls::connect(stream, uri.host().unwrap_or_default(), self.identity.as_ref()).await?;
            Ok(Answer { leaf: Some(leaf), ..answer(stream, request).await? })
        } else {
            answer(self.connect(self.http_port).await?, request).await
        }
    }

    async fn connect(&self, port: u16) -> anyhow::Result<TcpStream> {
        let address = SocketAddr::new(self.address, port);
        let connect = timeout(CONNECT_DEADLINE, TcpStream::connect(address));
        connect.await.map_err(Into::into).flatten().with_context(|| format!("connecting to {address}"))
    }

    /// A connection over `http` for several requests.
    ///
    /// # Errors
    /// It cannot be opened.
    pub async fn open<B: RequestData>(&self) -> anyhow::Result<SendRequest<B>> {
        open(self.connect(self.http_port).await?).await
    }

    /// The same with HTTP/2, by prior knowledge.
    ///
    /// # Errors
    /// It cannot be opened.
    pub async fn open_http2<B: RequestData>(&self) -> anyhow::Result<http2::SendRequest<B>> {
        let stream = TokioIo::new(self.connect(self.http_port).await?);
        let (sender, connection) = http2::handshake(TokioExecutor::new(), stream).await?;
        tokio::spawn(async move { drop(connection.await) });
        Ok(sender)
    }

    /// A WebSocket, and the fields of the answer that it began with.
    ///
    /// # Errors
    /// It cannot be opened.
    pub async fn websocket(&self, host: &str) -> anyhow::Result<(WebSocketStream<TcpStream>, HeaderMap)> {
        let stream = self.connect(self.http_port).await?;
        let (socket, response) = tokio_tungstenite::client_async(format!("ws://{host}/talk"), stream).await?;
        Ok((socket, response.into_parts().0.headers))
    }
}

/// A complete answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// The version in its first line.
    pub version: Version,
    /// Its fields.
    pub headers: HeaderMap,
    /// All of its body.
    pub body: Bytes,
    /// The certificate of a TLS connection.
    pub leaf: Option<Leaf>,
}

impl Answer {
    /// Reads an answer to its end.
    ///
    /// # Errors
    /// The connection broke before it.
    pub async fn read(response: Response<Incoming>) -> anyhow::Result<Self> {
        let (head, body) = response.into_parts();
        Ok(Self {
            status: head.status,
            version: head.version,
            headers: head.headers,
            body: body.collect().await?.to_bytes(),
            leaf: None,
        })
    }

    /// A string of the echo backend's JSON, such as `pod`; empty when there is none.
    #[must_use]
    pub fn echo(&self, field: &str) -> String {
        let json: serde_json::Value = serde_json::from_slice(&self.body).unwrap_or_default();
        json.get(field).and_then(|value| value.as_str()).unwrap_or_default().to_owned()
    }

    /// The first value of a field that the echo backend received; its canonical name.
    #[must_use]
    pub fn echo_header(&self, name: &str) -> Option<String> {
        let json: serde_json::Value = serde_json::from_slice(&self.body).unwrap_or_default();
        json["headers"][name][0].as_str().map(str::to_owned)
    }

    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

async fn open<S, B>(stream: S) -> anyhow::Result<SendRequest<B>>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    B: RequestData,
{
    let (sender, connection) = handshake(TokioIo::new(stream)).await?;
    // Its errors come out at the request.
    tokio::spawn(async move { drop(connection.await) });
    Ok(sender)
}

async fn answer<S>(stream: S, request: Request<RequestBody>) -> anyhow::Result<Answer>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut sender = open(stream).await?;
    complete(&mut sender, request).await
}

/// Sends a request and reads all of its answer.
///
/// # Errors
/// The connection broke before the end of the answer.
pub async fn complete<B: RequestData>(sender: &mut SendRequest<B>, request: Request<B>) -> anyhow::Result<Answer> {
    Answer::read(sender.send_request(request).await?).await
}
