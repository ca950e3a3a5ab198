//! What the data plane says of snapshots, as problems.

use std::sync::Arc;

use compile::{Problem, Reason, Severity};
use snapshot::{Rejection, Report, SnapshotId};

use crate::{
    Error,
    board::{Board, trouble},
};

/// The reason of problems that this replica's data plane has, and maybe no other's.
pub(super) const REJECTED: Reason = Reason::Rejected;

/// The data plane as a finder of problems.
const DATAPLANE: &str = "dataplane";

/// Turns reports into problems.
pub(super) struct Verdicts {
    board: Arc<Board>,
    /// Whether nothing will ever be served where the next one is refused.
    refusal_is_fatal: bool,
}

impl Verdicts {
    pub(super) fn new(board: Arc<Board>, first_refusal_is_fatal: bool) -> Self {
        Self { board, refusal_is_fatal: first_refusal_is_fatal }
    }

    /// Returns what is served now, if the report says so.
    pub(super) fn take(&mut self, report: Report) -> Option<SnapshotId> {
        match report {
            Report::Applied { id, rejected } => {
                self.refusal_is_fatal = false;
                self.board.find(DATAPLANE, rejected.into_iter().map(rejection).collect());
                Some(id)
            }
            Report::Rejected { id, reason } => {
                tracing::error!(%id, "the data plane refused a snapshot: {reason}");
                if self.refusal_is_fatal {
                    self.board.fail(Error::Dataplane(reason.clone()));
                }
                self.board.find(DATAPLANE, vec![refused(&reason)]);
                None
            }
        }
    }
}

fn rejection(Rejection { origin, field, reason }: Rejection) -> Problem {
    let field = field.unwrap_or_else(|| "content".to_owned());
    Problem { object: origin, severity: Severity::Error, field, message: reason, reason: REJECTED }
}

fn refused(reason: &str) -> Problem {
    let message = format!("the data plane refused it, so that what was served before is still served: {reason}");
    trouble("snapshot", Reason::SnapshotRejected, Severity::Error, message)
}

#[cfg(test)]
mod tests {
    use snapshot::Origin;

    use super::*;

    const ID: SnapshotId = SnapshotId { instance: 1, sequence: 1 };

    fn reasons(board: &Board) -> Vec<Reason> {
        board.problems().borrow().iter().map(|problem| problem.reason).collect()
    }

    #[test]
    fn a_refused_item_is_a_problem_until_it_is_accepted() {
        let board = Board::new();
        let mut verdicts = Verdicts::new(Arc::clone(&board), true);
        let origin = Arc::new(Origin::new("Secret", "default", "tls"));
        let rejected = vec![Rejection::new(origin, "no key")];
        assert_eq!(verdicts.take(Report::Applied { id: ID, rejected }), Some(ID));
        assert_eq!(reasons(&board), [Reason::Rejected]);
        verdicts.take(Report::Applied { id: ID, rejected: Vec::new() });
        assert!(reasons(&board).is_empty());
    }

    #[test]
    fn a_field_is_named_where_it_is_known() {
        let origin = Arc::new(Origin::new("ConfigMap", "system", "tcp"));
        let fields = [None, Some("data[9000]".to_owned())].map(|field| {
            let refused = Rejection { field, ..Rejection::new(Arc::clone(&origin), "in use") };
            rejection(refused).field
        });
        assert_eq!(fields, ["content", "data[9000]"]);
    }

    #[test]
    fn only_a_refused_first_snapshot_is_fatal() {
        let refusal = || Report::Rejected { id: ID, reason: "cannot bind [::]:80".into() };
        let board = Board::new();
        Verdicts::new(Arc::clone(&board), true).take(refusal());
        assert_eq!(board.failure().borrow().as_ref().unwrap().to_string(), "cannot bind [::]:80");

        let board = Board::new();
        let mut verdicts = Verdicts::new(Arc::clone(&board), true);
        verdicts.take(Report::Applied { id: ID, rejected: Vec::new() });
        assert_eq!(verdicts.take(refusal()), None);
        assert!(board.failure().borrow().is_none());
        assert_eq!(reasons(&board), [Reason::SnapshotRejected]);

        let board = Board::new();
        Verdicts::new(Arc::clone(&board), false).take(refusal());
        assert!(board.failure().borrow().is_none(), "a data plane of its own tries again");
    }
}
