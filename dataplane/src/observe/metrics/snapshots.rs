//! Snapshots that were taken up, under the names ingress-nginx has for its reloads.

use std::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::{SystemTime, UNIX_EPOCH},
};

use prometheus::proto::{LabelPair, MetricFamily, MetricType};

use super::family::{counter, family, float, gauge};

/// Counts of snapshots.
#[derive(Debug, Default)]
pub(super) struct Snapshots {
    applied: AtomicU64,
    rejected: AtomicU64,
    last_successful: AtomicBool,
    /// Seconds since 1970.
    last_applied: AtomicU64,
    hash: AtomicU64,
}

impl Snapshots {
    pub(super) fn applied(&self, hash: u64) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        self.applied.fetch_add(1, Ordering::Relaxed);
        self.last_successful.store(true, Ordering::Relaxed);
        self.last_applied.store(now, Ordering::Relaxed);
        self.hash.store(hash, Ordering::Relaxed);
    }

    /// ingress-nginx sets the hash to 0 here; ours goes on naming what is served.
    pub(super) fn rejected(&self) {
        self.rejected.fetch_add(1, Ordering::Relaxed);
        self.last_successful.store(false, Ordering::Relaxed);
    }

    pub(super) fn collect(&self, common: &[LabelPair]) -> [MetricFamily; 5] {
        let counter_of = |name, help, value: &AtomicU64| {
            let metric = counter(common.to_vec(), float(value.load(Ordering::Relaxed)));
            family(name, help, MetricType::COUNTER, vec![metric])
        };
        let gauge_of =
            |name, help, value: u64| family(name, help, MetricType::GAUGE, vec![gauge(common.to_vec(), float(value))]);
        [
            counter_of("nginx_ingress_controller_success", "Configurations that were applied", &self.applied),
            counter_of("nginx_ingress_controller_errors", "Configurations that were refused", &self.rejected),
            gauge_of(
                "nginx_ingress_controller_config_hash",
                "Hash of the configuration that is served",
                self.hash.load(Ordering::Relaxed),
            ),
            gauge_of(
                "nginx_ingress_controller_config_last_reload_successful",
                "Whether the last configuration was applied",
                self.last_successful.load(Ordering::Relaxed).into(),
            ),
            gauge_of(
                "nginx_ingress_controller_config_last_reload_successful_timestamp_seconds",
                "When a configuration was last applied, in seconds since 1970",
                self.last_applied.load(Ordering::Relaxed),
            ),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(snapshots: &Snapshots) -> Vec<f64> {
        let value = |family: &MetricFamily| match family.get_field_type() {
            MetricType::COUNTER => family.get_metric()[0].get_counter().get_value(),
            _ => family.get_metric()[0].get_gauge().get_value(),
        };
        snapshots.collect(&[]).iter().take(4).map(value).collect()
    }

    #[test]
    fn a_refused_one_leaves_the_hash() {
        let snapshots = Snapshots::default();
        snapshots.applied(5);
        assert_eq!(values(&snapshots), [1.0, 0.0, 5.0, 1.0]);
        assert!(snapshots.last_applied.load(Ordering::Relaxed) > 1_700_000_000);
        snapshots.rejected();
        assert_eq!(values(&snapshots), [1.0, 1.0, 5.0, 0.0]);
    }
}
