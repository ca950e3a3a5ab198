//! The client: tonic's, in the clear or over TLS.

use bytes::Bytes;
use futures_util::Stream;
use http::{Uri, uri::PathAndQuery};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tonic::{
    IntoRequest, IntoStreamingRequest, Response, Status, Streaming,
    client::Grpc,
    transport::{Channel, Endpoint},
};
use tower::service_fn;

use super::{
    service::Raw,
    support::{Proxy, tls_client},
};

/// The largest message that the client takes.
const LARGEST: usize = 8 << 20;

/// A client of a.example.
#[derive(Clone)]
pub struct Client(Grpc<Channel>);

impl Client {
    /// In the clear, by prior knowledge (RFC 9113 section 3.3).
    pub async fn in_the_clear(proxy: &Proxy) -> Self {
        let address = proxy.http();
        let connect = move |_: Uri| async move { TcpStream::connect(address).await.map(TokioIo::new) };
        let endpoint = Endpoint::from_static("http://a.example");
        Self::new(endpoint.connect_with_connector(service_fn(connect)).await.unwrap())
    }

    /// Over TLS with ALPN, where `certificate` is the one that is trusted.
    pub async fn over_tls(proxy: &Proxy, certificate: &[u8]) -> Self {
        let stream = tls_client(proxy, certificate, b"h2").await.stream;
        let mut stream = Some(TokioIo::new(stream));
        let connect = move |_: Uri| {
            let stream = stream.take().ok_or_else(|| std::io::Error::other("connected once"));
            async move { stream }
        };
        let endpoint = Endpoint::from_static("https://a.example");
        Self::new(endpoint.connect_with_connector(service_fn(connect)).await.unwrap())
    }

    fn new(channel: Channel) -> Self {
        Self(Grpc::new(channel).max_decoding_message_size(LARGEST))
    }

    pub async fn unary(
        &mut self,
        method: &'static str,
        message: impl IntoRequest<Bytes>,
    ) -> Result<Response<Bytes>, Status> {
        self.0.ready().await.unwrap();
        self.0.unary(message.into_request(), path(method), Raw).await
    }

    pub async fn client_streaming(
        &mut self,
        method: &'static str,
        messages: impl Stream<Item = Bytes> + Send + 'static,
    ) -> Result<Response<Bytes>, Status> {
        self.0.ready().await.unwrap();
        self.0.client_streaming(messages.into_streaming_request(), path(method), Raw).await
    }

    pub async fn server_streaming(
        &mut self,
        method: &'static str,
        message: impl IntoRequest<Bytes>,
    ) -> Result<Response<Streaming<Bytes>>, Status> {
        self.0.ready().await.unwrap();
        self.0.server_streaming(message.into_request(), path(method), Raw).await
    }

    pub async fn streaming(
        &mut self,
        method: &'static str,
        messages: impl Stream<Item = Bytes> + Send + 'static,
    ) -> Result<Response<Streaming<Bytes>>, Status> {
        self.0.ready().await.unwrap();
        self.0.streaming(messages.into_streaming_request(), path(method), Raw).await
    }
}

fn path(method: &'static str) -> PathAndQuery {
    PathAndQuery::from_static(method)
}
