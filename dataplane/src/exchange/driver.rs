//! Who polls an upstream connection of HTTP/1.1: the task of the request that has it, while that is a stream of HTTP/2,
//! which would else wake a second task in turn, several times; a task of its own otherwise.

use std::{
    cell::{Cell, RefCell},
    fmt,
    future::{Future, poll_fn},
    pin::Pin,
    rc::Rc,
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
    connection: Rc<Connection>,
    relay: Arc<Relay>,
    /// The relay, as the connection gets to see it.
    waker: Waker,
}

type Polled = dyn Future<Output = hyper::Result<()>>;

struct Connection {
    /// None once it has ended.
    polled: RefCell<Option<Pin<Box<Polled>>>>,
    /// Whether there is a task for it. It stays until the connection ends, and sleeps while requests poll.
    has_task: Cell<bool>,
    /// That task, since it has begun.
    task: RefCell<Option<Waker>>,
    /// Whether it is that task's turn.
    detached: Cell<bool>,
}

impl Driver {
    /// Nobody polls it yet.
    pub fn new(connection: impl Future<Output = hyper::Result<()>> + 'static) -> Self {
        let relay = Arc::new(Relay::default());
        let connection = Connection {
            polled: RefCell::new(Some(Box::pin(connection))),
            has_task: Cell::new(false),
            task: RefCell::new(None),
            detached: Cell::new(false),
        };
        Self { connection: Rc::new(connection), waker: Waker::from(Arc::clone(&relay)), relay }
    }

    /// From now on who waits for something of the connection polls it.
    pub fn attach(&self) {
        self.connection.detached.set(false);
    }

    /// From now on a task of its own polls it.
    pub fn detach(&self) {
        if self.connection.detached.replace(true) {
            return;
        }
        if let Some(task) = &*self.connection.task.borrow() {
            self.relay.follow(task);
            task.wake_by_ref();
        } else if !self.connection.has_task.replace(true) {
            let connection = Rc::clone(&self.connection);
            tokio::task::spawn_local(poll_fn(move |cx| connection.poll_in_task(cx)));
        }
    }

    /// Whether [`Self::detach`] was the last word.
    pub fn is_detached(&self) -> bool {
        self.connection.detached.get()
    }

    /// Polls the connection, and then the step that waits for it; as often as the one makes work for the other.
    pub fn poll<T>(&self, cx: &mut Context<'_>, mut step: impl FnMut(&mut Context<'_>) -> Poll<T>) -> Poll<T> {
        self.relay.follow(cx.waker());
        for _ in 0..ROUNDS {
            let (waker, relay) = (&self.waker, &self.relay);
            let inner = &mut Context::from_waker(waker);
            let result = relay.within(|| {
                self.connection.poll(inner);
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
    pub fn poll_after<T>(&self, cx: &mut Context<'_>, mut step: impl FnMut(&mut Context<'_>) -> Poll<T>) -> Poll<T> {
        let first = self.relay.within(|| step(&mut Context::from_waker(&self.waker)));
        if first.is_ready() { first } else { self.poll(cx, step) }
    }

    /// Nobody has a request for it now: what it has to say is looked at later, or by its task.
    pub fn rest(&self) {
        if self.is_detached() {
            return;
        }
        match &*self.connection.task.borrow() {
            Some(task) => {
                self.connection.detached.set(true);
                self.relay.follow(task);
            }
            None => self.relay.rest(),
        }
    }

    /// Polls the connection if it has something to say and no task: the endpoint may have closed it.
    pub fn look(&self) {
        if self.relay.is_woken() && !self.is_detached() {
            self.relay.within(|| self.connection.poll(&mut Context::from_waker(&self.waker)));
        }
    }
}

impl Drop for Driver {
    /// Its task, if there is one, has to see the end.
    fn drop(&mut self) {
        if self.connection.has_task.get() {
            self.detach();
        }
    }
}

impl Connection {
    fn poll(&self, cx: &mut Context<'_>) {
        let mut polled = self.polled.borrow_mut();
        let Some(connection) = &mut *polled else { return };
        if let Poll::Ready(result) = connection.as_mut().poll(cx) {
            *polled = None;
            log_end(result);
        }
    }

    fn poll_in_task(&self, cx: &mut Context<'_>) -> Poll<()> {
        // It never changes: a task has one waker.
        self.task.borrow_mut().get_or_insert_with(|| cx.waker().clone());
        if self.detached.get() {
            // Not by way of the relay, which nobody needs as long as the task polls.
            self.poll(cx);
        }
        if self.polled.borrow().is_none() { Poll::Ready(()) } else { Poll::Pending }
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
