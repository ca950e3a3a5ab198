//! What is counted of a link, the same names at both ends.

use std::collections::HashMap;

use prometheus::{IntCounterVec, IntGauge, Opts, Registry};

/// Metrics of one end. Cheap to clone.
#[derive(Clone)]
pub struct Metrics {
    registry: Registry,
    connected: IntGauge,
    snapshots: IntCounterVec,
    errors: IntCounterVec,
    state_bytes: IntGauge,
}

/// What went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failure {
    /// Who connected may not.
    Peer,
    /// The other end is of another version.
    Schema,
    /// What came was no frame, or stood where it cannot.
    Protocol,
    /// A part of a push could not be read.
    Item,
    /// The other end took too long.
    Timeout,
    /// The socket: nobody there, or the connection broke.
    Socket,
    /// The file in which a snapshot is kept.
    State,
}

impl Failure {
    fn label(self) -> &'static str {
        match self {
            Self::Peer => "peer",
            Self::Schema => "schema",
            Self::Protocol => "protocol",
            Self::Item => "item",
            Self::Timeout => "timeout",
            Self::Socket => "socket",
            Self::State => "state",
        }
    }
}

impl Metrics {
    /// Metrics with a registry of their own, under constant labels.
    ///
    /// # Errors
    /// The registry refuses them, which only a mistake in their names can bring about.
    pub fn new(labels: HashMap<String, String>) -> prometheus::Result<Self> {
        let registry = Registry::new_custom(None, (!labels.is_empty()).then_some(labels))?;
        let connected = IntGauge::new("tidegate_link_connected", "1 while the other plane is connected, else 0")?;
        let snapshots = Opts::new("tidegate_link_snapshots_total", "Snapshots that went over the link, by form");
        let snapshots = IntCounterVec::new(snapshots, &["form"])?;
        let errors = Opts::new("tidegate_link_errors_total", "What went wrong between the planes, by reason");
        let errors = IntCounterVec::new(errors, &["reason"])?;
        let state_bytes = IntGauge::new("tidegate_link_state_bytes", "Size of the file that keeps the last snapshot")?;
        registry.register(Box::new(connected.clone()))?;
        registry.register(Box::new(snapshots.clone()))?;
        registry.register(Box::new(errors.clone()))?;
        registry.register(Box::new(state_bytes.clone()))?;
        Ok(Self { registry, connected, snapshots, errors, state_bytes })
    }

    /// Where they are gathered from.
    pub fn registry(&self) -> Registry {
        self.registry.clone()
    }

    pub(crate) fn connected(&self, connected: bool) {
        self.connected.set(connected.into());
    }

    pub(crate) fn snapshot(&self, is_whole: bool) {
        self.snapshots.with_label_values(&[if is_whole { "whole" } else { "difference" }]).inc();
    }

    pub(crate) fn failed(&self, failure: Failure) {
        self.errors.with_label_values(&[failure.label()]).inc();
    }

    pub(crate) fn state_bytes(&self, bytes: u64) {
        self.state_bytes.set(i64::try_from(bytes).unwrap_or(i64::MAX));
    }
}
