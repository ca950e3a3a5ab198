//! What the data plane answers, and what follows from it.

use std::sync::Arc;

use compile::{Problem, Severity};
use snapshot::{Origin, Rejection, Report, SnapshotId};
use tokio::sync::mpsc;

use crate::{Error, board::Board, cycle::Progress};

/// The data plane as a finder of problems.
const DATAPLANE: &str = "dataplane";

pub(crate) async fn run(
    mut reports: mpsc::Receiver<Report>,
    mut news: mpsc::UnboundedReceiver<Progress>,
    board: Arc<Board>,
) {
    let mut verdicts = Verdicts { board, any_applied: false };
    loop {
        tokio::select! {
            // Where the data plane is gone, there is nothing to hear until everything ends.
            Some(report) = reports.recv() => drop(verdicts.take(report)),
            news = news.recv() => if news.is_none() { return },
        }
    }
}

/// Turns reports into problems.
struct Verdicts {
    board: Arc<Board>,
    any_applied: bool,
}

impl Verdicts {
    /// Returns what is served now, if the report says so.
    fn take(&mut self, report: Report) -> Option<SnapshotId> {
        match report {
            Report::Applied { id, rejected } => {
                self.any_applied = true;
                self.board.find(DATAPLANE, rejected.into_iter().map(rejection).collect());
                Some(id)
            }
            Report::Rejected { id, reason } => {
                tracing::error!(%id, "the data plane refused a snapshot: {reason}");
                if !self.any_applied {
                    self.board.fail(Error::Dataplane(reason.clone()));
                }
                self.board.find(DATAPLANE, vec![refused(reason)]);
                None
            }
        }
    }
}

fn rejection(Rejection { origin, reason }: Rejection) -> Problem {
    Problem { object: origin, severity: Severity::Error, field: String::new(), message: reason, reason: "Rejected" }
}

fn refused(reason: String) -> Problem {
    Problem {
        object: Arc::new(Origin::new("Controller", "", "tidegate")),
        severity: Severity::Error,
        field: String::new(),
        message: format!(
            "the data plane refused everything new, so that what was served before is still served: {reason}"
        ),
        reason: "SnapshotRejected",
    }
}
