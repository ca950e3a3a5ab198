//! One worker: a thread with its own runtime, sockets and upstream connections.

use std::{collections::HashMap, io, net::SocketAddr, num::NonZeroUsize, rc::Rc, sync::Arc, thread, time::Duration};

use arc_swap::ArcSwap;
use snapshot::ListenerId;
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinHandle,
    time::{Instant, MissedTickBehavior, interval, timeout, timeout_at},
};

use super::{
    accept::accept,
    bind::Listening,
    datagrams,
    desk::{Arrival, Desk, door, receive},
    stop::Stop,
};
use crate::{
    exchange::Sink,
    http::{Context, Crew, Post},
    observe::{Metrics, RouteLabels, WorkerLog},
    runtime::Runtime,
};

/// How often idle upstream connections are looked through.
const SWEEP: Duration = Duration::from_secs(1);

/// How long sessions that are cut may take to end, which is one turn of each.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Which socket: a listener and the address that it was asked to listen on.
pub type SocketKey = (ListenerId, SocketAddr);

/// What a worker is told.
enum Command {
    Listen(SocketKey, Listening),
    Unlisten(SocketKey),
    Leave,
    Drain { until: Instant, left: oneshot::Sender<Left> },
}

/// How a worker ended.
#[derive(Debug, Clone, Copy, Default)]
pub struct Left {
    /// How many connections had to be cut.
    pub cut: usize,
}

/// What a worker is made from.
pub struct WorkerSpec {
    /// Counts from 0.
    pub index: usize,
    /// What is served.
    pub live: Arc<ArcSwap<Runtime>>,
    /// Its end of the access log.
    pub log: WorkerLog,
    /// What it counts in.
    pub metrics: Metrics,
}

/// How a worker gives connections to the others, and gets theirs.
struct Others {
    post: Post,
    doors: Vec<mpsc::Sender<Box<Arrival>>>,
    arrivals: mpsc::Receiver<Box<Arrival>>,
}

/// Starts a worker for each spec. They keep their connections in balance among themselves.
///
/// # Errors
/// A thread or its runtime cannot be made.
pub fn start_workers(specs: Vec<WorkerSpec>) -> io::Result<Vec<WorkerHandle>> {
    let crew = Arc::new(Crew::new(NonZeroUsize::new(specs.len()).unwrap_or(NonZeroUsize::MIN)));
    let (doors, arrivals): (Vec<_>, Vec<_>) = specs.iter().map(|_| door()).unzip();
    let start = |(spec, arrivals): (WorkerSpec, _)| {
        let post = Post::new(Arc::clone(&crew), spec.index);
        WorkerHandle::start(spec, Others { post, doors: doors.clone(), arrivals })
    };
    specs.into_iter().zip(arrivals).map(start).collect()
}

/// A running worker.
#[derive(Debug)]
pub struct WorkerHandle {
    commands: mpsc::UnboundedSender<Command>,
    post: Post,
}

impl WorkerHandle {
    /// Starts the thread.
    fn start(spec: WorkerSpec, others: Others) -> io::Result<Self> {
        // Only snapshots fill it, a command for each socket.
        let (commands, inbox) = mpsc::unbounded_channel();
        let post = others.post.clone();
        let (ready, started) = std::sync::mpsc::channel();
        thread::Builder::new().name(format!("worker-{}", spec.index)).spawn(move || {
            match tokio::runtime::Builder::new_current_thread().enable_all().build_local(Default::default()) {
                Ok(runtime) => {
                    // Nobody listens where the start was given up.
                    ready.send(Ok(())).ok();
                    let ended = runtime.block_on(run(spec, others, inbox));
                    // Requests that were cut are logged when their tasks are dropped, and the log is written out after us.
                    drop(runtime);
                    if let Some((left, result)) = ended {
                        // Nobody waits where the process is going anyway.
                        left.send(result).unwrap_or_default();
                    }
                }
                Err(error) => drop(ready.send(Err(error))),
            }
        })?;
        started.recv().map_err(io::Error::other)??;
        Ok(Self { commands, post })
    }

