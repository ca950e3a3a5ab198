//! What the data plane was given, and what it said of it.

use std::{pin::pin, sync::Arc};

use snapshot::{Report, Snapshot, frame::Assembly};
use tokio::{
    sync::{mpsc, watch},
    time::{Duration, Instant, sleep_until},
};

use crate::Limits;

/// The two channels of a data plane, and what is known of what goes through them.
pub(super) struct Applying {
    pub(super) assembly: Assembly,
    snapshots: watch::Sender<Option<Arc<Snapshot>>>,
    reports: mpsc::Receiver<Report>,
    /// What was given last.
    given: Option<Arc<Snapshot>>,
    /// Whether anything is served.
    serves: bool,
    /// What is kept from before, and when it is given where nothing else came.
    kept: Option<(Instant, Arc<Snapshot>)>,
    /// When the first snapshot is given again, which was refused.
    again: Option<Instant>,
    retry: Duration,
}

impl Applying {
    pub(super) fn new(
        kept: Option<Arc<Snapshot>>,
        snapshots: watch::Sender<Option<Arc<Snapshot>>>,
        reports: mpsc::Receiver<Report>,
        limits: &Limits,
    ) -> Self {
        let mut assembly = Assembly::default();
        if let Some(kept) = &kept {
            assembly.hold(Arc::clone(kept));
        }
        let kept = kept.map(|kept| (Instant::now() + limits.start, kept));
        let retry = limits.retry;
        Self { assembly, snapshots, reports, given: None, serves: false, kept, again: None, retry }
    }

    /// Gives the data plane a snapshot.
    pub(super) fn give(&mut self, snapshot: Arc<Snapshot>) {
        (self.kept, self.again) = (None, None);
        self.given = Some(Arc::clone(&snapshot));
        self.snapshots.send_replace(Some(snapshot));
    }

    /// What happens without a controller, until `future` is done: reports come, and what waits for its time is given.
    /// None: the data plane has ended.
    pub(super) async fn go_on_for<T>(&mut self, future: impl Future<Output = T>) -> Option<T> {
        let mut future = pin!(future);
        loop {
            tokio::select! {
                done = &mut future => return Some(done),
                report = self.next() => drop(report?),
            }
        }
    }

    /// The next report, noted. None: the data plane has ended. Nothing is lost where this is given up before it is done.
    pub(super) async fn next(&mut self) -> Option<Report> {
        loop {
            let due = self.kept.as_ref().map(|(due, _)| *due).or(self.again);
            tokio::select! {
                report = self.reports.recv() => {
                    let report = report?;
                    self.note(&report);
                    return Some(report);
                }
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => self.give_what_is_due(),
            }
        }
    }

    fn give_what_is_due(&mut self) {
        if let Some((_, kept)) = self.kept.take() {
            tracing::info!(id = %kept.id, "no controller has answered: serving what was kept from before");
            self.give(kept);
        } else if let Some(given) = self.given.clone() {
            self.give(given);
        }
    }

    fn note(&mut self, report: &Report) {
        let Some(given) = self.given.as_ref().filter(|given| given.id == report.id()) else { return };
        match report {
            Report::Applied { .. } => {
                self.serves = true;
                self.assembly.hold(Arc::clone(given));
            }
            // The one before is served on; where there is none, what was in the way may go away.
            Report::Rejected { .. } if !self.serves => self.again = Some(Instant::now() + self.retry),
            Report::Rejected { .. } => {}
        }
    }
}
