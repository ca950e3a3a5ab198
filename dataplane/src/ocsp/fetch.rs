//! One question over HTTP (RFC 6960 appendix A.1). Nothing of what comes back is believed here.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use bytes::Bytes;
use http::{
    Method, Request, StatusCode, Uri,
    header::{ACCEPT, CONTENT_TYPE, HOST},
};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use thiserror::Error;
use tokio::{net::TcpStream, task::JoinSet, time::timeout};

use super::question::Question;
use crate::upstream::resolve::{ResolveError, Resolver};

/// For one question with everything.
const LIMIT: Duration = Duration::from_secs(15);

/// For one address that does not answer, when there may be others.
const CONNECT: Duration = Duration::from_secs(4);

/// Bytes of a response. Real ones have one or two thousand.
const LARGEST: usize = 64 << 10;

/// There is no response.
#[derive(Debug, Error)]
pub(super) enum FetchError {
    #[error(transparent)]
    Resolve(#[from] ResolveError),
    #[error("no connection")]
    Connect,
    #[error("no answer within {} s", LIMIT.as_secs())]
    TimedOut,
    #[error("no HTTP: {0}")]
    Http(#[from] hyper::Error),
    #[error("the request cannot be made: {0}")]
    Request(#[from] http::Error),
    #[error("status {0}")]
    Status(StatusCode),
    #[error("a response that is broken off, or larger than {LARGEST} bytes")]
    Body,
}

/// Asks responders.
pub(super) struct Fetcher {
    resolver: Resolver,
}

impl Fetcher {
    pub(super) fn new(resolver: Resolver) -> Self {
        Self { resolver }
    }

    /// What the responder answers. It is sent nothing but the question, and is followed nowhere else.
    pub(super) async fn fetch(&self, question: &Question) -> Result<Bytes, FetchError> {
        timeout(LIMIT, self.ask(question)).await.unwrap_or(Err(FetchError::TimedOut))
    }

    async fn ask(&self, question: &Question) -> Result<Bytes, FetchError> {
        let responder = &question.responder;
        let host = responder.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
        let port = responder.port_u16().unwrap_or(80);
        let addresses = self.resolver.look_up(host, question.allow_local).await?;
        let stream = connect(&addresses, port).await.ok_or(FetchError::Connect)?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        // Ends with this future, however that ends.
        let mut tasks = JoinSet::new();
        tasks.spawn(connection);
        let answer = sender.send_request(request(responder, &question.request)?).await?;
        if answer.status() != StatusCode::OK {
            return Err(FetchError::Status(answer.status()));
        }
        let body = Limited::new(answer.into_body(), LARGEST).collect().await;
        Ok(body.map_err(|_| FetchError::Body)?.to_bytes())
    }
}

async fn connect(addresses: &[IpAddr], port: u16) -> Option<TcpStream> {
    for address in addresses {
        let address = SocketAddr::new(*address, port);
        match timeout(CONNECT, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return Some(stream),
            Ok(Err(error)) => tracing::debug!(%address, %error, "cannot connect to an OCSP responder"),
            Err(_) => tracing::debug!(%address, "an OCSP responder is silent"),
        }
    }
    None
}

fn request(responder: &Uri, body: &[u8]) -> Result<Request<Full<Bytes>>, http::Error> {
    // Without whatever user and password the URL may hold.
    let authority = responder.authority().map_or("", |authority| authority.as_str());
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let target = responder.path_and_query().map_or("/", |target| target.as_str());
    Request::builder()
        .method(Method::POST)
        .uri(target)
        .header(HOST, host)
        .header(CONTENT_TYPE, "application/ocsp-request")
        .header(ACCEPT, "application/ocsp-response")
        .body(Full::new(Bytes::copy_from_slice(body)))
}
