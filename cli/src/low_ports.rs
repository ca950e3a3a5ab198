//! Ports below 1024 without root.

use rustix::thread::{CapabilitySet, capabilities, set_capabilities};

/// Takes the capability to bind low ports into effect, where this process is permitted it and does not have it.
///
/// In a container that adds `NET_BIND_SERVICE`, the image's file permits it to a user that is not root, but not more: a
/// file that also put it into effect could not be started where the container drops it. Threads that exist already
/// stay without: so this comes before all others. Source: capabilities(7).
pub fn permit() {
    let Ok(mut sets) = capabilities(None) else { return };
    let missing = sets.permitted.difference(sets.effective) & CapabilitySet::NET_BIND_SERVICE;
    if missing.is_empty() {
        return;
    }
    sets.effective |= missing;
    if let Err(error) = set_capabilities(None, sets) {
        tracing::warn!("ports below 1024 may be out of reach: {error}");
    }
}
