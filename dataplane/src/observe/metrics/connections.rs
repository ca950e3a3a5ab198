//! Client connections, as nginx's status page counts them
//! (<https://nginx.org/en/docs/http/ngx_http_stub_status_module.html>).

use std::{
    cell::Cell,
    num::NonZeroUsize,
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
};

use prometheus::proto::{LabelPair, Metric, MetricFamily, MetricType};

use super::{
    certificate_refusals::CertificateRefusals,
    family::{counter, family, float, gauge, labels},
    shard::Sharded,
};

/// What a connection is busy with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnectionState {
    /// A request's head is being read.
    Reading,
    /// A request is served.
    Writing,
    /// Nothing: it is kept alive.
    Waiting,
}

/// Why a connection was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// Every worker has as many connections as it may have.
    Full,
    /// The client has as many connections as it may have.
    Client,
    /// It should begin with a PROXY header, and comes from somebody whose headers are not believed.
    ProxyUntrusted,
    /// It does not begin with a PROXY header, though it should.
    ProxyMissing,
    /// Its PROXY header breaks the rules.
    ProxyMalformed,
    /// Its PROXY header did not come in time.
    ProxyLate,
}

impl Refused {
    const ALL: [Self; 6] =
        [Self::Full, Self::Client, Self::ProxyUntrusted, Self::ProxyMissing, Self::ProxyMalformed, Self::ProxyLate];

    fn as_str(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Client => "client",
            Self::ProxyUntrusted => "proxy-untrusted",
            Self::ProxyMissing => "proxy-missing",
            Self::ProxyMalformed => "proxy-malformed",
            Self::ProxyLate => "proxy-late",
        }
    }
}

/// Counts client connections and requests.
#[derive(Debug)]
pub struct Connections {
    counts: Sharded<Counts>,
    /// Counts requests that are refused on account of their client's certificate.
    pub certificates: CertificateRefusals,
}

/// One worker's part, on cache lines of its own. A connection may end on another worker than it began on, so that a
/// part can be below zero; the sum is right.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Counts {
    accepted: AtomicU64,
    handled: AtomicU64,
    handed_over: AtomicU64,
    /// In the order of [`Refused::ALL`].
    refused: [AtomicU64; Refused::ALL.len()],
    pauses: AtomicU64,
    requests: AtomicU64,
    reading: AtomicI64,
    writing: AtomicI64,
    waiting: AtomicI64,
}

impl Counts {
    fn of(&self, state: ConnectionState) -> &AtomicI64 {
        match state {
            ConnectionState::Reading => &self.reading,
            ConnectionState::Writing => &self.writing,
            ConnectionState::Waiting => &self.waiting,
        }
    }
}

impl Connections {
    pub(super) fn new(workers: NonZeroUsize) -> Self {
        Self { counts: Sharded::new(workers), certificates: CertificateRefusals::new(workers) }
    }

    /// A connection was accepted, whether or not it can be served.
    pub fn accepted(&self) {
        self.counts.here().accepted.fetch_add(1, Ordering::Relaxed);
    }

    /// A connection was given to a worker that has fewer.
    pub fn handed_over(&self) {
        self.counts.here().handed_over.fetch_add(1, Ordering::Relaxed);
    }

