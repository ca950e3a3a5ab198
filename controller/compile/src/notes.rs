//! Collects the problems of one object.

use std::sync::Arc;

use snapshot::Origin;

use crate::{Problem, Reason, Severity};

/// The problems of one object, as they are found.
pub(crate) struct Notes {
    origin: Arc<Origin>,
    problems: Vec<Problem>,
}

impl Notes {
    pub fn new(origin: &Arc<Origin>) -> Self {
        Self { origin: Arc::clone(origin), problems: Vec::new() }
    }

    /// Something is not served.
    pub fn error(&mut self, field: &str, reason: Reason, message: impl Into<String>) {
        self.push(Severity::Error, field, reason, message.into());
    }

    /// Something is served otherwise than written.
    pub fn warning(&mut self, field: &str, reason: Reason, message: impl Into<String>) {
        self.push(Severity::Warning, field, reason, message.into());
    }

    pub fn into_problems(self) -> Vec<Problem> {
        self.problems
    }

    fn push(&mut self, severity: Severity, field: &str, reason: Reason, message: String) {
        let object = Arc::clone(&self.origin);
        self.problems.push(Problem { object, severity, field: field.to_owned(), message, reason });
    }
}

/// What is wrong with the paths of an object as a whole.
pub(crate) fn of_rules(object: &Arc<Origin>, severity: Severity, reason: Reason, message: &str) -> Problem {
    let (object, field) = (Arc::clone(object), "spec.rules".to_owned());
    Problem { object, severity, field, message: message.to_owned(), reason }
}

/// A value may be of a megabyte; a message that quotes it is not.
pub(crate) fn shortened(text: &str) -> String {
    const MOST: usize = 300;
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}
