//! Who polls an upstream connection of HTTP/1.1: the task of the request that has it, as long as that is a stream of
//! HTTP/2. In a task of its own every request would wake two tasks in turn, several times.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    task::{Context, Poll, Wake, Waker},
};

/// How often a connection that woke itself is polled at once, before others get their turn.
const ROUNDS: usize = 8;

/// A connection, to be polled by whoever needs something of it.
pub struct Driver {
    connection: Option<Pin<Box<dyn Future<Output = hyper::Result<()>>>>>,
    relay: Arc<Relay>,
    /// The relay, as the connection gets to see it.
    waker: Waker,
}

impl Driver {
    /// Nobody polls it yet.
    pub fn new(connection: impl Future<Output = hyper::Result<()>> + 'static) -> Self {
        let relay = Arc::new(Relay::default());
        Self { connection: Some(Box::pin(connection)), waker: Waker::from(Arc::clone(&relay)), relay }
    }

    /// Polls the connection, and then the step that waits for it; as often as the one makes work for the other.
    pub fn poll<T>(&mut self, cx: &mut Context<'_>, mut step: impl FnMut(&mut Context<'_>) -> Poll<T>) -> Poll<T> {
        self.relay.follow(cx.waker());
        for _ in 0..ROUNDS {
            let (waker, relay) = (&self.waker, &self.relay);
            let inner = &mut Context::from_waker(waker);
            let result = relay.within(|| {
                poll_connection(&mut self.connection, inner);
                step(inner)
            });
            if result.is_ready() || !relay.is_woken() {
                return result;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// A step that may need nothing of the connection, or has to ask for it first.
    pub fn poll_after<T>(
        &mut self,
        cx: &mut Context<'_>,
        mut step: impl FnMut(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        let first = self.relay.within(|| step(&mut Context::from_waker(&self.waker)));
        if first.is_ready() { first } else { self.poll(cx, step) }
    }

    /// Nobody has a request for it now: what it has to say is looked at later.
    pub fn rest(&self) {
        self.relay.rest();
    }

    /// Polls the connection if it has something to say: the endpoint may have closed it.
    pub fn look(&mut self) {
        if self.relay.is_woken() {
            let inner = &mut Context::from_waker(&self.waker);
            self.relay.within(|| poll_connection(&mut self.connection, inner));
        }
    }

    /// From now on a task of its own polls it.
    pub fn detach(mut self) {
        if let Some(connection) = self.connection.take() {
            tokio::task::spawn_local(async { log_end(connection.await) });
        }
    }
}

fn poll_connection(connection: &mut Option<Pin<Box<dyn Future<Output = hyper::Result<()>>>>>, cx: &mut Context<'_>) {
    let Some(polled) = connection else { return };
    if let Poll::Ready(result) = polled.as_mut().poll(cx) {
        *connection = None;
        log_end(result);
    }
}

fn log_end(result: hyper::Result<()>) {
    if let Err(error) = result {
        tracing::debug!(%error, "upstream connection ended");
    }
}

impl fmt::Debug for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Driver").field("relay", &self.relay).finish_non_exhaustive()
    }
}

/// Passes a connection's wake-ups on to the task that has it, but for those that its own polling causes: they are seen
/// to at once.
#[derive(Debug, Default)]
struct Relay {
    polling: AtomicBool,
    woken: AtomicBool,
    task: Mutex<Option<Waker>>,
}

impl Relay {
    fn follow(&self, waker: &Waker) {
        let mut task = self.lock();
        if !task.as_ref().is_some_and(|known| known.will_wake(waker)) {
            *task = Some(waker.clone());
        }
    }

    fn rest(&self) {
        // A waker would keep the memory of a task that has ended.
        let task = self.lock().take();
        drop(task);
        self.woken.store(false, Relaxed);
    }

    fn within<T>(&self, poll: impl FnOnce() -> T) -> T {
        self.woken.store(false, Relaxed);
        self.polling.store(true, Relaxed);
        let result = poll();
        self.polling.store(false, Relaxed);
        result
    }

    fn is_woken(&self) -> bool {
        self.woken.load(Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, Option<Waker>> {
        self.task.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wake for Relay {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.woken.store(true, Relaxed);
        if !self.polling.load(Relaxed)
            && let Some(task) = &*self.lock()
        {
            task.wake_by_ref();
        }
    }
}
