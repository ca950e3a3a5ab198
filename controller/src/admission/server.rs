//! The webhook's port: HTTPS, one path, bounds on everything.

use std::{convert::Infallible, pin::pin, sync::Arc, time::Duration};

use bytes::Bytes;
use compile::Options;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::{body::Body, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
};
use rustls::ServerConfig;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Mutex, Semaphore, watch},
    task::JoinSet,
    time::{Instant, sleep, timeout},
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use super::{
    basis::Basis,
    error::Error,
    limits,
    metrics::{Metrics, Outcome},
    pending::Pending,
    review::review,
};

/// The path of ingress-nginx, so that its ValidatingWebhookConfiguration fits.
const PATH: &str = "/networking/v1/ingresses";

/// After an accept that failed: open files have run out, say.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A port that is open.
pub(super) struct Server {
    listener: TcpListener,
    tls: watch::Receiver<Option<Arc<ServerConfig>>>,
    reviewer: Arc<Reviewer>,
}

impl Server {
    pub(super) fn new(
        listener: TcpListener,
        tls: watch::Receiver<Option<Arc<ServerConfig>>>,
        options: Arc<Options>,
        bases: watch::Receiver<Option<Arc<Basis>>>,
        metrics: Metrics,
    ) -> Self {
        Self { listener, tls, reviewer: Arc::new(Reviewer::new(options, bases, metrics, limits::REVIEW)) }
    }

    /// Serves for ever.
    pub(super) async fn run(self) {
        let reviewer = Arc::clone(&self.reviewer);
        tokio::select! {
            () = self.accept() => {}
            () = reviewer.expire() => {}
        }
    }

    async fn accept(self) {
        let places = Arc::new(Semaphore::new(limits::CONNECTIONS));
        let mut connections = JoinSet::new();
        loop {
            // A semaphore that nobody closes.
            let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
            while connections.try_join_next().is_some() {}
            let socket = match self.listener.accept().await {
                Ok((socket, _)) => socket,
                Err(error) => {
                    tracing::warn!("the admission webhook cannot accept: {error}");
                    sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            // Without a certificate nothing can be answered.
            let Some(tls) = self.tls.borrow().clone() else { continue };
            let reviewer = Arc::clone(&self.reviewer);
            connections.spawn(async move {
                connection(socket, tls, reviewer).await;
                drop(place);
            });
        }
    }
}

async fn connection(socket: TcpStream, tls: Arc<ServerConfig>, reviewer: Arc<Reviewer>) {
    let stream = match timeout(limits::HANDSHAKE, TlsAcceptor::from(tls).accept(socket)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return tracing::debug!("admission webhook: no TLS: {error}"),
        Err(_) => return tracing::debug!("admission webhook: a handshake took too long"),
    };
    let builder = http_of(&stream);
    let service = service_fn(move |request| Arc::clone(&reviewer).answer(request));
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = sleep(limits::AGE) => {
            connection.as_mut().graceful_shutdown();
            timeout(limits::REVIEW.saturating_add(limits::HEAD), connection).await.unwrap_or(Ok(()))
        }
    };
    if let Err(error) = ended {
        tracing::debug!("admission webhook: a connection broke: {error}");
    }
}

/// HTTP in the version that the handshake agreed on.
fn http_of(stream: &TlsStream<TcpStream>) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
        builder = builder.http2_only();
        builder
            .http2()
            .timer(TokioTimer::new())
            .keep_alive_interval(limits::HEAD)
            .max_concurrent_streams(limits::STREAMS)
            .max_header_list_size(limits::HEAD_BYTES);
    } else {
        builder = builder.http1_only();
        builder
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(limits::HEAD)
            .max_buf_size(limits::HEAD_BYTES as usize);
    }
    builder
}

/// Answers requests.
pub(super) struct Reviewer {
    options: Arc<Options>,
    bases: watch::Receiver<Option<Arc<Basis>>>,
    metrics: Metrics,
    /// For a review.
    patience: Duration,
    /// For reviews.
    pub(super) places: Semaphore,
    /// For their bodies, in KiB.
    pub(super) room: Semaphore,
    /// One review is compiled at a time: each is judged with those that were allowed before it.
    pub(super) pending: Arc<Mutex<Pending>>,
}

