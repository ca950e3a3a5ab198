//! What operators see of the traffic: metrics and the access log, under ingress-nginx's names, so that its dashboards,
//! alerts and log parsers go on working.

mod log;
mod metrics;
mod record;
mod seldom;
mod stream;

pub use log::{AccessLog, AccessLogTarget, Reopener, WorkerLog};
pub use metrics::{
    CertificateRefusal, CertificateSeries, ConnectionState, Connections, Dropped, Metrics, MetricsConfig,
    OpenConnection, OpenStream, Refused, RouteLabels, RouteMetrics, StreamLabels, StreamMetrics,
};
pub use record::{Record, Try};
pub use seldom::Seldom;
pub use stream::{StreamProtocol, StreamRecord, StreamStatus};
