//! What the controller knows about its own state, for everyone who asks: problems, what is still missing, fatal errors.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use compile::{Problem, Reason, Severity};
use snapshot::Origin;
use tokio::sync::watch;

use crate::Error;

/// Shared by all tasks of one controller.
pub(crate) struct Board {
    /// Problems by who found them, so that each finder replaces only its own.
    parts: Mutex<BTreeMap<String, Vec<Problem>>>,
    problems: watch::Sender<Arc<[Problem]>>,
    /// What must happen before the first snapshot, and why it has not yet.
    missing: Mutex<BTreeMap<String, String>>,
    /// What hangs, and will not go on by itself.
    hanging: Mutex<Option<String>>,
    fatal: watch::Sender<Option<Error>>,
}

impl Board {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            parts: Mutex::default(),
            problems: watch::Sender::new(Arc::new([])),
            missing: Mutex::default(),
            hanging: Mutex::default(),
            fatal: watch::Sender::new(None),
        })
    }

    /// Replaces what `finder` had found before.
    pub(crate) fn find(&self, finder: &str, problems: Vec<Problem>) {
        let mut parts = lock(&self.parts);
        if parts.get(finder).map_or(problems.is_empty(), |before| *before == problems) {
            return;
        }
        // Finders come and go; those without a problem leave nothing behind.
        match problems.is_empty() {
            true => drop(parts.remove(finder)),
            false => drop(parts.insert(finder.to_owned(), problems)),
        }
        let all: BTreeSet<&Problem> = parts.values().flatten().collect();
        let all: Arc<[Problem]> = all.into_iter().cloned().collect();
        // Still under the lock, or an older state could overtake a newer one.
        let before = self.problems.send_replace(Arc::clone(&all));
        drop(parts);
        log_difference(&before, &all);
    }

    pub(crate) fn problems(&self) -> watch::Receiver<Arc<[Problem]>> {
        self.problems.subscribe()
    }

    /// Says that nothing can be published before [`Board::arrived`], and why. The reason may be replaced.
    pub(crate) fn missing(&self, what: &str, why: impl Into<String>) {
        lock(&self.missing).insert(what.to_owned(), why.into());
    }

    /// Gives a reason why `what` is missing, if it still is. Returns whether it is.
    pub(crate) fn still_missing(&self, what: &str, why: &str) -> bool {
        match lock(&self.missing).get_mut(what) {
            Some(reason) => {
                why.clone_into(reason);
                true
            }
            None => false,
        }
    }

    pub(crate) fn arrived(&self, what: &str) {
        lock(&self.missing).remove(what);
    }

    /// What is missing, with reasons, for people.
    pub(crate) fn all_missing(&self) -> Vec<String> {
        lock(&self.missing).iter().map(|(what, why)| format!("{what}: {why}")).collect()
    }

    /// Says that something hangs, and what; or that nothing does.
    pub(crate) fn hangs(&self, what: Option<String>) {
        *lock(&self.hanging) = what;
    }

    /// What hangs.
    pub(crate) fn hanging(&self) -> Option<String> {
        lock(&self.hanging).clone()
    }

    /// Reports what nothing can be done about. The first one counts.
    pub(crate) fn fail(&self, error: Error) {
        self.fatal.send_if_modified(|fatal| {
            let first = fatal.is_none();
            fatal.get_or_insert(error);
            first
        });
    }

    pub(crate) fn failure(&self) -> watch::Receiver<Option<Error>> {
        self.fatal.subscribe()
    }
}

/// A problem of the controller itself.
pub(crate) fn trouble(field: &str, reason: Reason, severity: Severity, message: String) -> Problem {
    let object = Arc::new(Origin::new("Controller", "", "tidegate"));
    Problem { object, severity, field: field.to_owned(), message, reason }
}

fn log_difference(before: &[Problem], after: &[Problem]) {
    for problem in after.iter().filter(|problem| before.binary_search(problem).is_err()) {
        match problem.severity {
            Severity::Error => tracing::error!(reason = %problem.reason, "{problem}"),
            Severity::Warning => tracing::warn!(reason = %problem.reason, "{problem}"),
        }
    }
    for problem in before.iter().filter(|problem| after.binary_search(problem).is_err()) {
        tracing::info!(reason = %problem.reason, "solved: {problem}");
    }
}

/// Locks, whatever happened to others who did.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // The data is replaced as a whole, so a panic elsewhere cannot have left it half-written.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(name: &str) -> Problem {
        Problem {
            object: Arc::new(Origin::new("Ingress", "default", name)),
            severity: Severity::Error,
            field: "spec".into(),
            message: "is wrong".into(),
            reason: Reason::BadAnnotation,
        }
    }

    #[test]
    fn each_finder_replaces_its_own_problems() {
        let board = Board::new();
        board.find("a", vec![problem("1"), problem("2")]);
        board.find("b", vec![problem("2"), problem("3")]);
        assert_eq!(board.problems().borrow().len(), 3);
        board.find("a", Vec::new());
        assert_eq!(board.problems().borrow().to_vec(), [problem("2"), problem("3")]);
    }

    #[test]
    fn the_first_failure_counts() {
        let board = Board::new();
        board.fail(Error::Dataplane("one".into()));
        board.fail(Error::Dataplane("two".into()));
        assert_eq!(board.failure().borrow().as_ref().unwrap().to_string(), Error::Dataplane("one".into()).to_string());
    }
}
