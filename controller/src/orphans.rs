//! `nginx_ingress_controller_orphan_ingress`: Ingresses whose requests have nowhere to go.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
};

use compile::{Problem, Reason};
use prometheus::{
    IntGaugeVec, Opts,
    core::{Collector, Desc},
    proto::MetricFamily,
};
use snapshot::{Action, Origin, Route, Snapshot, Target};
use tokio::sync::watch;

use crate::board::{Board, lock};

/// Worked out on each scrape from what is published.
pub(crate) struct Orphans {
    snapshots: watch::Receiver<Option<Arc<Snapshot>>>,
    board: Arc<Board>,
    /// Locked for a scrape: the series of another one must not be reset under it.
    gauge: Mutex<IntGaugeVec>,
    desc: Vec<Desc>,
}

impl Orphans {
    pub(crate) fn new(
        snapshots: watch::Receiver<Option<Arc<Snapshot>>>,
        board: Arc<Board>,
    ) -> prometheus::Result<Self> {
        let options = Opts::new(
            "nginx_ingress_controller_orphan_ingress",
            "1 for an Ingress one of whose backends is a missing Service (no-service) or has no endpoint (no-endpoint)",
        );
        let gauge = IntGaugeVec::new(options, &["namespace", "ingress", "type"])?;
        let desc = gauge.desc().into_iter().cloned().collect();
        Ok(Self { snapshots, board, gauge: Mutex::new(gauge), desc })
    }
}

impl Collector for Orphans {
    fn desc(&self) -> Vec<&Desc> {
        self.desc.iter().collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let gauge = lock(&self.gauge);
        gauge.reset();
        let snapshot = self.snapshots.borrow().clone();
        for origin in snapshot.iter().flat_map(|snapshot| without_endpoint(snapshot)) {
            gauge.with_label_values(&[&origin.namespace, &origin.name, "no-endpoint"]).set(1);
        }
        for origin in self.board.problems().borrow().iter().filter_map(without_service) {
            gauge.with_label_values(&[&origin.namespace, &origin.name, "no-service"]).set(1);
        }
        gauge.collect()
    }
}

fn without_endpoint(snapshot: &Snapshot) -> BTreeSet<&Arc<Origin>> {
    snapshot
        .tables
        .values()
        .flat_map(|table| &table.routes)
        .filter(|route| &*route.origin.kind == "Ingress" && has_no_endpoint(snapshot, route))
        .map(|route| &route.origin)
        .collect()
}

fn has_no_endpoint(snapshot: &Snapshot, route: &Route) -> bool {
    let Action::Forward(forward) = &route.then else { return false };
    let Some(upstream) = snapshot.upstreams.get(&forward.upstream) else { return false };
    let Target::Endpoints(port) = &upstream.target else { return false };
    snapshot.endpoints.get(port).is_none_or(|set| set.endpoints.is_empty())
}

fn without_service(problem: &Problem) -> Option<&Origin> {
    (problem.reason == Reason::ServiceNotFound && &*problem.object.kind == "Ingress").then_some(&*problem.object)
}
