//! The server: tonic's, with a service written by hand. Its messages are bytes that mean nothing to gRPC.

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{Arc, Mutex},
    task::{Context, Poll},
    time::Duration,
};

use bytes::{Buf, BufMut, Bytes};
use futures_util::{Stream, StreamExt, future::BoxFuture, stream};
use tokio::{net::TcpListener, sync::Notify, task::AbortHandle};
use tonic::{
    Request, Response, Status, Streaming,
    body::Body,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
    metadata::MetadataMap,
    server::Grpc,
    transport::{Server, server::TcpIncoming},
};
use tower::{Service, service_fn};

/// The largest message that the server takes.
const LARGEST: usize = 8 << 20;

/// Messages as they are.
#[derive(Clone, Copy)]
pub struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, message: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put(message);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(buffer.copy_to_bytes(buffer.remaining())))
    }
}

/// What the server has seen.
#[derive(Clone, Default)]
pub struct Seen {
    /// The metadata of each call.
    pub metadata: Arc<Mutex<Vec<MetadataMap>>>,
    /// A call that never ends by itself has begun.
    pub begun: Arc<Notify>,
    /// Such a call was cancelled.
    pub cancelled: Arc<Notify>,
}

impl Seen {
    /// Held by a call until its end.
    fn guard(&self) -> Guard {
        self.begun.notify_one();
        Guard(Arc::clone(&self.cancelled))
    }
}

struct Guard(Arc<Notify>);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

/// A server on a port of its own.
pub struct GrpcBackend {
    pub address: SocketAddr,
    pub seen: Seen,
    serving: AbortHandle,
}

impl GrpcBackend {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, seen) = (listener.local_addr().unwrap(), Seen::default());
        let service = Methods(seen.clone());
        let serving = tokio::spawn(Server::builder().serve_with_incoming(service, TcpIncoming::from(listener)));
        Self { address, seen, serving: serving.abort_handle() }
    }
}

impl Drop for GrpcBackend {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// The methods by their names.
#[derive(Clone)]
struct Methods(Seen);

impl Service<http::Request<Body>> for Methods {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let seen = self.0.clone();
        seen.metadata.lock().unwrap().push(MetadataMap::from_headers(request.headers().clone()));
        Box::pin(async move {
            let mut grpc = Grpc::new(Raw).max_decoding_message_size(LARGEST);
            Ok(match request.uri().path() {
                "/test.Text/Upper" => grpc.unary(service_fn(upper), request).await,
                "/test.Text/Join" => grpc.client_streaming(service_fn(join), request).await,
                "/test.Text/Split" => grpc.server_streaming(service_fn(split), request).await,
                "/test.Text/Chat" => grpc.streaming(service_fn(chat), request).await,
                "/test.Text/Refuse" => grpc.unary(service_fn(refuse), request).await,
                "/test.Text/GiveUp" => grpc.unary(service_fn(give_up), request).await,
                "/test.Text/Break" => grpc.server_streaming(service_fn(break_off), request).await,
                "/test.Text/Hang" => grpc.unary(service_fn(move |_| hang(seen.guard())), request).await,
                "/test.Text/Drip" => grpc.server_streaming(service_fn(move |_| drip(seen.guard())), request).await,
                _ => Status::unimplemented("no such method").into_http(),
            })
        })
    }
}

type Reply<T> = Result<Response<T>, Status>;
type Messages = stream::BoxStream<'static, Result<Bytes, Status>>;

/// In capitals.
async fn upper(request: Request<Bytes>) -> Reply<Bytes> {
    Ok(Response::new(request.into_inner().to_ascii_uppercase().into()))
}

/// All messages as one.
async fn join(request: Request<Streaming<Bytes>>) -> Reply<Bytes> {
    let (mut messages, mut all) = (request.into_inner(), Vec::new());
    while let Some(message) = messages.message().await? {
        all.extend(message);
    }
    Ok(Response::new(all.into()))
}

/// Each word of a message as one.
async fn split(request: Request<Bytes>) -> Reply<Messages> {
    let text = String::from_utf8(request.into_inner().to_vec()).unwrap();
    let words: Vec<_> = text.split(' ').map(|word| Ok(Bytes::from(word.to_owned()))).collect();
    Ok(Response::new(stream::iter(words).boxed()))
}

/// Each message in capitals, at once.
async fn chat(request: Request<Streaming<Bytes>>) -> Reply<Messages> {
    let messages = request.into_inner();
    let answers = messages.map(|message| message.map(|message| Bytes::from(message.to_ascii_uppercase())));
    Ok(Response::new(answers.boxed()))
}

/// Fails before any message: its answer is a head alone.
async fn refuse(_: Request<Bytes>) -> Reply<Bytes> {
    let mut status = Status::with_details(tonic::Code::NotFound, "nothing: 100 %", Bytes::from_static(b"\x00\xff"));
    status.metadata_mut().insert("x-reason", "none".parse().unwrap());
    Err(status)
}

/// Fails before its caller's deadline, which it must know for that.
async fn give_up(request: Request<Bytes>) -> Reply<Bytes> {
    let deadline = request.metadata().get("grpc-timeout").and_then(|deadline| deadline.to_str().ok());
    let micros: u64 = deadline.and_then(|deadline| deadline.strip_suffix('u')).unwrap().parse().unwrap();
    tokio::time::sleep(Duration::from_micros(micros / 100)).await;
    Err(Status::deadline_exceeded("it would take too long"))
}

/// Fails after two messages.
async fn break_off(_: Request<Bytes>) -> Reply<Messages> {
    let mut status = Status::data_loss("the rest is gone");
    status.metadata_mut().insert("x-reason", "gone".parse().unwrap());
    Ok(Response::new(stream::iter([Ok("one".into()), Ok("two".into()), Err(status)]).boxed()))
}

/// Never answers.
async fn hang(guard: Guard) -> Reply<Bytes> {
    let _guard = guard;
    std::future::pending().await
}

/// A first message, and no end.
async fn drip(guard: Guard) -> Reply<impl Stream<Item = Result<Bytes, Status>>> {
    let first = stream::iter([Ok(Bytes::from_static(b"one"))]);
    Ok(Response::new(first.chain(stream::pending()).map(move |message| {
        let _held = &guard;
        message
    })))
}
