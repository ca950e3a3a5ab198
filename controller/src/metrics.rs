//! Metrics of the controller. What ingress-nginx has a name for keeps it.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use compile::{Problem, Severity};
use prometheus::{
    Histogram, HistogramOpts, IntCounterVec, IntGaugeVec, Opts, Registry,
    core::{Collector, Desc},
    proto::MetricFamily,
};

use crate::{
    Error,
    board::{Board, lock},
    orphans::Orphans,
    publish::Snapshots,
};

/// Handles of what is counted along the way. The rest is worked out when somebody asks.
#[derive(Clone)]
pub(crate) struct Metrics {
    /// How long compiles took.
    pub(crate) compile_seconds: Histogram,
    synced: IntGaugeVec,
    writes: IntCounterVec,
    leader: IntGaugeVec,
}

impl Metrics {
    /// Registers everything, under constant labels.
    pub(crate) fn new(
        labels: HashMap<String, String>,
        board: &Arc<Board>,
        snapshots: &Snapshots,
    ) -> Result<(Self, Registry), Error> {
        build(labels, board, snapshots).map_err(|error| Error::Metrics(error.to_string()))
    }

    /// Whether the first list of a kind is complete.
    pub(crate) fn synced(&self, kind: &str, synced: bool) {
        self.synced.with_label_values(&[kind]).set(synced.into());
    }

    /// Whether we are the leader by this Lease.
    pub(crate) fn leads(&self, lease: &str, leads: bool) {
        self.leader.with_label_values(&[lease]).set(leads.into());
    }

    /// Counts an attempt to write to the API: `what` is `status` or `event`.
    pub(crate) fn wrote(&self, what: &str, success: bool) {
        self.writes.with_label_values(&[what, if success { "success" } else { "error" }]).inc();
    }
}

fn build(
    labels: HashMap<String, String>,
    board: &Arc<Board>,
    snapshots: &Snapshots,
) -> prometheus::Result<(Metrics, Registry)> {
    let registry = Registry::new_custom(None, (!labels.is_empty()).then_some(labels))?;
    let compile_seconds = Histogram::with_opts(
        HistogramOpts::new("tidegate_compile_seconds", "Seconds that compiling all objects into a snapshot took")
            .buckets(vec![0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0]),
    )?;
    let synced = IntGaugeVec::new(
        Opts::new("tidegate_source_synced", "1 once the first list of a kind is complete, else 0"),
        &["kind"],
    )?;
    let writes = IntCounterVec::new(
        Opts::new("tidegate_api_writes_total", "Statuses and events written to the Kubernetes API, by result"),
        &["what", "result"],
    )?;
    let leader = IntGaugeVec::new(
        Opts::new(
            "nginx_ingress_controller_leader_election_status",
            "1 on the leader, else 0; name is that of the Lease, and without an election there is no series",
        ),
        &["name"],
    )?;
    registry.register(Box::new(leader.clone()))?;
    registry.register(Box::new(compile_seconds.clone()))?;
    registry.register(Box::new(synced.clone()))?;
    registry.register(Box::new(writes.clone()))?;
    registry.register(Box::new(Problems::new(Arc::clone(board))?))?;
    registry.register(Box::new(Orphans::new(snapshots.subscribe(), Arc::clone(board))?))?;
    Ok((Metrics { compile_seconds, synced, writes, leader }, registry))
}

/// `tidegate_problems`, counted on each scrape, so that a solved kind of problem leaves no series behind.
struct Problems {
    board: Arc<Board>,
    /// Locked for a scrape: two at the same time would count everything twice.
    gauge: Mutex<IntGaugeVec>,
    desc: Vec<Desc>,
}

impl Problems {
    fn new(board: Arc<Board>) -> prometheus::Result<Self> {
        let options = Opts::new("tidegate_problems", "Problems of objects that stand now");
        let gauge = IntGaugeVec::new(options, &["severity", "reason"])?;
        let desc = gauge.desc().into_iter().cloned().collect();
        Ok(Self { board, gauge: Mutex::new(gauge), desc })
    }
}

impl Collector for Problems {
    fn desc(&self) -> Vec<&Desc> {
        self.desc.iter().collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let gauge = lock(&self.gauge);
        gauge.reset();
        for problem in self.board.problems().borrow().iter() {
            gauge.with_label_values(&[severity(problem), problem.reason.as_str()]).inc();
        }
        gauge.collect()
    }
}

fn severity(problem: &Problem) -> &'static str {
    match problem.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}
