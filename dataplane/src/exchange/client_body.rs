//! A request's body while it comes from the client: what was gathered of it, then the rest.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    pin::Pin,
    rc::Rc,
    sync::Arc,
    task::{Context, Poll, Waker, ready},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Body as _, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep};

use super::{BodyError, Cause, Socket, after};

/// How many bytes of a body that nobody wants are read away.
const DISCARD: u64 = 16 << 20;

/// How long that may take (nginx's `lingering_time`).
const DISCARD_TIME: Duration = Duration::from_secs(30);

/// A request's body as everybody sees it whom it concerns: the upstream connection that sends it on, the step that
/// waits for the answer (an endpoint is only late once it has all of the request), and who reads away what nobody wants.
#[derive(Debug)]
pub struct Upload {
    incoming: RefCell<Incoming>,
    /// Whether the client waits to be told to go on (RFC 9110 section 10.1.1). hyper tells it at the first read.
    waits: Cell<bool>,
    received: Cell<u64>,
    ended: Cell<Option<Instant>>,
    failed: Cell<Option<Cause>>,
    sender: RefCell<Option<Waker>>,
    socket: Arc<Socket>,
}

impl Upload {
    /// The body of a request; `waits` where the client asked to be told to go on.
    pub fn new(incoming: Incoming, waits: bool, socket: Arc<Socket>) -> Self {
        let ended = if incoming.is_end_stream() { Some(Instant::now()) } else { None };
        Self {
            incoming: RefCell::new(incoming),
            waits: Cell::new(waits),
            received: Cell::new(0),
            ended: Cell::new(ended),
            failed: Cell::new(None),
            sender: RefCell::new(None),
            socket,
        }
    }

    /// Bytes that came from the client.
    pub fn received(&self) -> u64 {
        self.received.get()
    }

    /// When the last byte came; none: it has not.
    pub fn ended(&self) -> Option<Instant> {
        self.ended.get()
    }

    /// Why the body was cut short, if it was.
    pub fn failed(&self) -> Option<Cause> {
        self.failed.get()
    }

    /// The answer is complete: nobody needs what is left of the body.
    pub fn end(self: Rc<Self>) {
        if self.ended().is_some() {
            return self.socket.rest();
        }
        self.failed.set(Some(Cause::BodyBroken));
        if let Some(sender) = self.sender.take() {
            sender.wake();
        }
        // A client that waits to be told to go on has sent nothing; of a stream, the rest is refused by itself.
        if self.waits.get() || self.socket.is_stream() { self.socket.rest() } else { self.discard() }
    }

    /// Reads the rest away, within bounds, before the connection waits for the next request: one that is closed with
    /// bytes unread is reset, and the reset overtakes the answer.
    fn discard(self: Rc<Self>) {
        tokio::task::spawn_local(async move {
            let most = self.received().saturating_add(DISCARD);
            let rest = async {
                while self.received() < most {
                    match std::future::poll_fn(|cx| self.poll_frame(cx)).await {
                        Some(Ok(frame)) => self.count(&frame),
                        Some(Err(_)) | None => break,
                    }
                }
            };
            tokio::time::timeout(DISCARD_TIME, rest).await.ok();
            self.socket.rest();
        });
    }

    fn poll_frame(&self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        self.waits.set(false);
        Pin::new(&mut *self.incoming.borrow_mut()).poll_frame(cx)
    }

    fn count(&self, frame: &Frame<Bytes>) {
        let length = frame.data_ref().map_or(0, |bytes| bytes.len() as u64);
        self.received.set(self.received().saturating_add(length));
        self.socket.used(length);
    }
}

/// A request's body from a client.
#[derive(Debug)]
pub struct ClientBody {
    gathered: VecDeque<Bytes>,
    trailers: Option<http::HeaderMap>,
    upload: Rc<Upload>,
    limit: Option<u64>,
    patience: Duration,
    timer: Option<Pin<Box<Sleep>>>,
    waiting: bool,
}

impl ClientBody {
    /// A body of any size, of whose bytes none may be later than `patience` after the one before.
    pub fn new(upload: Rc<Upload>, patience: Duration) -> Self {
        Self { gathered: VecDeque::new(), trailers: None, upload, limit: None, patience, timer: None, waiting: false }
    }

    /// It may have at most this many bytes.
    pub fn limit(&mut self, limit: u64) {
        self.limit = Some(limit);
    }

