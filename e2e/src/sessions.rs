//! Connections that are meant to last: WebSockets, and gRPC calls that stream both ways. Each says something ten times a
//! second and waits for it to come back. One that ends is not opened again: that is what the report tells.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use bytes::Bytes;
use futures_util::{SinkExt, StreamExt, stream};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Empty, StreamBody};
use hyper::Request;
use hyper::body::{Frame, Incoming};
use hyper::client::conn::http2;
use hyper::header::{CONTENT_TYPE, HeaderMap};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

use crate::client::Target;
use crate::echo::PEER;

const DEADLINE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(100);
/// After so many messages a gRPC call asks whether its connection still takes requests.
const ASKS: u64 = 10;

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
    /// The addresses of the Pods that the sessions went through, as the backend saw them.
    pub vias: Vec<String>,
    /// Those that ended before they were told to.
    pub broken: Vec<Broken>,
}

/// A session that ended.
#[derive(Debug, Clone)]
pub struct Broken {
    /// Its kind and number.
    pub name: String,
    /// The address of the Pod that it went through.
    pub via: String,
    /// When it was noticed: a tenth of a second after it happened, at most.
    pub at: Instant,
    /// Why.
    pub why: String,
    /// Of a gRPC call: since when its connection took no more requests (GOAWAY). None: it was never seen.
    pub warned: Option<Instant>,
    /// Whether it looked like the end that its protocol has, as if nothing were missing.
    pub looked_complete: bool,
}

/// Sessions that talk until [`Sessions::stop`].
#[derive(Debug)]
pub struct Sessions {
    shared: Arc<Shared>,
    stop: watch::Sender<bool>,
    tasks: JoinSet<()>,
    vias: Vec<String>,
}

#[derive(Debug, Default)]
struct Shared {
    messages: AtomicU64,
    broken: Mutex<Vec<Broken>>,
}

impl Sessions {
    /// Opens all of them; each has heard its first message when this returns.
    ///
    /// # Errors
    /// One cannot be opened.
    pub async fn start(plan: &Plan) -> anyhow::Result<Self> {
        let (shared, stop) = (Arc::new(Shared::default()), watch::Sender::new(false));
        let mut sessions = Self { shared, stop, tasks: JoinSet::new(), vias: Vec::new() };
        for number in 0..plan.count {
            let (socket, head) = plan.target.websocket(&plan.websockets).await.context("a WebSocket")?;
            sessions.talk(format!("WebSocket {number}"), &head, Session::WebSocket(Box::new(socket))).await?;
            let (call, head) = Call::start(&plan.target, &plan.grpc).await.context("a gRPC call")?;
            sessions.talk(format!("gRPC call {number}"), &head, Session::Grpc(call)).await?;
        }
        Ok(sessions)
    }

    async fn talk(&mut self, name: String, head: &HeaderMap, mut session: Session) -> anyhow::Result<()> {
        session.exchange("first").await.with_context(|| name.clone())?;
        let via = head.get(PEER).context("the backend does not say who asked")?.to_str()?.to_owned();
        self.vias.push(via.clone());
        let (shared, stopped) = (Arc::clone(&self.shared), self.stop.subscribe());
        self.tasks.spawn(async move {
            let mut warned = None;
            if let Err(error) = session.last(&shared, stopped, &mut warned).await {
                let looked_complete = error.is::<Complete>();
                let (at, why) = (Instant::now(), format!("{error:#}"));
                let broken = Broken { name, via, at, why, warned, looked_complete };
                shared.broken.lock().unwrap_or_else(PoisonError::into_inner).push(broken);
            }
        });
        Ok(())
    }

    /// Ends all of them as their protocols have it, which may fail too, and returns the result.
    pub async fn stop(mut self) -> Report {
        self.stop.send_replace(true);
        while self.tasks.join_next().await.is_some() {}
        let broken = self.shared.broken.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Report { messages: self.shared.messages.load(Relaxed), vias: self.vias, broken }
    }
}

/// A session came to an end that its protocol has, though nobody here asked for it.
#[derive(Debug)]
struct Complete;

impl std::fmt::Display for Complete {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("it ended as if it were complete")
    }
}

impl std::error::Error for Complete {}

enum Session {
    WebSocket(Box<WebSocketStream<TcpStream>>),
    Grpc(Call),
}

impl Session {
    async fn last(
        mut self,
        shared: &Shared,
        stopped: watch::Receiver<bool>,
        warned: &mut Option<Instant>,
    ) -> anyhow::Result<()> {
        for round in 1.. {
            if *stopped.borrow() {
                break;
            }
            let number = shared.messages.fetch_add(1, Relaxed);
            self.exchange(&number.to_string()).await?;
            if round % ASKS == 0 && warned.is_none() && !self.takes_requests().await {
                *warned = Some(Instant::now());
            }
            sleep(PAUSE).await;
        }
        timeout(DEADLINE, self.end()).await?
    }

    async fn takes_requests(&mut self) -> bool {
        match self {
            Self::WebSocket(_) => true,
            Self::Grpc(call) => call.takes_requests().await,
        }
    }

    async fn exchange(&mut self, message: &str) -> anyhow::Result<()> {
        let answer = timeout(DEADLINE, async {
            match self {
                Self::WebSocket(socket) => {
                    socket.send(Message::text(message)).await?;
                    let answer = socket.next().await.context(Complete)??;
                    if answer.is_close() {
                        bail!(Complete);
                    }
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
    connection: http2::SendRequest<UnsyncBoxBody<Bytes, std::convert::Infallible>>,
    host: String,
}

impl Call {
    async fn start(target: &Target, host: &str) -> anyhow::Result<(Self, HeaderMap)> {
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
        let (head, receive) = response.into_parts();
        Ok((Self { send, receive, connection, host: host.to_owned() }, head.headers))
    }

    /// Tries one more request on its connection. After a GOAWAY (RFC 9113 section 6.8) nothing of it is sent.
    async fn takes_requests(&mut self) -> bool {
        let request = Request::get(format!("http://{}/beside", self.host)).body(Empty::new().boxed_unsync());
        let Ok(request) = request else { return true };
        match self.connection.try_send_request(request).await {
            Ok(_) => true,
            // What breaks otherwise is seen by the call itself.
            Err(mut error) => error.take_message().is_none(),
        }
    }

    async fn exchange(&mut self, message: &str) -> anyhow::Result<Bytes> {
        self.send.send(Bytes::copy_from_slice(message.as_bytes())).context("the request has ended")?;
        let frame = self.receive.frame().await.context(Complete)??;
        frame.into_data().map_err(|_| Complete.into())
    }

    async fn end(self) -> anyhow::Result<()> {
        let Self { send, mut receive, connection: _connection, host: _ } = self;
        drop(send);
        let Some(frame) = receive.frame().await else { bail!("no trailers") };
        let trailers = frame?.into_trailers().map_err(|_| anyhow::anyhow!("something behind the last message"))?;
        ensure!(trailers.get("grpc-status").is_some_and(|status| status == "0"), "{trailers:?}");
        Ok(())
    }
}