    /// How many client connections it has.
    pub fn connections(&self) -> usize {
        self.post.connections()
    }

    /// Serves a socket.
    pub fn listen(&self, key: SocketKey, socket: Listening) {
        self.send(Command::Listen(key, socket));
    }

    /// Closes a socket; its connections go on, its sessions of UDP end.
    pub fn unlisten(&self, key: SocketKey) {
        self.send(Command::Unlisten(key));
    }

    /// Goes on accepting, but says with each answer that its connection ends.
    pub fn leave(&self) {
        self.send(Command::Leave);
    }

    /// Stops accepting, lets connections end with the request they are at, and ends the thread: when the last one has
    /// ended, or at `until`.
    pub fn drain(&self, until: Instant) -> oneshot::Receiver<Left> {
        let (left, result) = oneshot::channel();
        self.send(Command::Drain { until, left });
        result
    }

    fn send(&self, command: Command) {
        if self.commands.send(command).is_err() {
            tracing::error!("a worker has ended");
        }
    }
}

/// A socket that is served.
struct Served {
    stop: Rc<Stop>,
    task: JoinHandle<()>,
}

type Sockets = HashMap<SocketKey, Served>;

/// Until the worker is told to leave: returns who waits for that, and how it ended.
async fn run(
    spec: WorkerSpec,
    others: Others,
    mut inbox: mpsc::UnboundedReceiver<Command>,
) -> Option<(oneshot::Sender<Left>, Left)> {
    let sink = Sink { log: spec.log.into(), unrouted: spec.metrics.route(&RouteLabels::default()) };
    let context = Rc::new(Context::new(spec.live, sink, Arc::clone(spec.metrics.connections()), others.post));
    let desk = Rc::new(Desk::new(Rc::clone(&context), others.doors));
    drop(tokio::task::spawn_local(receive(others.arrivals, Rc::clone(&desk))));
    let mut sockets: Sockets = HashMap::new();
    let mut sweep = interval(SWEEP);
    sweep.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let command = tokio::select! {
            command = inbox.recv() => command,
            _ = sweep.tick() => {
                context.pool.sweep();
                context.refresh();
                continue;
            }
        };
        match command {
            Some(Command::Listen(key, socket)) => listen(&desk, &mut sockets, key, socket),
            Some(Command::Unlisten(key)) => drop(sockets.remove(&key).map(|socket| socket.stop.close())),
            Some(Command::Leave) => context.begin_leave(),
            Some(Command::Drain { until, left }) => {
                return Some((left, drain(&context, sockets, until).await));
            }
            None => return None,
        }
    }
}

fn listen(desk: &Rc<Desk>, sockets: &mut Sockets, key: SocketKey, socket: Listening) {
    let stop = Rc::new(Stop::default());
    let (id, own) = (key.0.clone(), Rc::clone(&stop));
    let task = match socket {
        Listening::Tcp(socket) => tokio::net::TcpListener::from_std(socket)
            .map(|socket| tokio::task::spawn_local(accept(socket, id, Rc::clone(desk), own))),
        Listening::Udp(socket) => datagrams::serve(socket, id, desk, own),
    };
    match task {
        Ok(task) => drop(sockets.insert(key, Served { stop, task })),
        Err(error) => tracing::error!(listener = %key.0, address = %key.1, %error, "cannot listen"),
    }
}

/// Every socket's queue is empty before any connection is told to end: what came in time is served. So is what another
/// worker hands over meanwhile: it counts as ours from the moment it is on its way.
async fn drain(context: &Context, sockets: Sockets, until: Instant) -> Left {
    for socket in sockets.values() {
        socket.stop.leave();
    }
    for socket in sockets.into_values() {
        if let Err(error) = socket.task.await {
            tracing::error!(%error, "a listener ended badly");
        }
    }
    context.begin_drain();
    match timeout_at(until, context.post.leave()).await {
        Ok(()) => Left::default(),
        Err(_) => {
            let left = Left { cut: context.post.connections() };
            if timeout(LAST_WORDS, context.sessions.cut()).await.is_err() {
                tracing::warn!("sessions that were cut are missing in the access log");
            }
            left
        }
    }
}