    /// What is left of it, where the client said how long it is: all, as long as nothing was read.
    pub fn announced(&self) -> Option<u64> {
        self.size_hint().exact()
    }

    /// How far it has come.
    pub fn upload(&self) -> &Rc<Upload> {
        &self.upload
    }

    /// Reads until the end or until more than `most` bytes are here. All of it, where it ended and no trailers came
    /// with it; else it is kept for [`Self::poll_frame`].
    ///
    /// It waits for what is not here yet, unless the client may be waiting in turn.
    ///
    /// # Errors
    /// The body is broken, late or too large.
    pub async fn gather(&mut self, most: u64, waits: bool) -> Result<Option<Bytes>, BodyError> {
        while self.upload.ended().is_none() && self.upload.received() <= most {
            let next = std::future::poll_fn(|cx| match self.poll_incoming(cx) {
                Poll::Pending if !waits => Poll::Ready(None),
                next => next,
            });
            match next.await.transpose()? {
                Some(frame) => self.keep(frame),
                None => break,
            }
        }
        let complete = self.upload.ended().is_some() && self.trailers.is_none() && self.upload.received() <= most;
        Ok(complete.then(|| self.take_gathered()))
    }

    /// The next piece.
    pub fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if let Some(bytes) = self.gathered.pop_front() {
            return Poll::Ready(Some(Ok(Frame::data(bytes))));
        }
        if let Some(trailers) = self.trailers.take() {
            return Poll::Ready(Some(Ok(Frame::trailers(trailers))));
        }
        if self.upload.ended().is_some() {
            return Poll::Ready(None);
        }
        self.poll_incoming(cx)
    }

    /// Whether nothing is left.
    pub fn is_end_stream(&self) -> bool {
        self.gathered.is_empty() && self.trailers.is_none() && self.upload.ended().is_some()
    }

    /// What is left, as far as it is known.
    pub fn size_hint(&self) -> SizeHint {
        let gathered: u64 = self.gathered.iter().map(|bytes| bytes.len() as u64).sum();
        match self.upload.incoming.borrow().size_hint().exact() {
            Some(rest) => SizeHint::with_exact(gathered.saturating_add(rest)),
            None => SizeHint::default(),
        }
    }

    fn keep(&mut self, frame: Frame<Bytes>) {
        match frame.into_data() {
            Ok(bytes) => self.gathered.push_back(bytes),
            Err(frame) => self.trailers = frame.into_trailers().ok(),
        }
    }

    /// One piece is the common case and is not copied.
    fn take_gathered(&mut self) -> Bytes {
        match self.gathered.len() {
            0 | 1 => self.gathered.pop_front().unwrap_or_default(),
            _ => self.gathered.drain(..).flatten().collect(),
        }
    }

    fn poll_incoming(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if let Some(cause) = self.upload.failed() {
            return Poll::Ready(Some(Err(BodyError(cause))));
        }
        let next = match self.upload.poll_frame(cx) {
            Poll::Ready(next) => next,
            Poll::Pending => {
                self.upload.sender.replace(Some(cx.waker().clone()));
                ready!(self.poll_patience(cx));
                return Poll::Ready(Some(Err(self.fail(Cause::BodyTimeout))));
            }
        };
        self.waiting = false;
        match next {
            None => self.end(),
            Some(Err(_)) => return Poll::Ready(Some(Err(self.fail(Cause::BodyBroken)))),
            Some(Ok(frame)) => return Poll::Ready(Some(self.take(frame))),
        }
        Poll::Ready(None)
    }

    fn take(&mut self, frame: Frame<Bytes>) -> Result<Frame<Bytes>, BodyError> {
        self.upload.count(&frame);
        if self.limit.is_some_and(|limit| self.upload.received() > limit) {
            return Err(self.fail(Cause::BodyTooLarge));
        }
        if self.upload.incoming.borrow().is_end_stream() {
            self.end();
        }
        Ok(frame)
    }

    /// The timer is made when the client is first waited for: most bodies are here with their head.
    fn poll_patience(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let patience = self.patience;
        let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep(patience)));
        if !std::mem::replace(&mut self.waiting, true) {
            timer.as_mut().reset(after(patience));
        }
        timer.as_mut().poll(cx)
    }

    fn end(&self) {
        if self.upload.ended().is_none() {
            self.upload.ended.set(Some(Instant::now()));
        }
    }

    fn fail(&self, cause: Cause) -> BodyError {
        self.upload.failed.set(Some(cause));
        BodyError(cause)
    }
}
