//! TCP and UDP services, and hosts whose TLS is handed on.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicI64, AtomicU64, Ordering::Relaxed},
    },
};

use prometheus::proto::{LabelPair, Metric, MetricFamily, MetricType};

use super::family::{counter, family, float, gauge, labels};
use crate::observe::{StreamProtocol, StreamStatus};

/// What tells two services apart.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct StreamLabels {
    /// TCP or UDP.
    pub protocol: StreamProtocol,
    /// The listener, such as `tcp:9000`.
    pub listener: Arc<str>,
    /// The host whose TLS is handed on; empty for a service with a port of its own.
    pub host: Arc<str>,
    /// The Service's namespace.
    pub namespace: Arc<str>,
    /// The Service's name.
    pub service: Arc<str>,
}

/// Why a datagram was lost here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dropped {
    /// There was no room for another session.
    Full,
    /// There was no endpoint.
    NoEndpoint,
    /// It could not be sent: a queue was full, or it was larger than the network takes.
    Unsent,
}

/// Counts the sessions of one service.
#[derive(Debug, Default)]
pub struct StreamMetrics {
    /// Bytes from clients.
    pub received: AtomicU64,
    /// Bytes to clients.
    pub sent: AtomicU64,
    open: AtomicI64,
    ended: [AtomicU64; StreamStatus::ALL.len()],
    connect_failures: AtomicU64,
    dropped_full: AtomicU64,
    dropped_no_endpoint: AtomicU64,
    dropped_unsent: AtomicU64,
}

impl StreamMetrics {
    /// A session has begun; it goes on until what is returned is dropped.
    pub fn open(self: &Arc<Self>) -> OpenStream {
        self.open.fetch_add(1, Relaxed);
        OpenStream(Arc::clone(self))
    }

    /// A session has ended.
    pub fn ended(&self, status: StreamStatus) {
        let count = StreamStatus::ALL.iter().zip(&self.ended).find(|(one, _)| **one == status);
        if let Some((_, count)) = count {
            count.fetch_add(1, Relaxed);
        }
    }

    /// An endpoint could not be connected to.
    pub fn connect_failed(&self) {
        self.connect_failures.fetch_add(1, Relaxed);
    }

    /// A datagram was lost here.
    pub fn dropped(&self, why: Dropped) {
        let count = match why {
            Dropped::Full => &self.dropped_full,
            Dropped::NoEndpoint => &self.dropped_no_endpoint,
            Dropped::Unsent => &self.dropped_unsent,
        };
        count.fetch_add(1, Relaxed);
    }
}

/// A session that goes on.
#[derive(Debug)]
pub struct OpenStream(Arc<StreamMetrics>);

impl Drop for OpenStream {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Relaxed);
    }
}

/// Knows the services that live, without keeping them alive.
#[derive(Debug, Default)]
pub(super) struct Streams {
    live: Mutex<HashMap<StreamLabels, Weak<StreamMetrics>>>,
}

impl Streams {
    /// The series with these labels: those that there are, where a service is built anew.
    pub(super) fn find(&self, labels: &StreamLabels) -> Arc<StreamMetrics> {
        let mut live = self.live.lock().unwrap_or_else(PoisonError::into_inner);
        live.retain(|_, metrics| metrics.strong_count() > 0);
        if let Some(metrics) = live.get(labels).and_then(Weak::upgrade) {
            return metrics;
        }
        let metrics = Arc::<StreamMetrics>::default();
        live.insert(labels.clone(), Arc::downgrade(&metrics));
        metrics
    }

    pub(super) fn collect(&self, common: &[LabelPair]) -> Vec<MetricFamily> {
        let mut families = Families::default();
        let live: Vec<_> = {
            let live = self.live.lock().unwrap_or_else(PoisonError::into_inner);
            live.iter().filter_map(|(labels, metrics)| Some((labels.clone(), metrics.upgrade()?))).collect()
        };
        for (labels, metrics) in live {
            families.add(common, &labels, &metrics);
        }
        families.into_all()
    }
}

#[derive(Default)]
struct Families {
    open: Vec<Metric>,
    ended: Vec<Metric>,
    bytes: Vec<Metric>,
    connect_failures: Vec<Metric>,
    dropped: Vec<Metric>,
}

impl Families {
    fn add(&mut self, common: &[LabelPair], own: &StreamLabels, metrics: &StreamMetrics) {
        let protocol = own.protocol.as_str().to_ascii_lowercase();
        let with = |more: Option<(&str, &str)>| {
            let mut all = vec![
                ("protocol", protocol.as_str()),
                ("listener", &*own.listener),
                ("host", &*own.host),
                ("namespace", &*own.namespace),
                ("service", &*own.service),
            ];
            all.extend(more);
            labels(common, &all)
        };
        let value = |count: &AtomicU64| float(count.load(Relaxed));
        let open = u64::try_from(metrics.open.load(Relaxed)).unwrap_or(0);
        self.open.push(gauge(with(None), float(open)));
        for (status, count) in StreamStatus::ALL.iter().zip(&metrics.ended) {
            self.ended.push(counter(with(Some(("status", &status.code().to_string()))), value(count)));
        }
        for (direction, count) in [("received", &metrics.received), ("sent", &metrics.sent)] {
            self.bytes.push(counter(with(Some(("direction", direction))), value(count)));
        }
        match own.protocol {
            StreamProtocol::Tcp => self.connect_failures.push(counter(with(None), value(&metrics.connect_failures))),
            StreamProtocol::Udp => {
                for (reason, count) in [
                    ("full", &metrics.dropped_full),
                    ("no-endpoint", &metrics.dropped_no_endpoint),
                    ("unsent", &metrics.dropped_unsent),
                ] {
                    self.dropped.push(counter(with(Some(("reason", reason))), value(count)));
                }
            }
        }
    }

    fn into_all(self) -> Vec<MetricFamily> {
        let all = [
            ("tidegate_stream_sessions", "Sessions of TCP and UDP services that go on", MetricType::GAUGE, self.open),
            (
                "tidegate_stream_sessions_total",
                "Sessions of TCP and UDP services that have ended: 200 served, 502 no endpoint took it, 503 there was none",
                MetricType::COUNTER,
                self.ended,
            ),
            (
                "tidegate_stream_bytes_total",
                "Bytes received from clients of TCP and UDP services, and sent to them",
                MetricType::COUNTER,
                self.bytes,
            ),
            (
                "tidegate_stream_connect_failures_total",
                "Endpoints of TCP services that could not be connected to",
                MetricType::COUNTER,
                self.connect_failures,
            ),
            (
                "tidegate_stream_datagrams_dropped_total",
                "Datagrams of UDP services that were lost here: no room for a session, no endpoint, or not to be sent",
                MetricType::COUNTER,
                self.dropped,
            ),
        ];
        let families = all.into_iter().filter(|(.., metrics)| !metrics.is_empty());
        families.map(|(name, help, kind, metrics)| family(name, help, kind, metrics)).collect()
    }
}
