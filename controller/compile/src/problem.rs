//! What is wrong with which object.

mod reason;

use std::{fmt, sync::Arc};

use serde::Serialize;
use snapshot::Origin;

pub use reason::Reason;

/// Something about an object that its owner should know: what cannot be served, or is served differently.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Problem {
    /// The object.
    pub object: Arc<Origin>,
    /// How much it matters.
    pub severity: Severity,
    /// The field as a path, such as `spec.rules[0].http.paths[1].backend`; a key of an annotation or a setting as
    /// `metadata.annotations[KEY]` and `data[KEY]`.
    pub field: String,
    /// What is wrong and what follows, a sentence for the object's owner.
    pub message: String,
    /// What kind of problem it is.
    pub reason: Reason,
}

/// How much a problem matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Severity {
    /// Something of the object is not served, or is denied.
    Error,
    /// It is served, but not in each respect as written.
    Warning,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.object, self.field, self.message)
    }
}
