//! Requests that were refused on account of their client's certificate.

use std::{
    num::NonZeroUsize,
    sync::atomic::{AtomicU64, Ordering},
};

use prometheus::proto::{LabelPair, MetricFamily, MetricType};

use super::{
    family::{counter, family, float, labels},
    shard::Sharded,
};

/// Why a request was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CertificateRefusal {
    /// Its host wants a certificate, and there is none.
    Missing,
    /// The certificate is not accepted.
    Bad,
    /// It is somebody else's.
    Subject,
    /// Its connection was made for a host with another rule.
    Misdirected,
}

impl CertificateRefusal {
    const ALL: [Self; 4] = [Self::Missing, Self::Bad, Self::Subject, Self::Misdirected];

    fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Bad => "bad",
            Self::Subject => "subject",
            Self::Misdirected => "misdirected",
        }
    }
}

/// Counts them.
#[derive(Debug)]
pub struct CertificateRefusals {
    counts: Sharded<Counts>,
}

/// One worker's part, on cache lines of its own, in the order of [`CertificateRefusal::ALL`].
#[derive(Debug, Default)]
#[repr(align(128))]
struct Counts([AtomicU64; CertificateRefusal::ALL.len()]);

impl Counts {
    fn of(&self, why: CertificateRefusal) -> Option<&AtomicU64> {
        CertificateRefusal::ALL.iter().zip(&self.0).find(|(one, _)| **one == why).map(|(_, count)| count)
    }
}

impl CertificateRefusals {
    pub(super) fn new(workers: NonZeroUsize) -> Self {
        Self { counts: Sharded::new(workers) }
    }

    /// A request was refused.
    pub fn count(&self, why: CertificateRefusal) {
        if let Some(count) = self.counts.here().of(why) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(super) fn collect(&self, common: &[LabelPair]) -> MetricFamily {
        let total =
            |why| self.counts.iter().filter_map(|counts| counts.of(why)).map(|c| c.load(Ordering::Relaxed)).sum();
        let series = |why: CertificateRefusal| counter(labels(common, &[("reason", why.as_str())]), float(total(why)));
        family(
            "tidegate_client_certificate_refusals_total",
            "Requests that were refused on account of their client's certificate: it was missing, bad, somebody else's, or the \
             connection was made for a host with another rule",
            MetricType::COUNTER,
            CertificateRefusal::ALL.map(series).into(),
        )
    }
}
