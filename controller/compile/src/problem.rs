//! What is wrong with which object.

use std::{fmt, sync::Arc};

use serde::Serialize;
use snapshot::Origin;

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
    /// A short word in CamelCase for events and metrics, such as `ServiceNotFound`.
    pub reason: &'static str,
}

/// How much a problem matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Severity {
    /// Something of the object is not served, or is denied.
    Error,
    /// It is served, but not in each respect as written.
    Warning,
}

/// The reasons that another object gives, which may come or change after the one that names it.
const OF_OTHERS: [&str; 7] = [
    "CertificateUnusable",
    "ClientCaUnusable",
    "ExternalNameDisabled",
    "InvalidExternalName",
    "PortNotFound",
    "SecretUnusable",
    "ServiceNotFound",
];

impl Problem {
    /// Whether it ends by a change of another object: a Service that is yet to be made, a Secret.
    pub fn awaits_other_object(&self) -> bool {
        OF_OTHERS.contains(&self.reason)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.object, self.field, self.message)
    }
}
