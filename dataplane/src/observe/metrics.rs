//! Metrics under ingress-nginx's names, labels and buckets
//! (<https://kubernetes.github.io/ingress-nginx/user-guide/monitoring/>); what it has no name for is `tidegate_*`.
//!
//! The request path touches only counters of its own worker; everything else happens when somebody scrapes.

mod certificate_refusals;
mod certificates;
mod connections;
mod family;
mod histogram;
mod process;
mod route;
mod routes;
mod shard;
mod snapshots;
mod streams;

use std::{
    collections::HashMap,
    num::NonZeroUsize,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use prometheus::{
    Registry,
    core::{Collector, Desc},
    proto::{LabelPair, MetricFamily, MetricType},
};

pub use certificate_refusals::CertificateRefusal;
pub use certificates::CertificateSeries;
pub use connections::{ConnectionState, Connections, OpenConnection, Refused};
pub use route::{RouteLabels, RouteMetrics};
pub use streams::{Dropped, OpenStream, StreamLabels, StreamMetrics};

use certificates::Certificates;
use family::{counter, family, gauge, labels, pair};
use routes::Routes;
use snapshots::Snapshots;
use streams::Streams;

/// What stands in the labels of every metric, and how much is counted.
#[derive(Debug, Clone)]
pub struct MetricsConfig {
    /// `controller_namespace`: the namespace of our pod.
    pub controller_namespace: String,
    /// `controller_class`: the controller name of our IngressClass.
    pub controller_class: String,
    /// `controller_pod`: the name of our pod.
    pub controller_pod: String,
    /// Whether request metrics carry `host` (`--metrics-per-host`).
    pub per_host: bool,
    /// How many workers count at the same time.
    pub workers: NonZeroUsize,
    /// `build` of `build_info`: the commit.
    pub build: String,
    /// `repository` of `build_info`.
    pub repository: String,
}

impl Default for MetricsConfig {
    fn default() -> Self {
        Self {
            controller_namespace: String::new(),
            controller_class: String::new(),
            controller_pod: String::new(),
            per_host: true,
            workers: NonZeroUsize::MIN,
            build: String::new(),
            repository: String::new(),
        }
    }
}

/// All metrics of the data plane. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Metrics {
    registry: Registry,
    all: Arc<All>,
}

#[derive(Debug)]
struct All {
    config: MetricsConfig,
    /// The `controller_*` labels.
    common: Vec<LabelPair>,
    routes: Routes,
    connections: Arc<Connections>,
    streams: Streams,
    snapshots: Snapshots,
    certificates: Certificates,
    access_log_lost: Arc<AtomicU64>,
}

impl Metrics {
    /// Metrics with a registry of their own.
    ///
    /// # Errors
    /// The registry refuses them, which only a mistake in their names can bring about.
    pub fn new(config: MetricsConfig) -> Result<Self, prometheus::Error> {
        let common = vec![
            pair("controller_class", &config.controller_class),
            pair("controller_namespace", &config.controller_namespace),
            pair("controller_pod", &config.controller_pod),
        ];
        let all = Arc::new(All {
            routes: Routes::new(config.per_host, config.workers),
            connections: Arc::new(Connections::new(config.workers)),
            streams: Streams::default(),
            snapshots: Snapshots::default(),
            certificates: Certificates::default(),
            access_log_lost: Arc::default(),
            common,
            config,
        });
        let registry = Registry::new();
        registry.register(Box::new(Exposition::new(Arc::clone(&all))?))?;
        Ok(Self { registry, all })
    }

    /// Where they are gathered from; other parts may register theirs with it.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// The series of a route, found once when the route is built. They are gone when their last holder drops them; a
    /// route that is built anew before that goes on counting where the old one is.
    ///
    /// A request that no route matched is counted under `RouteLabels::default()`.
    pub fn route(&self, labels: &RouteLabels) -> Arc<RouteMetrics> {
        self.all.routes.find(labels)
    }

    /// The series of a TCP or UDP service, or of a host whose TLS is handed on. They are gone with their last holder.
    pub fn stream(&self, labels: &StreamLabels) -> Arc<StreamMetrics> {
        self.all.streams.find(labels)
    }

