//! What a supervised controller says of those before it: Kubernetes shows no restart of theirs.

use std::collections::HashMap;

use prometheus::{IntCounter, Registry};

/// A registry with the count alone, under constant labels.
///
/// # Errors
/// The registry refuses it, which only a mistake in its name can bring about.
pub fn metrics(labels: HashMap<String, String>, restarts: u64) -> prometheus::Result<Registry> {
    let registry = Registry::new_custom(None, Some(labels))?;
    let counter = IntCounter::new(
        "tidegate_controller_restarts_total",
        "How often the controller was started again, in the life of its container",
    )?;
    counter.inc_by(restarts);
    registry.register(Box::new(counter))?;
    Ok(registry)
}
