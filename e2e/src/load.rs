//! A steady stream of requests over kept connections, and what became of them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::anyhow;
use hyper::body::Incoming;
use hyper::client::conn::{TrySendError, http1, http2};
use hyper::header::HOST;
use hyper::{Request, Response};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, interval_at, timeout};

use crate::client::{Answer, RequestBody, Target};

/// A browser would have given up.
const DEADLINE: Duration = Duration::from_secs(10);

/// What became of the requests so far.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// Answers by status.
    pub statuses: BTreeMap<u16, u64>,
    /// Requests that got no complete answer, by reason.
    pub broken: BTreeMap<String, u64>,
    /// Answers by Pod, as the echo backend names itself.
    pub pods: BTreeMap<String, u64>,
    /// The longest time an answer took.
    pub slowest: Duration,
}

impl Report {
    /// All requests that were sent.
    #[must_use]
    pub fn sent(&self) -> u64 {
        self.statuses.values().sum::<u64>() + self.broken.values().sum::<u64>()
    }

    /// Requests that were answered with anything but 200, or not at all.
    #[must_use]
    pub fn failed(&self) -> u64 {
        self.sent() - self.statuses.get(&200).copied().unwrap_or_default()
    }

    fn count(&mut self, outcome: anyhow::Result<Answer>, took: Duration) {
        self.slowest = self.slowest.max(took);
        match outcome {
            Ok(answer) => {
                *self.statuses.entry(answer.status.as_u16()).or_default() += 1;
                *self.pods.entry(answer.echo("pod")).or_default() += 1;
            }
            Err(error) => *self.broken.entry(format!("{error:#}")).or_default() += 1,
        }
    }
}

/// Requests that are being sent until [`Load::stop`].
#[derive(Debug)]
pub struct Load {
    report: Arc<Mutex<Report>>,
    stop: watch::Sender<bool>,
    workers: JoinSet<()>,
}

/// What to send, and how fast.
#[derive(Debug, Clone)]
pub struct Plan {
    /// To whom.
    pub target: Target,
    /// The host of each request.
    pub host: String,
    /// Requests per second, over all connections.
    pub rate: u32,
    /// Connections that are kept open.
    pub connections: u32,
    /// What is spoken on them.
    pub protocol: Protocol,
}

/// A version of HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.1.
    Http1,
    /// HTTP/2 in the clear, by prior knowledge.
    Http2,
}

/// A connection for one request after the other.
enum Sender {
    Http1(http1::SendRequest<RequestBody>),
    Http2(http2::SendRequest<RequestBody>),
}

impl Sender {
    async fn open(plan: &Plan) -> anyhow::Result<Self> {
        Ok(match plan.protocol {
            Protocol::Http1 => Self::Http1(plan.target.open().await?),
            Protocol::Http2 => Self::Http2(plan.target.open_http2().await?),
        })
    }

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

impl Plan {
    fn request(&self) -> anyhow::Result<Request<RequestBody>> {
        let request = Request::builder();
        let request = match self.protocol {
            Protocol::Http1 => request.uri("/load").header(HOST, &self.host),
            Protocol::Http2 => request.uri(format!("http://{}/load", self.host)),
        };
        Ok(request.body(RequestBody::default())?)
    }
}

impl Load {
    /// Begins to send.
    #[must_use]
    pub fn start(plan: &Plan) -> Self {
        let report = Arc::new(Mutex::new(Report::default()));
        let (stop, stopped) = watch::channel(false);
        let mut workers = JoinSet::new();
        for index in 0..plan.connections {
            workers.spawn(worker(plan.clone(), index, Arc::clone(&report), stopped.clone()));
        }
        Self { report, stop, workers }
    }

    /// What became of the requests so far.
    #[must_use]
    pub fn report(&self) -> Report {
        self.report.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits for the requests in flight and returns the whole result.
    pub async fn stop(mut self) -> Report {
        self.stop.send_replace(true);
        while self.workers.join_next().await.is_some() {}
        self.report()
    }
}

/// One connection's share of the requests, evenly spread over time; what a busy machine
/// delays is caught up with.
async fn worker(plan: Plan, index: u32, report: Arc<Mutex<Report>>, mut stopped: watch::Receiver<bool>) {
    let period = Duration::from_secs(1) * plan.connections / plan.rate;
    let offset = period * index / plan.connections;
    let mut ticks = interval_at(Instant::now() + offset, period);
    let mut connection = None;
    loop {
        tokio::select! {
            biased;
            _ = stopped.changed() => return,
            _ = ticks.tick() => {}
        }
        let start = Instant::now();
        let outcome = request(&plan, &mut connection).await;
        report.lock().unwrap_or_else(PoisonError::into_inner).count(outcome, start.elapsed());
    }
}

/// Sends one request. A connection that was closed before anything of it was sent
/// is replaced, as every client does; one that breaks later counts as broken.
async fn request(plan: &Plan, kept: &mut Option<Sender>) -> anyhow::Result<Answer> {
    let mut request = plan.request()?;
    if let Some(mut sender) = kept.take() {
        match send(&mut sender, request).await {
            Ok(answer) => {
                *kept = Some(sender);
                return answer;
            }
            Err(unsent) => request = unsent,
        }
    }
    let mut sender = timeout(DEADLINE, Sender::open(plan)).await??;
    let answer = send(&mut sender, request).await.map_err(|_| anyhow!("a new connection was closed at once"))?;
    *kept = Some(sender);
    answer
}

/// Gives the request back if nothing of it was sent.
async fn send(
    sender: &mut Sender,
    request: Request<RequestBody>,
) -> Result<anyhow::Result<Answer>, Request<RequestBody>> {
    if !sender.is_ready().await {
        return Err(request);
    }
    match timeout(DEADLINE, sender.send(request)).await {
        Err(elapsed) => Ok(Err(elapsed.into())),
        Ok(Ok(response)) => Ok(read(response).await),
        Ok(Err(mut error)) => match error.take_message() {
            Some(unsent) => Err(unsent),
            None => Ok(Err(error.into_error().into())),
        },
    }
}

async fn read(response: Response<Incoming>) -> anyhow::Result<Answer> {
    timeout(DEADLINE, Answer::read(response)).await?
}
