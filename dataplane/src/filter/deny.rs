//! A location that must not be served.

use http::StatusCode;

use super::Flow;
use crate::exchange::{Cause, Failure};

/// Refuses every request.
#[derive(Debug, Clone)]
pub struct Deny {
    status: StatusCode,
}

impl Deny {
    /// A status that is none becomes 503: what is denied stays denied.
    pub fn new(source: &snapshot::Deny) -> Self {
        Self { status: StatusCode::from_u16(source.status).unwrap_or(StatusCode::SERVICE_UNAVAILABLE) }
    }

    /// Refuses.
    ///
    /// # Errors
    /// Always.
    pub fn request(&self) -> Result<Flow, Failure> {
        Err(Cause::Configured(self.status).into())
    }
}
