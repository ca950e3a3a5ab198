//! What the data plane says back.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{Origin, SnapshotId};

/// The fate of a snapshot. Every one that the data plane takes up gets exactly one of these.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Report {
    /// It is served, apart from the items named here.
    Applied {
        /// Which one.
        id: SnapshotId,
        /// What in it could not be used; the hosts concerned fall back.
        rejected: Vec<Rejection>,
    },
    /// Nothing of it could be used; the one before is still served.
    Rejected {
        /// Which one.
        id: SnapshotId,
        /// Why.
        reason: String,
    },
}

impl Report {
    /// The snapshot that it is about.
    pub fn id(&self) -> SnapshotId {
        match self {
            Self::Applied { id, .. } | Self::Rejected { id, .. } => *id,
        }
    }
}

/// One item that could not be used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rejection {
    /// The object that asked for it.
    pub origin: Arc<Origin>,
    /// Which of its fields, such as `data[9000]`; none: all of it, or nobody knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// Why, in a sentence for its owner.
    pub reason: String,
}

impl Rejection {
    /// An object of which no field is named.
    pub fn new(origin: Arc<Origin>, reason: impl Into<String>) -> Self {
        Self { origin, field: None, reason: reason.into() }
    }
}
