//! The series of all routes.

use std::{
    collections::HashMap,
    num::NonZeroUsize,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use prometheus::proto::{LabelPair, Metric, MetricFamily, MetricType};

use super::{
    family::{counter, family, float, histogram, labels},
    route::{HISTOGRAMS, Outcome, REQUESTS_HELP, RouteLabels, RouteMetrics, RouteTotals},
};

/// Room before dead entries are looked for.
const ROOM: usize = 64;

/// Knows the routes that live, without keeping them alive.
#[derive(Debug)]
pub(super) struct Routes {
    per_host: bool,
    workers: NonZeroUsize,
    live: Mutex<HashMap<RouteLabels, Weak<RouteMetrics>>>,
}

impl Routes {
    pub(super) fn new(per_host: bool, workers: NonZeroUsize) -> Self {
        Self { per_host, workers, live: Mutex::default() }
    }

    /// The series with these labels.
    pub(super) fn find(&self, labels: &RouteLabels) -> Arc<RouteMetrics> {
        let mut key = labels.clone();
        if !self.per_host {
            key.host = Arc::default();
        }
        let mut live = self.lock();
        if let Some(route) = live.get(&key).and_then(Weak::upgrade) {
            return route;
        }
        // Only when the map would grow anyway, so that the work is spread over many insertions.
        if live.len() == live.capacity() {
            live.retain(|_, route| route.strong_count() > 0);
            let room = live.len().max(ROOM);
            live.reserve(room);
        }
        let route = Arc::new(RouteMetrics::new(key.clone(), self.workers));
        live.insert(key, Arc::downgrade(&route));
        route
    }

    pub(super) fn collect(&self, common: &[LabelPair]) -> Vec<MetricFamily> {
        let mut requests = Vec::new();
        let mut histograms: [Vec<Metric>; HISTOGRAMS.len()] = Default::default();
        for route in self.routes() {
            for (outcome, totals) in route.totals() {
                let labels = self.labels(common, &route.labels, outcome);
                requests.push(counter(labels.clone(), float(totals.requests())));
                collect_histograms(&mut histograms, &labels, &totals);
            }
        }
        let mut families =
            vec![family("nginx_ingress_controller_requests", REQUESTS_HELP, MetricType::COUNTER, requests)];
        families.extend(
            HISTOGRAMS
                .iter()
                .zip(histograms)
                .map(|((name, help, _), metrics)| family(name, help, MetricType::HISTOGRAM, metrics)),
        );
        families
    }

    /// Those that live, so that the lock is not held while they are read.
    fn routes(&self) -> Vec<Arc<RouteMetrics>> {
        let mut live = self.lock();
        live.retain(|_, route| route.strong_count() > 0);
        live.values().filter_map(Weak::upgrade).collect()
    }

    fn labels(&self, common: &[LabelPair], route: &RouteLabels, outcome: Outcome) -> Vec<LabelPair> {
        let status = outcome.status.to_string();
        let RouteLabels { host, path, namespace, ingress, service } = route;
        let mut own = vec![
            ("canary", ""),
            ("ingress", &**ingress),
            ("method", outcome.method),
            ("namespace", namespace),
            ("path", path),
            ("service", service),
            ("status", &status),
        ];
        if self.per_host {
            own.push(("host", host));
        }
        labels(common, &own)
    }

    /// A panic elsewhere leaves the map whole: every change of it is one call.
    fn lock(&self) -> MutexGuard<'_, HashMap<RouteLabels, Weak<RouteMetrics>>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Without those that saw nothing: a route that never forwards has no upstream times.
fn collect_histograms(metrics: &mut [Vec<Metric>], labels: &[LabelPair], totals: &RouteTotals) {
    for ((metrics, totals), (_, _, unit)) in metrics.iter_mut().zip(&totals.0).zip(HISTOGRAMS) {
        if totals.count() > 0 {
            metrics.push(histogram(labels.to_vec(), totals, unit));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forgets_the_dead_without_a_scrape() {
        let routes = Routes::new(true, NonZeroUsize::MIN);
        for n in 0..10_000 {
            drop(routes.find(&RouteLabels { path: format!("/{n}").into(), ..RouteLabels::default() }));
        }
        assert!(routes.lock().len() <= 4 * ROOM, "{}", routes.lock().len());
    }
}