impl Reviewer {
    pub(super) fn new(
        options: Arc<Options>,
        bases: watch::Receiver<Option<Arc<Basis>>>,
        metrics: Metrics,
        patience: Duration,
    ) -> Self {
        Self {
            options,
            bases,
            metrics,
            patience,
            places: Semaphore::new(limits::REVIEWS),
            room: Semaphore::new(limits::ROOM_KIB as usize),
            pending: Arc::default(),
        }
    }

    pub(super) async fn answer<B>(self: Arc<Self>, request: Request<B>) -> Result<Response<Full<Bytes>>, Infallible>
    where
        B: Body<Data = Bytes, Error: Into<Cause>>,
    {
        if request.uri().path() != PATH {
            return Ok(text(StatusCode::NOT_FOUND, format!("there is nothing but {PATH}")));
        }
        if request.method() != Method::POST {
            return Ok(text(StatusCode::METHOD_NOT_ALLOWED, "a review is sent by POST".to_owned()));
        }
        let began = Instant::now();
        let reviewed = timeout(self.patience, self.review(request.into_body())).await;
        let (response, outcome) = match reviewed.unwrap_or(Err(Error::TooSlow)) {
            Ok((body, outcome)) => (json(body), outcome),
            Err(error) => {
                tracing::warn!("an admission review has no verdict: {error}");
                (text(error.status(), error.to_string()), Outcome::Error)
            }
        };
        self.metrics.answered(outcome, began.elapsed());
        Ok(response)
    }

    /// Lets go of what has come, and from time to time of what nobody asked for again.
    pub(super) async fn expire(&self) {
        let mut bases = self.bases.clone();
        loop {
            tokio::select! {
                () = sleep(limits::HELD_FOR) => {}
                Ok(()) = bases.changed() => {}
            }
            // Not a base from before what is held was allowed: so this comes after the wait for the lock.
            let mut pending = self.pending.lock().await;
            let base = bases.borrow_and_update().clone();
            pending.settle(base.as_deref(), Instant::now());
        }
    }

    async fn review(&self, body: impl Body<Data = Bytes, Error: Into<Cause>>) -> Result<(Vec<u8>, Outcome), Error> {
        let _place = self.places.try_acquire().map_err(|_| Error::Busy)?;
        let most = u64::try_from(limits::BODY).unwrap_or(u64::MAX);
        if body.size_hint().lower() > most {
            return Err(Error::TooLarge);
        }
        let size = body.size_hint().upper().unwrap_or(most).min(most);
        let kib = u32::try_from(size.div_ceil(1024)).unwrap_or(limits::ROOM_KIB);
        // Nobody closes these semaphores.
        let _room = self.room.acquire_many(kib).await.map_err(|_| Error::Busy)?;
        let body = read(body).await?;
        let mut turn = Arc::clone(&self.pending).lock_owned().await;
        let base = self.bases.borrow().clone();
        let (options, metrics) = (Arc::clone(&self.options), self.metrics.clone());
        let reviewed = tokio::task::spawn_blocking(move || {
            let reviewed = review(&body, base.as_ref(), &options, &metrics, &mut turn);
            // Also where nobody waits for the answer any more.
            drop(turn);
            reviewed
        });
        reviewed.await.unwrap_or_else(|error| Err(Error::Failed(error.to_string())))
    }
}

/// What went wrong with a body.
type Cause = Box<dyn std::error::Error + Send + Sync>;

async fn read(body: impl Body<Data = Bytes, Error: Into<Cause>>) -> Result<Bytes, Error> {
    let body = Limited::new(body, limits::BODY).collect().await;
    body.map(|body| body.to_bytes()).map_err(|error| match error.downcast::<LengthLimitError>() {
        Ok(_) => Error::TooLarge,
        Err(error) => Error::Broken(error.to_string()),
    })
}

fn json(body: Vec<u8>) -> Response<Full<Bytes>> {
    answer(StatusCode::OK, "application/json", body)
}

fn text(status: StatusCode, text: String) -> Response<Full<Bytes>> {
    answer(status, "text/plain; charset=utf-8", (text + "\n").into_bytes())
}

fn answer(status: StatusCode, content_type: &'static str, body: Vec<u8>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, http::HeaderValue::from_static(content_type));
    response
}
