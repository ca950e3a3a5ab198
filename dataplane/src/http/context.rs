//! What all connections of one worker share.

use std::{
    cell::{Cell, RefCell},
    hash::{BuildHasher, RandomState},
    net::IpAddr,
    rc::Rc,
    sync::Arc,
};

use arc_swap::{ArcSwap, Cache};
use http::HeaderValue;
use snapshot::{ConnectionLimits, ListenerId};
use tokio::sync::Notify;

use super::{
    clients::Seen,
    crew::{Place, Post},
    sessions::Sessions,
};
use crate::{
    exchange::Sink,
    observe::{Connections, Refused},
    runtime::{LiveListener, Runtime, TcpListener, UdpListener},
    upstream::Pool,
};

/// One worker's state. Nothing here is shared with another thread but what the live tables hold.
pub struct Context {
    live: RefCell<Cache<Arc<ArcSwap<Runtime>>, Arc<Runtime>>>,
    /// Idle upstream connections.
    pub pool: Rc<Pool>,
    /// Where finished requests go.
    pub sink: Rc<Sink>,
    /// Counts client connections.
    pub gauges: Arc<Connections>,
    random: Cell<u64>,
    leaving: Cell<bool>,
    draining: Cell<bool>,
    /// Wakes the connections when a drain begins.
    pub drain: Notify,
    /// The connections whose bytes are handed on.
    pub sessions: Sessions,
    /// This worker among the others.
    pub post: Post,
}

impl Context {
    /// A worker that serves what `live` holds.
    pub fn new(live: Arc<ArcSwap<Runtime>>, sink: Sink, gauges: Arc<Connections>, post: Post) -> Self {
        Self {
            live: RefCell::new(Cache::new(live)),
            pool: Rc::new(Pool::default()),
            sink: Rc::new(sink),
            gauges,
            // Keyed at random by the standard library; zero would be a fixed point of the generator.
            random: Cell::new(RandomState::new().hash_one(0u8) | 1),
            leaving: Cell::new(false),
            draining: Cell::new(false),
            drain: Notify::new(),
            sessions: Sessions::default(),
            post,
        }
    }

    /// A listener of HTTP as it is served now; none where it is not served any more.
    pub fn listener(&self, id: &ListenerId) -> Option<Arc<LiveListener>> {
        self.live.borrow_mut().load().listeners.get(id).cloned()
    }

    /// A port of TCP services as it is served now.
    pub fn tcp(&self, id: &ListenerId) -> Option<Arc<TcpListener>> {
        self.live.borrow_mut().load().tcp.get(id).cloned()
    }

    /// A UDP service as it is served now.
    pub fn udp(&self, id: &ListenerId) -> Option<Arc<UdpListener>> {
        self.live.borrow_mut().load().udp.get(id).cloned()
    }

    /// How many connections there may be.
    pub fn connection_limits(&self) -> ConnectionLimits {
        self.live.borrow_mut().load().connections
    }

    /// Counts a connection of a client; none where clients are not counted.
    ///
    /// # Errors
    /// The client has as many as it may have.
    pub fn enter(&self, client: IpAddr) -> Result<Option<Seen>, Refused> {
        let Some(most) = self.connection_limits().per_client else { return Ok(None) };
        self.post.crew().clients.enter(client, most).map(Some).ok_or(Refused::Client)
    }

    /// Lets go of live tables that were replaced, so that an idle worker does not keep them.
    pub fn refresh(&self) {
        self.live.borrow_mut().load();
    }

    /// A new request id: 32 hexadecimal digits, as nginx makes them. They name requests and protect nothing.
    pub fn request_id(&self) -> HeaderValue {
        let random = (u128::from(self.next_random()) << 64) | u128::from(self.next_random());
        HeaderValue::from_bytes(&hexadecimal(random)).unwrap_or(HeaderValue::from_static("-"))
    }

    /// From now on each answer says that its connection ends. Clients then go elsewhere by themselves, and few of their
    /// connections are left to be closed under a request that is on its way.
    pub fn begin_leave(&self) {
        self.leaving.set(true);
    }

    /// Whether answers are to say that their connection ends.
    pub fn is_leaving(&self) -> bool {
        self.leaving.get()
    }

    /// From now on connections end with the request they are at.
    pub fn begin_drain(&self) {
        self.leaving.set(true);
        self.draining.set(true);
        self.drain.notify_waiters();
        self.pool.clear();
    }

    /// Whether connections are to end.
    pub fn is_draining(&self) -> bool {
        self.draining.get()
    }

    /// xorshift64* (Vigna, "An experimental exploration of Marsaglia's xorshift generators, scrambled").
    fn next_random(&self) -> u64 {
        let mut x = self.random.get();
        x ^= x >> 12;
        x ^= x << 25;
        x ^= x >> 27;
        self.random.set(x);
        x.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }
}

/// All digits, in lower case. Each request that brings no id pays for it, and formatting machinery costs ten times this.
fn hexadecimal(number: u128) -> [u8; 32] {
    let mut left = number;
    let mut digits = [0; 32];
    for digit in digits.iter_mut().rev() {
        let nibble = u8::try_from(left & 15).unwrap_or_default();
        *digit = if nibble < 10 { b'0' + nibble } else { b'a' + (nibble - 10) };
        left >>= 4;
    }
    digits
}

/// A client connection that the worker has to wait for when it leaves.
pub struct Guest {
    context: Rc<Context>,
    _seen: Option<Seen>,
    // After what is counted elsewhere: who sees no connection here may take it that all is done.
    _place: Place,
}

impl Guest {
    /// One that was accepted, and has a place with this worker.
    pub fn enter(context: &Rc<Context>, place: Place, seen: Option<Seen>) -> Self {
        Self { context: Rc::clone(context), _seen: seen, _place: place }
    }

    /// The worker.
    pub fn context(&self) -> &Rc<Context> {
        &self.context
    }

    /// From now on the connection counts as one of this client.
    pub fn is_of(&mut self, seen: Option<Seen>) {
        self._seen = seen;
    }
}

#[cfg(test)]
mod tests {
    use super::hexadecimal;

    #[test]
    fn ids_have_all_their_digits() {
        assert_eq!(&hexadecimal(0xabc), b"00000000000000000000000000000abc");
        for number in [0, 0x0123_4567_89ab_cdef_u128 << 60, u128::MAX] {
            assert_eq!(hexadecimal(number).as_slice(), format!("{number:032x}").as_bytes());
        }
    }
}
