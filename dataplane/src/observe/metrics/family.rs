//! Short ways to say what a scrape shows.

use prometheus::proto::{Bucket, Counter, Gauge, Histogram, LabelPair, Metric, MetricFamily, MetricType};

use super::histogram::{Totals, Unit};

/// One label.
pub(super) fn pair(name: &str, value: &str) -> LabelPair {
    let mut pair = LabelPair::default();
    pair.set_name(name.to_owned());
    pair.set_value(value.to_owned());
    pair
}

/// Labels in the order of their names.
pub(super) fn labels(common: &[LabelPair], own: &[(&str, &str)]) -> Vec<LabelPair> {
    let mut labels = common.to_vec();
    labels.extend(own.iter().map(|(name, value)| pair(name, value)));
    labels.sort_unstable_by(|a, b| a.name().cmp(b.name()));
    labels
}

/// A count that only grows.
pub(super) fn counter(labels: Vec<LabelPair>, value: f64) -> Metric {
    let mut counter = Counter::default();
    counter.set_value(value);
    let mut metric = Metric::from_label(labels);
    metric.set_counter(counter);
    metric
}

/// A value of now.
pub(super) fn gauge(labels: Vec<LabelPair>, value: f64) -> Metric {
    let mut gauge = Gauge::default();
    gauge.set_value(value);
    let mut metric = Metric::from_label(labels);
    metric.set_gauge(gauge);
    metric
}

/// A distribution.
pub(super) fn histogram(labels: Vec<LabelPair>, totals: &Totals, unit: Unit) -> Metric {
    let buckets = unit.bounds().iter().zip(totals.cumulative()).map(|(&bound, count)| {
        let mut bucket = Bucket::default();
        bucket.set_upper_bound(unit.shown(bound));
        bucket.set_cumulative_count(count);
        bucket
    });
    let mut histogram = Histogram::default();
    histogram.set_bucket(buckets.collect());
    histogram.set_sample_count(totals.count());
    histogram.set_sample_sum(unit.shown(totals.sum()));
    let mut metric = Metric::from_label(labels);
    metric.set_histogram(histogram);
    metric
}

/// All series of one name.
pub(super) fn family(name: &str, help: &str, kind: MetricType, metrics: Vec<Metric>) -> MetricFamily {
    let mut family = MetricFamily::default();
    family.set_name(name.to_owned());
    family.set_help(help.to_owned());
    family.set_field_type(kind);
    family.set_metric(metrics);
    family
}

/// The nearest number that Prometheus can hold (exact up to 2^53).
pub(super) fn float(value: u64) -> f64 {
    value as f64
}
