//! How it stands with the controller, for people.

use std::sync::{Arc, Mutex, PoisonError};

/// Why no controller is connected. Clones tell the same.
#[derive(Debug, Clone, Default)]
pub struct Status(Arc<Mutex<Option<String>>>);

impl Status {
    /// A sentence; none where a controller is connected.
    pub fn trouble(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn set(&self, trouble: Option<String>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
    }
}