    /// The client connections.
    pub fn connections(&self) -> &Arc<Connections> {
        &self.all.connections
    }

    /// A snapshot is served from now on. `hash` tells two contents apart.
    pub fn snapshot_applied(&self, hash: u64) {
        self.all.snapshots.applied(hash);
    }

    /// A snapshot was refused.
    pub fn snapshot_rejected(&self) {
        self.all.snapshots.rejected();
    }

    /// The certificates that are served from now on, instead of those before.
    pub fn set_certificates(&self, certificates: Vec<CertificateSeries>) {
        self.all.certificates.set(certificates);
    }

    /// The counter of access-log lines that were lost.
    pub fn access_log_lost(&self) -> &Arc<AtomicU64> {
        &self.all.access_log_lost
    }
}

impl All {
    fn collect(&self) -> Vec<MetricFamily> {
        let mut families = self.routes.collect(&self.common);
        families.extend(self.connections.collect(&self.common));
        families.push(self.connections.certificates.collect(&self.common));
        families.extend(self.streams.collect(&self.common));
        families.extend(process::collect(&self.common));
        families.extend(self.snapshots.collect(&self.common));
        families.extend(self.certificates.collect(&self.config));
        families.extend([self.build_info(), self.access_log()]);
        families
    }

    fn build_info(&self) -> MetricFamily {
        let own = [
            ("build", self.config.build.as_str()),
            ("release", env!("CARGO_PKG_VERSION")),
            ("repository", &self.config.repository),
        ];
        let help = "A metric with a constant '1' labeled with information about the build.";
        let metric = gauge(labels(&self.common, &own), 1.0);
        family("nginx_ingress_controller_build_info", help, MetricType::GAUGE, vec![metric])
    }

    fn access_log(&self) -> MetricFamily {
        let lost = self.access_log_lost.load(Ordering::Relaxed);
        let metric = counter(self.common.clone(), family::float(lost));
        let help = "Access-log lines that were lost because a queue was full or writing failed";
        family("tidegate_access_log_dropped_total", help, MetricType::COUNTER, vec![metric])
    }
}

/// What the registry sees: one collector for all of them, described by one of its names because it needs one.
struct Exposition {
    all: Arc<All>,
    desc: Desc,
}

impl Exposition {
    fn new(all: Arc<All>) -> Result<Self, prometheus::Error> {
        let name = "nginx_ingress_controller_requests".to_owned();
        let desc = Desc::new(name, route::REQUESTS_HELP.to_owned(), Vec::new(), HashMap::new())?;
        Ok(Self { all, desc })
    }
}

impl Collector for Exposition {
    fn desc(&self) -> Vec<&Desc> {
        vec![&self.desc]
    }

    fn collect(&self) -> Vec<MetricFamily> {
        self.all.collect()
    }
}

#[cfg(test)]
mod tests {
    use prometheus::TextEncoder;

    use super::*;
    use crate::observe::{
        Record,
        record::tests::{sample, sample_try},
    };

    fn config() -> MetricsConfig {
        MetricsConfig {
            controller_namespace: "ns".into(),
            controller_class: "class".into(),
            controller_pod: "pod".into(),
            ..MetricsConfig::default()
        }
    }

    fn metrics() -> Metrics {
        Metrics::new(config()).unwrap()
    }

    fn text(metrics: &Metrics) -> String {
        TextEncoder::new().encode_to_string(&metrics.registry().gather()).unwrap()
    }

    fn shop() -> RouteLabels {
        RouteLabels {
            host: "a.example".into(),
            path: "/shop".into(),
            namespace: "default".into(),
            ingress: "shop".into(),
            service: "cart".into(),
        }
    }

    #[track_caller]
    fn has(metrics: &Metrics, lines: &[&str]) {
        let text = text(metrics);
        for line in lines {
            assert!(text.lines().any(|l| l == *line), "no {line} in\n{text}");
        }
    }

    const COMMON: &str = r#"controller_class="class",controller_namespace="ns",controller_pod="pod""#;

