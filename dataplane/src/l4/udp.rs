//! UDP that is handed on: what one client address sends is a session with one endpoint, whose replies go back.

mod session;
mod socket;

use std::{
    cell::RefCell,
    future::Future,
    net::{IpAddr, SocketAddr},
    pin::pin,
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use ahash::AHashMap;
use snapshot::UdpService;
use tokio::time::sleep;

use super::LiveBackend;
use crate::observe::{Dropped, Seldom, StreamMetrics, StreamRecord};
use session::Session;
pub use socket::Datagrams;
use socket::Inbox;

/// How often a socket is read before the other tasks of the worker get their turn.
const ROUNDS: usize = 8;

/// How long nothing is received after receiving failed.
const PAUSE: Duration = Duration::from_millis(100);

/// A UDP service that is served.
#[derive(Debug)]
pub struct LiveUdp {
    /// What it was built from.
    pub source: Arc<UdpService>,
    /// Where datagrams go.
    pub backend: LiveBackend,
    /// Its counters.
    pub metrics: Arc<StreamMetrics>,
}

/// The worker that a socket is served on.
pub trait Host: 'static {
    /// What a session has while it goes on.
    type Place: 'static;

    /// The service as it is now; none where it is not served any more.
    fn live(&self) -> Option<Arc<LiveUdp>>;

    /// Room for a session; none where there is none.
    fn place(&self) -> Option<Self::Place>;

    /// A session has ended.
    fn ended(&self, record: &StreamRecord);

    /// Waits until sessions are to end.
    fn drained(&self) -> impl Future<Output = ()>;
}

/// Whose a session is: the client, and the address of ours that it sends to, from which it wants the replies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Key {
    client: SocketAddr,
    to: Option<IpAddr>,
}

/// One socket and its sessions.
struct Server<H> {
    host: H,
    socket: Datagrams,
    sessions: RefCell<AHashMap<Key, Rc<Session>>>,
    /// No socket could be had for a session.
    failures: Seldom,
    /// There were as many sessions as there may be.
    full: Seldom,
}

/// Serves a socket until `stop`, which says whether sessions may go on: they end with the worker then. What has come by
/// that time is served.
pub async fn serve_datagrams<H: Host>(socket: Datagrams, host: H, stop: impl Future<Output = bool>) {
    let (failures, full) = Default::default();
    let server = Rc::new(Server { host, socket, sessions: RefCell::default(), failures, full });
    let mut stop = pin!(stop);
    let go_on = loop {
        tokio::select! {
            ready = server.socket.readable() => {
                if let Err(error) = ready.and_then(|()| server.receive()) {
                    tracing::warn!(%error, "cannot receive datagrams");
                    sleep(PAUSE).await;
                }
            }
            go_on = &mut stop => break go_on,
        }
    };
    if let Err(error) = server.receive() {
        tracing::warn!(%error, "datagrams that waited to be received may be lost");
    }
    if !go_on {
        // As long as a session holds the socket the port is taken.
        server.sessions.borrow_mut().drain().for_each(|(_, session)| session.close());
    }
}

impl<H: Host> Server<H> {
    /// Takes what is there.
    fn receive(self: &Rc<Self>) -> std::io::Result<()> {
        let mut inbox = Inbox::new();
        let live = self.host.live();
        for _ in 0..ROUNDS {
            if !self.socket.receive(&mut inbox)? {
                break;
            }
            let Some(live) = &live else { continue };
            inbox.each(|key, datagram| self.hand_on(live, key, datagram));
        }
        Ok(())
    }

    fn hand_on(self: &Rc<Self>, live: &Arc<LiveUdp>, key: Key, datagram: &[u8]) {
        let session = match self.find(live, key).map_or_else(|| self.begin(live, key), Ok) {
            Ok(session) => session,
            Err(why) => return live.metrics.dropped(why),
        };
        if let Err(error) = session.send(datagram) {
            tracing::debug!(client = %key.client, %error, "a datagram is lost");
            live.metrics.dropped(Dropped::Unsent);
        }
    }

    /// The client's session. One that leads elsewhere than the service does now has come to its end.
    fn find(&self, live: &Arc<LiveUdp>, key: Key) -> Option<Rc<Session>> {
        let session = self.sessions.borrow().get(&key).cloned()?;
        if session.is_of(live) {
            return Some(session);
        }
        self.forget(&session);
        session.close();
        None
    }

    fn begin(self: &Rc<Self>, live: &Arc<LiveUdp>, key: Key) -> Result<Rc<Session>, Dropped> {
        let endpoint = live.backend.pick().ok_or(Dropped::NoEndpoint)?;
        let place = self.host.place().ok_or_else(|| {
            if let Some(datagrams) = self.full.say() {
                tracing::warn!(datagrams, "no room for a UDP session");
            }
            Dropped::Full
        })?;
        let session = Session::new(Arc::clone(live), key, endpoint).map_err(|error| {
            if let Some(datagrams) = self.failures.say() {
                tracing::warn!(%endpoint, %error, datagrams, "no socket for a UDP session");
            }
            Dropped::Full
        })?;
        let session = Rc::new(session);
        self.sessions.borrow_mut().insert(key, Rc::clone(&session));
        let (server, own) = (Rc::clone(self), Rc::clone(&session));
        tokio::task::spawn_local(async move {
            let record = own.run(&server.socket, server.host.drained()).await;
            server.forget(&own);
            server.host.ended(&record);
            drop(place);
        });
        Ok(session)
    }

    /// Its client's next datagram begins another session.
    fn forget(&self, session: &Rc<Session>) {
        let mut sessions = self.sessions.borrow_mut();
        if sessions.get(&session.key).is_some_and(|current| Rc::ptr_eq(current, session)) {
            sessions.remove(&session.key);
        }
    }
}
