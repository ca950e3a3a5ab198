//! Metrics of the webhook.
//!
//! Those of ingress-nginx that mean something here keep its names and are gauges of the latest review, as there:
//! `admission_tested_ingresses`, `admission_tested_duration`, `admission_roundtrip_duration`. Not served, since no
//! configuration is rendered here: `admission_render_ingresses`, `admission_render_duration`, `admission_config_size`.

use std::time::Duration;

use prometheus::{Gauge, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry};

/// Handles. Cheap to clone.
#[derive(Clone)]
pub(super) struct Metrics {
    tested_ingresses: IntGauge,
    tested_seconds: Gauge,
    roundtrip_seconds: Gauge,
    reviews: IntCounterVec,
    /// A series without labels, which is not there without a certificate.
    expires: IntGaugeVec,
}

/// What a review ended with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Allowed,
    Denied,
    /// Nothing that we serve would change.
    Skipped,
    /// There is no verdict.
    Error,
}

impl Outcome {
    fn label(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Denied => "denied",
            Self::Skipped => "skipped",
            Self::Error => "error",
        }
    }
}

impl Metrics {
    pub(super) fn new(registry: &Registry) -> prometheus::Result<Self> {
        let metrics = Self {
            tested_ingresses: IntGauge::new(
                "nginx_ingress_controller_admission_tested_ingresses",
                "Ingresses that the latest review compiled, the candidate among them",
            )?,
            tested_seconds: Gauge::new(
                "nginx_ingress_controller_admission_tested_duration",
                "Seconds that the compile of the latest review took",
            )?,
            roundtrip_seconds: Gauge::new(
                "nginx_ingress_controller_admission_roundtrip_duration",
                "Seconds from the head of the latest review to its answer",
            )?,
            reviews: IntCounterVec::new(
                Opts::new(
                    "tidegate_admission_reviews_total",
                    "Reviews by result: allowed, denied, skipped (nothing that we serve would change), error (no verdict)",
                ),
                &["result"],
            )?,
            expires: IntGaugeVec::new(
                Opts::new(
                    "tidegate_admission_certificate_expire_time_seconds",
                    "When the webhook's own certificate expires, in seconds since 1970",
                ),
                &[],
            )?,
        };
        for outcome in [Outcome::Allowed, Outcome::Denied, Outcome::Skipped, Outcome::Error] {
            metrics.reviews.with_label_values(&[outcome.label()]);
        }
        registry.register(Box::new(metrics.tested_ingresses.clone()))?;
        registry.register(Box::new(metrics.tested_seconds.clone()))?;
        registry.register(Box::new(metrics.roundtrip_seconds.clone()))?;
        registry.register(Box::new(metrics.reviews.clone()))?;
        registry.register(Box::new(metrics.expires.clone()))?;
        Ok(metrics)
    }

    pub(super) fn tested(&self, ingresses: usize, time: Duration) {
        self.tested_ingresses.set(i64::try_from(ingresses).unwrap_or(i64::MAX));
        self.tested_seconds.set(time.as_secs_f64());
    }

    /// The certificate that is shown now ends then.
    pub(super) fn expires(&self, not_after: i64) {
        self.expires.with_label_values::<&str>(&[]).set(not_after);
    }

    pub(super) fn answered(&self, outcome: Outcome, time: Duration) {
        self.roundtrip_seconds.set(time.as_secs_f64());
        self.reviews.with_label_values(&[outcome.label()]).inc();
    }
}
