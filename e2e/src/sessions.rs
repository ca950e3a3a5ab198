//! Connections that are meant to last: WebSockets, and gRPC calls that stream both ways. Each says something ten times a
//! second and waits for it to come back.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use bytes::Bytes;
use futures_util::{SinkExt, StreamExt, stream};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, StreamBody};
use hyper::Request;
use hyper::body::{Frame, Incoming};
use hyper::client::conn::http2;
use hyper::header::CONTENT_TYPE;
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

use crate::client::Target;

const DEADLINE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(100);

/// Which of them.
#[derive(Debug, Clone)]
pub struct Plan {
    /// To whom.
    pub target: Target,
    /// The host of WebSockets.
    pub websockets: String,
    /// The host of gRPC calls.
    pub grpc: String,
    /// How many of each.
    pub count: usize,
}

/// What became of them.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// Messages that came back.
    pub messages: u64,
    /// Why some ended before they were told to.
    pub broken: Vec<String>,
}

/// Sessions that talk until [`Sessions::stop`].
#[derive(Debug)]
pub struct Sessions {
    shared: Arc<Shared>,
    stop: watch::Sender<bool>,
    tasks: JoinSet<()>,
}

#[derive(Debug, Default)]
struct Shared {
    messages: AtomicU64,
    broken: Mutex<Vec<String>>,
}

impl Sessions {
    /// Opens all of them; each has heard its first message when this returns.
    ///
    /// # Errors
    /// One cannot be opened.
    pub async fn start(plan: &Plan) -> anyhow::Result<Self> {
        let (shared, stop) = (Arc::new(Shared::default()), watch::Sender::new(false));
        let mut sessions = Self { shared, stop, tasks: JoinSet::new() };
        for number in 0..plan.count {
            let socket = plan.target.websocket(&plan.websockets).await.context("a WebSocket")?;
            sessions.talk(format!("WebSocket {number}"), Session::WebSocket(Box::new(socket))).await?;
            let call = Call::start(&plan.target, &plan.grpc).await.context("a gRPC call")?;
            sessions.talk(format!("gRPC call {number}"), Session::Grpc(call)).await?;
        }
        Ok(sessions)
    }

    async fn talk(&mut self, name: String, mut session: Session) -> anyhow::Result<()> {
        session.exchange("first").await.with_context(|| name.clone())?;
        let (shared, stopped) = (Arc::clone(&self.shared), self.stop.subscribe());
        self.tasks.spawn(async move {
            if let Err(error) = session.last(&shared, stopped).await {
                let mut broken = shared.broken.lock().unwrap_or_else(PoisonError::into_inner);
                broken.push(format!("{name}: {error:#}"));
            }
        });
        Ok(())
    }

    /// Ends all of them as their protocols have it, which may fail too, and returns the result.
    pub async fn stop(mut self) -> Report {
        self.stop.send_replace(true);
        while self.tasks.join_next().await.is_some() {}
        let broken = self.shared.broken.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Report { messages: self.shared.messages.load(Relaxed), broken }
    }
}

enum Session {
    WebSocket(Box<WebSocketStream<TcpStream>>),
    Grpc(Call),
}

impl Session {
    async fn last(mut self, shared: &Shared, stopped: watch::Receiver<bool>) -> anyhow::Result<()> {
        while !*stopped.borrow() {
            let number = shared.messages.fetch_add(1, Relaxed);
            self.exchange(&number.to_string()).await?;
            sleep(PAUSE).await;
        }
        timeout(DEADLINE, self.end()).await?
    }

    async fn exchange(&mut self, message: &str) -> anyhow::Result<()> {
        let answer = timeout(DEADLINE, async {
            match self {
                Self::WebSocket(socket) => {
                    socket.send(Message::text(message)).await?;
                    let answer = socket.next().await.context("it ended")??;
                    anyhow::Ok(answer.into_data())
                }
                Self::Grpc(call) => call.exchange(message).await,
            }
        });
        let answer = answer.await.context("no answer in time")??;
        ensure!(answer == message.as_bytes(), "{message:?} came back as {answer:?}");
        Ok(())
    }

    async fn end(self) -> anyhow::Result<()> {
        match self {
            Self::WebSocket(mut socket) => {
                socket.as_mut().close(None).await?;
                while let Some(message) = socket.next().await {
                    ensure!(message?.is_close(), "something behind the last message");
                }
                Ok(())
            }
            Self::Grpc(call) => call.end().await,
        }
    }
}

/// A gRPC call, without gRPC's framing of messages, which no proxy looks at.
struct Call {
    send: mpsc::UnboundedSender<Bytes>,
    receive: Incoming,
    /// It keeps the connection.
    _connection: http2::SendRequest<UnsyncBoxBody<Bytes, std::convert::Infallible>>,
}

impl Call {
    async fn start(target: &Target, host: &str) -> anyhow::Result<Self> {
        let (send, messages) = mpsc::unbounded_channel::<Bytes>();
        let frames = stream::unfold(messages, |mut messages| async move {
            let frame = Frame::data(messages.recv().await?);
            Some((Ok(frame), messages))
        });
        let request = Request::post(format!("http://{host}/_echo/stream"))
            .header(CONTENT_TYPE, "application/grpc")
            .header("te", "trailers")
            .body(StreamBody::new(frames).boxed_unsync())?;
        let mut connection = target.open_http2().await?;
        let response = timeout(DEADLINE, connection.send_request(request)).await??;
        ensure!(response.status() == 200, "{}", response.status());
        Ok(Self { send, receive: response.into_body(), _connection: connection })
    }

    async fn exchange(&mut self, message: &str) -> anyhow::Result<Bytes> {
        self.send.send(Bytes::copy_from_slice(message.as_bytes())).context("the request has ended")?;
        let frame = self.receive.frame().await.context("it ended")??;
        frame.into_data().map_err(|_| anyhow::anyhow!("it ended by its trailers"))
    }

    async fn end(self) -> anyhow::Result<()> {
        let Self { send, mut receive, _connection } = self;
        drop(send);
        let Some(frame) = receive.frame().await else { bail!("no trailers") };
        let trailers = frame?.into_trailers().map_err(|_| anyhow::anyhow!("something behind the last message"))?;
        ensure!(trailers.get("grpc-status").is_some_and(|status| status == "0"), "{trailers:?}");
        Ok(())
    }
}