    /// A connection was closed without being served.
    pub fn refused(&self, why: Refused) {
        let mut counts = Refused::ALL.iter().zip(&self.counts.here().refused);
        if let Some((_, count)) = counts.find(|(one, _)| **one == why) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Nothing is accepted for a while: open files or memory have run out.
    pub fn paused(&self) {
        self.counts.here().pauses.fetch_add(1, Ordering::Relaxed);
    }

    /// A connection is served until what is returned is dropped. It begins as [`ConnectionState::Reading`].
    pub fn open(self: &Arc<Self>) -> OpenConnection {
        let counts = self.counts.here();
        counts.handled.fetch_add(1, Ordering::Relaxed);
        counts.reading.fetch_add(1, Ordering::Relaxed);
        OpenConnection {
            connections: Arc::clone(self),
            state: Cell::new(ConnectionState::Reading),
            requests: Cell::new(0),
        }
    }

    /// A request has begun.
    pub fn request(&self) {
        self.counts.here().requests.fetch_add(1, Ordering::Relaxed);
    }

    /// How many connections are in a state now.
    pub fn now(&self, state: ConnectionState) -> u64 {
        let sum: i64 = self.counts.iter().map(|counts| counts.of(state).load(Ordering::Relaxed)).sum();
        u64::try_from(sum).unwrap_or(0)
    }

    fn refusals(&self, why: Refused) -> f64 {
        let of_worker = |counts: &Counts| -> u64 {
            let matching = Refused::ALL.iter().zip(&counts.refused).filter(|(one, _)| **one == why);
            matching.map(|(_, count)| count.load(Ordering::Relaxed)).sum()
        };
        float(self.counts.iter().map(of_worker).sum())
    }

    fn total(&self, counter: impl Fn(&Counts) -> &AtomicU64) -> f64 {
        float(self.counts.iter().map(|counts| counter(counts).load(Ordering::Relaxed)).sum())
    }

    pub(super) fn collect(&self, common: &[LabelPair]) -> [MetricFamily; 6] {
        let [reading, writing, waiting] =
            [ConnectionState::Reading, ConnectionState::Writing, ConnectionState::Waiting].map(|state| self.now(state));
        let now =
            [("active", reading + writing + waiting), ("reading", reading), ("writing", writing), ("waiting", waiting)];
        let total = [("accepted", self.total(|c| &c.accepted)), ("handled", self.total(|c| &c.handled))];
        let refused = Refused::ALL.map(|why| counter(labels(common, &[("reason", why.as_str())]), self.refusals(why)));
        let with_state = |state| labels(common, &[("state", state)]);
        let now: Vec<Metric> = now.map(|(state, value)| gauge(with_state(state), float(value))).into();
        let total: Vec<Metric> = total.map(|(state, value)| counter(with_state(state), value)).into();
        let one = |value| vec![counter(common.to_vec(), value)];
        let requests = one(self.total(|c| &c.requests));
        [
            family(
                "nginx_ingress_controller_nginx_process_connections",
                "current number of client connections with state {active, reading, writing, waiting}",
                MetricType::GAUGE,
                now,
            ),
            family(
                "nginx_ingress_controller_nginx_process_connections_total",
                "total number of connections with state {accepted, handled}",
                MetricType::COUNTER,
                total,
            ),
            family(
                "nginx_ingress_controller_nginx_process_requests_total",
                "total number of client requests",
                MetricType::COUNTER,
                requests,
            ),
            family(
                "tidegate_connections_handed_over_total",
                "Client connections that one worker accepted and another one, which had fewer, serves",
                MetricType::COUNTER,
                one(self.total(|c| &c.handed_over)),
            ),
            family(
                "tidegate_connections_refused_total",
                "Client connections that were closed unserved: every worker was full, the client had its share, or the PROXY \
                 header was not as it should",
                MetricType::COUNTER,
                refused.into(),
            ),
            family(
                "tidegate_accept_pauses_total",
                "How often accepting paused because open files or memory had run out",
                MetricType::COUNTER,
                one(self.total(|c| &c.pauses)),
            ),
        ]
    }
}

/// A connection that is served.
#[derive(Debug)]
pub struct OpenConnection {
    connections: Arc<Connections>,
    state: Cell<ConnectionState>,
    requests: Cell<u32>,
}

impl OpenConnection {
    /// A request is to be answered.
    pub fn begin_request(&self) {
        self.requests.set(self.requests.get().saturating_add(1));
        self.set(ConnectionState::Writing);
    }

    /// A request was answered: where it was the last one, the connection waits.
    pub fn end_request(&self) {
        self.requests.set(self.requests.get().saturating_sub(1));
        if self.requests.get() == 0 {
            self.set(ConnectionState::Waiting);
        }
    }

    fn set(&self, state: ConnectionState) {
        let before = self.state.replace(state);
        if before != state {
            let counts = self.connections.counts.here();
            counts.of(before).fetch_sub(1, Ordering::Relaxed);
            counts.of(state).fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.connections.counts.here().of(self.state.get()).fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_is_in_one_state() {
        let connections = Arc::new(Connections::new(NonZeroUsize::new(2).unwrap()));
        let now = || {
            [ConnectionState::Reading, ConnectionState::Writing, ConnectionState::Waiting].map(|s| connections.now(s))
        };
        connections.accepted();
        let (one, other) = (connections.open(), connections.open());
        assert_eq!(now(), [2, 0, 0]);
        one.begin_request();
        one.begin_request();
        other.begin_request();
        assert_eq!(now(), [0, 2, 0]);
        one.end_request();
        other.end_request();
        assert_eq!(now(), [0, 1, 1]);
        std::thread::spawn(move || drop(one)).join().unwrap();
        drop(other);
        assert_eq!(now(), [0, 0, 0]);
    }
}
