//! A location that must not be served: a setting about access could not be understood or is not offered.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Refuse every request of the route.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deny {
    /// The status code (503 for a setting that is not understood, as in ingress-nginx).
    pub status: u16,
    /// Why, for the log and the dump; not for the client.
    pub reason: Arc<str>,
}
