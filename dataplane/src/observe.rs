//! What operators see of the traffic: metrics and the access log, under ingress-nginx's names, so that its dashboards,
//! alerts and log parsers go on working.

mod log;
mod metrics;
mod record;

pub use log::{AccessLog, AccessLogTarget, WorkerLog};
pub use metrics::{
    CertificateSeries, ConnectionState, Connections, Metrics, MetricsConfig, OpenConnection, Refused, RouteLabels,
    RouteMetrics,
};
pub use record::{Record, Try};
