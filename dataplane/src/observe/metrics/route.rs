//! The series of one route.

use std::{
    collections::BTreeMap,
    num::NonZeroUsize,
    sync::{Arc, OnceLock},
};

use super::{
    histogram::{Sizes, Times, Totals, Unit},
    shard::Sharded,
};
use crate::observe::Record;

pub(super) const REQUESTS_HELP: &str = "The total number of client requests";

/// The labels of a route's series. All empty for requests that no route matched.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct RouteLabels {
    /// The host as the rule has it, so that a wildcard is one series whatever clients ask for.
    pub host: Arc<str>,
    /// The path as the rule has it.
    pub path: Arc<str>,
    /// The namespace of the Ingress.
    pub namespace: Arc<str>,
    /// The name of the Ingress.
    pub ingress: Arc<str>,
    /// The name of the backend's Service.
    pub service: Arc<str>,
}

/// Counts the requests of one route.
#[derive(Debug)]
pub struct RouteMetrics {
    pub(super) labels: RouteLabels,
    /// The first series of each worker; each knows the next. A route sees few statuses and methods, so that walking
    /// is faster than hashing, and nothing is reserved for those it never sees.
    series: Sharded<OnceLock<Box<Series>>>,
}

/// What a series is told apart by within a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Outcome {
    pub(super) status: u16,
    pub(super) method: &'static str,
}

impl Outcome {
    fn of(record: &Record<'_>) -> Self {
        Self { status: record.status, method: method_label(record.method) }
    }
}

/// The methods of RFC 9110 section 9 and RFC 5789; every other one is counted together, for no client may make series.
fn method_label(method: &str) -> &'static str {
    const KNOWN: [&str; 9] = ["GET", "POST", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS", "CONNECT", "TRACE"];
    KNOWN.into_iter().find(|known| *known == method).unwrap_or("OTHER")
}

#[derive(Debug)]
struct Series {
    outcome: Outcome,
    request_time: Times,
    connect_time: Times,
    header_time: Times,
    response_time: Times,
    request_size: Sizes,
    response_size: Sizes,
    next: OnceLock<Box<Series>>,
}

impl RouteMetrics {
    pub(super) fn new(labels: RouteLabels, workers: NonZeroUsize) -> Self {
        Self { labels, series: Sharded::new(workers) }
    }

    /// Counts a request whose answer has ended. Of several tries the last one is measured.
    pub fn observe(&self, record: &Record<'_>) {
        let series = self.find(Outcome::of(record));
        series.request_time.observe(record.request_time);
        series.request_size.observe(record.request_length);
        series.response_size.observe(record.response_length);
        let Some(last) = record.tries.last() else { return };
        series.response_time.observe(last.response_time);
        if let Some(time) = last.connect_time {
            series.connect_time.observe(time);
        }
        if let Some(time) = last.header_time {
            series.header_time.observe(time);
        }
    }

    fn find(&self, outcome: Outcome) -> &Series {
        let mut place = self.series.here();
        loop {
            let series = place.get_or_init(|| Box::new(Series::new(outcome)));
            if series.outcome == outcome {
                return series;
            }
            place = &series.next;
        }
    }

    /// What all workers counted.
    pub(super) fn totals(&self) -> BTreeMap<Outcome, RouteTotals> {
        let mut totals: BTreeMap<Outcome, RouteTotals> = BTreeMap::new();
        for first in self.series.iter() {
            let mut next = first.get();
            while let Some(series) = next {
                series.add_to(totals.entry(series.outcome).or_default());
                next = series.next.get();
            }
        }
        totals
    }
}

impl Series {
    fn new(outcome: Outcome) -> Self {
        Self {
            outcome,
            request_time: Times::default(),
            connect_time: Times::default(),
            header_time: Times::default(),
            response_time: Times::default(),
            request_size: Sizes::default(),
            response_size: Sizes::default(),
            next: OnceLock::new(),
        }
    }

    fn add_to(&self, totals: &mut RouteTotals) {
        let RouteTotals([request_time, connect_time, header_time, response_time, request_size, response_size]) = totals;
        self.request_time.add_to(request_time);
        self.connect_time.add_to(connect_time);
        self.header_time.add_to(header_time);
        self.response_time.add_to(response_time);
        self.request_size.add_to(request_size);
        self.response_size.add_to(response_size);
    }
}

/// The histograms of an outcome, in the order of [`HISTOGRAMS`].
#[derive(Debug, Default)]
pub(super) struct RouteTotals(pub(super) [Totals; 6]);

impl RouteTotals {
    /// Every request has a duration, so that their number needs no counter of its own.
    pub(super) fn requests(&self) -> u64 {
        let Self([request_time, ..]) = self;
        request_time.count()
    }
}

/// Name, help and unit.
pub(super) const HISTOGRAMS: [(&str, &str, Unit); 6] = [
    (
        "nginx_ingress_controller_request_duration_seconds",
        "How long requests took, from first byte to last",
        Unit::Time,
    ),
    (
        "nginx_ingress_controller_connect_duration_seconds",
        "The time spent on establishing a connection with the upstream server",
        Unit::Time,
    ),
    (
        "nginx_ingress_controller_header_duration_seconds",
        "The time spent on receiving first header from the upstream server",
        Unit::Time,
    ),
    (
        "nginx_ingress_controller_response_duration_seconds",
        "The time spent on receiving the response from the upstream server",
        Unit::Time,
    ),
    ("nginx_ingress_controller_request_size", "Bytes of requests: line, header and body", Unit::Size),
    ("nginx_ingress_controller_response_size", "Bytes of responses: line, header and body", Unit::Size),
];
