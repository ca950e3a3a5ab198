//! The controller's end: serves snapshots over a Unix socket, and hears of their fate.

mod bind;
mod peers;
mod session;
mod too_long;

use std::{
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use snapshot::{
    Report, Snapshot, SnapshotId,
    frame::{Frame, Hello},
};
use tokio::{
    net::{UnixListener, UnixStream},
    sync::{mpsc, watch},
    task::{JoinError, JoinSet},
    time::sleep,
};

pub use bind::BindError;
pub use peers::Peers;
use session::Session;
use too_long::TooLong;

use crate::{
    Limits, Metrics,
    causes::Causes,
    metrics::Failure,
    wire::{LinkError, Takes, Wire},
};

/// Connections that have not said hello yet. Further ones wait in the socket's queue.
const GREETINGS: usize = 16;

/// The longest report, in bytes: it names each item that cannot be used.
const MAX_REPORT: usize = 16 << 20;

/// Before accepting is tried again where it failed: file descriptors may have run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A socket that is bound.
pub struct Server {
    listener: UnixListener,
    shared: Arc<Shared>,
}

/// What connections share.
struct Shared {
    peers: Peers,
    limits: Limits,
    metrics: Metrics,
    causes: Mutex<Causes>,
    connected: watch::Sender<bool>,
    /// What the data plane reported last that it serves: a difference to it can be sent, also after it has reconnected.
    held: Mutex<Option<Arc<Snapshot>>>,
    /// What was sent last, as it was sent: who got it may hold it, although we never heard so.
    sent: Mutex<Option<Arc<Snapshot>>>,
    too_long: Mutex<TooLong>,
    /// One that cannot be sent even without what is too long in it: it is not tried again and again.
    unsendable: Mutex<Option<SnapshotId>>,
}

/// A data plane that has said hello.
struct Greeted {
    wire: Wire,
    hello: Hello,
}

impl Server {
    /// Binds the socket: under another name first, so that one which a dead process left behind is replaced, and nobody
    /// can connect before its mode (0660) is set. To be called on a tokio runtime.
    ///
    /// # Errors
    /// The folder cannot be made, or the socket cannot be bound there.
    pub fn bind(path: &Path, peers: Peers, limits: Limits, metrics: Metrics) -> Result<Self, BindError> {
        let listener = bind::bind(path)?;
        let shared = Arc::new(Shared {
            peers,
            limits,
            metrics,
            causes: Mutex::new(Causes::new(limits.again)),
            connected: watch::Sender::new(false),
            held: Mutex::default(),
            sent: Mutex::default(),
            too_long: Mutex::default(),
            unsendable: Mutex::default(),
        });
        Ok(Self { listener, shared })
    }

    /// Whether a data plane is connected, now and from now on.
    pub fn connected(&self) -> watch::Receiver<bool> {
        self.shared.connected.subscribe()
    }

    /// Serves one data plane at a time, for ever. One that connects while another is connected takes its place: it is a
    /// data plane that restarted before its old connection was seen to end.
    pub async fn run(self, snapshots: watch::Receiver<Option<Arc<Snapshot>>>, reports: mpsc::Sender<Report>) {
        let Self { listener, shared } = self;
        let mut greetings = JoinSet::new();
        // Never more than one.
        let mut session = JoinSet::new();
        loop {
            tokio::select! {
                accepted = listener.accept(), if greetings.len() < GREETINGS => match accepted {
                    Ok((stream, _)) => drop(greetings.spawn(greet(stream, Arc::clone(&shared)))),
                    Err(error) => {
                        shared.failed(Failure::Socket, &format!("the socket cannot accept a connection: {error}"));
                        sleep(ACCEPT_PAUSE).await;
                    }
                },
                Some(greeted) = greetings.join_next() => {
                    let Some(greeted) = unless_panicked(greeted) else { continue };
                    if !session.is_empty() {
                        tracing::info!("another data plane has connected, and takes the place of the one before");
                    }
                    session.shutdown().await;
                    shared.connected(true);
                    let session_of = Session::new(greeted, Arc::clone(&shared), snapshots.clone(), reports.clone());
                    session.spawn(session_of.run());
                }
                Some(_) = session.join_next() => shared.connected(false),
            }
        }
    }
}

fn unless_panicked(greeted: Result<Option<Greeted>, JoinError>) -> Option<Greeted> {
    greeted.inspect_err(|error| tracing::error!(%error, "a connection of a data plane failed")).ok().flatten()
}

async fn greet(stream: UnixStream, shared: Arc<Shared>) -> Option<Greeted> {
    if let Err(reason) = shared.peers.check(&stream) {
        shared.failed(Failure::Peer, &format!("a connection to the socket was refused: {reason}"));
        return None;
    }
    let mut wire = Wire::new(stream, Takes { decode: Frame::decode_upward, longest: MAX_REPORT }, &shared.limits);
    match wire.greet(Hello::ours(None), "the data plane", &shared.limits).await {
        Ok(hello) => Some(Greeted { wire, hello }),
        Err(error) => {
            shared.broken(&error);
            None
        }
    }
}

impl Shared {
    fn connected(&self, connected: bool) {
        self.connected.send_replace(connected);
        self.metrics.connected(connected);
    }

    /// A connection is given up.
    fn broken(&self, error: &LinkError) {
        let what = match error {
            LinkError::Mismatch(_) => "no snapshots are sent, the data plane keeps what it has",
            _ => "the connection of a data plane is given up",
        };
        self.failed(error.failure(), &format!("{what}: {error}"));
    }

    fn failed(&self, failure: Failure, message: &str) {
        self.metrics.failed(failure);
        if lock(&self.causes).is_news(message) {
            tracing::warn!("{message}");
        }
    }
}

/// Locks, whatever happened to others who did: what is inside is replaced as a whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
