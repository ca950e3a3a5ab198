//! A connection for one request after the other, as a browser has it.

use std::time::Duration;

use anyhow::anyhow;
use hyper::body::Incoming;
use hyper::client::conn::{TrySendError, http1, http2};
use hyper::header::HOST;
use hyper::{Request, Response};
use tokio::time::timeout;

use crate::client::{Answer, RequestBody, Target};

/// A browser would have given up.
const DEADLINE: Duration = Duration::from_secs(10);

/// A version of HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.1.
    Http1,
    /// HTTP/2 in the clear, by prior knowledge.
    Http2,
}

/// A connection that is kept for as long as its server likes.
#[derive(Debug)]
pub struct Kept {
    target: Target,
    protocol: Protocol,
    sender: Option<Sender>,
    opened: u64,
}

#[derive(Debug)]
enum Sender {
    Http1(http1::SendRequest<RequestBody>),
    Http2(http2::SendRequest<RequestBody>),
}

impl Kept {
    /// None yet: it is opened by the first request.
    #[must_use]
    pub fn new(target: Target, protocol: Protocol) -> Self {
        Self { target, protocol, sender: None, opened: 0 }
    }

    /// How many connections were begun so far: as long as it stays the same, it is the same connection.
    #[must_use]
    pub fn opened(&self) -> u64 {
        self.opened
    }

    /// Sends one request. A connection that was closed before anything of it was sent is replaced, as every client
    /// does.
    ///
    /// # Errors
    /// The connection broke later than that, a new one cannot be had, or there is no answer within ten seconds.
    pub async fn get(&mut self, host: &str, path: &str) -> anyhow::Result<Answer> {
        let mut request = self.request(host, path)?;
        if let Some(sender) = self.sender.take() {
            match self.send(sender, request).await {
                Ok(answer) => return answer,
                Err(unsent) => request = unsent,
            }
        }
        self.opened += 1;
        let sender = timeout(DEADLINE, self.open()).await??;
        self.send(sender, request).await.map_err(|_| anyhow!("a new connection was closed at once"))?
    }

    fn request(&self, host: &str, path: &str) -> anyhow::Result<Request<RequestBody>> {
        let request = match self.protocol {
            Protocol::Http1 => Request::builder().uri(path).header(HOST, host),
            Protocol::Http2 => Request::builder().uri(format!("http://{host}{path}")),
        };
        Ok(request.body(RequestBody::default())?)
    }

    async fn open(&self) -> anyhow::Result<Sender> {
        Ok(match self.protocol {
            Protocol::Http1 => Sender::Http1(self.target.open().await?),
            Protocol::Http2 => Sender::Http2(self.target.open_http2().await?),
        })
    }

    /// Gives the request back if nothing of it was sent; else the connection is kept.
    async fn send(
        &mut self,
        mut sender: Sender,
        request: Request<RequestBody>,
    ) -> Result<anyhow::Result<Answer>, Request<RequestBody>> {
        if !sender.is_ready().await {
            return Err(request);
        }
        let answer = match timeout(DEADLINE, sender.send(request)).await {
            Err(elapsed) => Err(elapsed.into()),
            Ok(Ok(response)) => timeout(DEADLINE, Answer::read(response)).await.unwrap_or_else(|late| Err(late.into())),
            Ok(Err(mut error)) => match error.take_message() {
                Some(unsent) => return Err(unsent),
                None => Err(error.into_error().into()),
            },
        };
        self.sender = Some(sender);
        Ok(answer)
    }
}

impl Sender {
    async fn is_ready(&mut self) -> bool {
        match self {
            Self::Http1(sender) => sender.ready().await.is_ok(),
            Self::Http2(sender) => sender.ready().await.is_ok(),
        }
    }

    async fn send(
        &mut self,
        request: Request<RequestBody>,
    ) -> Result<Response<Incoming>, TrySendError<Request<RequestBody>>> {
        match self {
            Self::Http1(sender) => sender.try_send_request(request).await,
            Self::Http2(sender) => sender.try_send_request(request).await,
        }
    }
}
