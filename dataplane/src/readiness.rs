//! Whether traffic may come, and what is missing if not.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

/// What is still missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum State {
    /// No snapshot has come.
    NoSnapshot,
    /// The first snapshot cannot be served.
    Refused(String),
    /// Nothing is missing; some addresses may not be listened on.
    Serving,
    /// The process is leaving.
    Draining,
}

/// Tells whether the data plane is ready. Clones tell the same.
#[derive(Clone)]
pub struct Readiness(Arc<Mutex<State>>);

impl Readiness {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Mutex::new(State::NoSnapshot)))
    }

    /// What is missing, a sentence each; empty: it is ready.
    pub fn missing(&self) -> Vec<String> {
        match &*self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            State::NoSnapshot => vec!["no snapshot yet".to_owned()],
            State::Refused(reason) => vec![reason.clone()],
            State::Serving => Vec::new(),
            State::Draining => vec!["draining".to_owned()],
        }
    }

    /// Draining is the last state: nothing comes after it.
    pub(crate) fn set(&self, state: State) {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if *held != State::Draining {
            *held = state;
        }
    }
}

impl fmt::Debug for Readiness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Readiness").field(&self.missing()).finish()
    }
}