    #[test]
    fn a_request_is_in_every_family() {
        let metrics = metrics();
        let tries = [sample_try("10.0.0.1:80", 502), sample_try("10.0.0.2:80", 200)];
        let route = metrics.route(&shop());
        route.observe(&Record { tries: &tries, ..sample() });
        let with = |name: &str, more: &str, value: &str| {
            format!(
                "nginx_ingress_controller_{name}{{canary=\"\",{COMMON},host=\"a.example\",ingress=\"shop\",method=\"GET\",namespace=\"default\",path=\"/shop\",service=\"cart\",status=\"200\"{more}}} {value}"
            )
        };
        let lines = [
            with("requests", "", "1"),
            with("request_duration_seconds_bucket", ",le=\"1\"", "0"),
            with("request_duration_seconds_bucket", ",le=\"2.5\"", "1"),
            with("request_duration_seconds_bucket", ",le=\"+Inf\"", "1"),
            with("request_duration_seconds_sum", "", "1.234"),
            with("request_duration_seconds_count", "", "1"),
            with("connect_duration_seconds_count", "", "1"),
            with("header_duration_seconds_sum", "", "0.003"),
            with("response_duration_seconds_bucket", ",le=\"0.005\"", "1"),
            with("request_size_bucket", ",le=\"10\"", "0"),
            with("request_size_bucket", ",le=\"100\"", "1"),
            with("response_size_sum", "", "112"),
        ];
        has(&metrics, &lines.each_ref().map(String::as_str));
    }

    #[test]
    fn no_client_makes_series() {
        let metrics = metrics();
        let unknown = metrics.route(&RouteLabels::default());
        for method in ["BREW", "get", "", "X"] {
            unknown.observe(&Record { method, status: 404, ..sample() });
        }
        has(
            &metrics,
            &[&format!(
                "nginx_ingress_controller_requests{{canary=\"\",{COMMON},host=\"\",ingress=\"\",method=\"OTHER\",namespace=\"\",path=\"\",service=\"\",status=\"404\"}} 4"
            )],
        );
    }

    #[test]
    fn a_host_label_only_where_it_is_wanted() {
        let metrics = Metrics::new(MetricsConfig { per_host: false, ..config() }).unwrap();
        let (one, other) = (shop(), RouteLabels { host: "b.example".into(), ..shop() });
        let (one, other) = (metrics.route(&one), metrics.route(&other));
        one.observe(&sample());
        other.observe(&sample());
        has(
            &metrics,
            &[&format!(
                "nginx_ingress_controller_requests{{canary=\"\",{COMMON},ingress=\"shop\",method=\"GET\",namespace=\"default\",path=\"/shop\",service=\"cart\",status=\"200\"}} 2"
            )],
        );
    }

    #[test]
    fn a_route_keeps_its_series_until_it_is_gone() {
        let metrics = metrics();
        let old = metrics.route(&shop());
        old.observe(&sample());
        let new = metrics.route(&shop());
        drop(old);
        new.observe(&sample());
        assert!(text(&metrics).contains("status=\"200\"} 2"));
        drop(new);
        assert!(!text(&metrics).contains("nginx_ingress_controller_requests{"));
    }

    #[test]
    fn workers_are_summed() {
        let metrics = Metrics::new(MetricsConfig { workers: NonZeroUsize::new(3).unwrap(), ..config() }).unwrap();
        let route = metrics.route(&shop());
        std::thread::scope(|scope| {
            for status in [200, 200, 503, 200, 503] {
                let route = &route;
                scope.spawn(move || (0..100).for_each(|_| route.observe(&Record { status, ..sample() })));
            }
        });
        let text = text(&metrics);
        assert!(text.contains("status=\"200\"} 300") && text.contains("status=\"503\"} 200"), "{text}");
    }

    #[test]
    fn the_rest_is_there() {
        let metrics = metrics();
        metrics.snapshot_applied(7);
        metrics.access_log_lost().fetch_add(3, Ordering::Relaxed);
        has(
            &metrics,
            &[
                &format!("nginx_ingress_controller_config_hash{{{COMMON}}} 7"),
                &format!("nginx_ingress_controller_success{{{COMMON}}} 1"),
                &format!("tidegate_access_log_dropped_total{{{COMMON}}} 3"),
                &format!(
                    "nginx_ingress_controller_build_info{{build=\"\",{COMMON},release=\"{}\",repository=\"\"}} 1",
                    env!("CARGO_PKG_VERSION")
                ),
            ],
        );
    }
}
