//! One data plane that is connected.

use std::{convert::Infallible, sync::Arc};

use snapshot::{
    Report, Snapshot,
    frame::{Frame, FrameError, push},
};
use tokio::sync::{mpsc, watch};

use super::{Greeted, Shared, lock, too_long::Held};
use crate::{
    metrics::Failure,
    wire::{LinkError, Wire, within},
};

/// Sends one snapshot at a time, and the next one after the answer. Those between are skipped.
pub(super) struct Session {
    wire: Wire,
    shared: Arc<Shared>,
    snapshots: watch::Receiver<Option<Arc<Snapshot>>>,
    reports: mpsc::Sender<Report>,
    /// What the data plane holds, if we still have it.
    base: Option<Arc<Snapshot>>,
    /// Whether it holds anything.
    holds: bool,
    /// What was sent last on this connection.
    sent: Option<Arc<Snapshot>>,
}

impl Session {
    pub(super) fn new(
        greeted: Greeted,
        shared: Arc<Shared>,
        snapshots: watch::Receiver<Option<Arc<Snapshot>>>,
        reports: mpsc::Sender<Report>,
    ) -> Self {
        let Greeted { wire, hello } = greeted;
        let known = [lock(&shared.held).clone(), lock(&shared.sent).clone()];
        let base = known.into_iter().flatten().find(|known| Some(known.id) == hello.held);
        tracing::info!(knows_its_state = base.is_some(), "a data plane has connected");
        lock(&shared.too_long).begin();
        Self { wire, shared, snapshots, reports, base, holds: hello.held.is_some(), sent: None }
    }

    pub(super) async fn run(mut self) {
        match self.serve().await {
            Err(LinkError::Closed) => tracing::info!("the data plane has disconnected"),
            Err(error) => self.shared.broken(&error),
        }
    }

    async fn serve(&mut self) -> Result<Infallible, LinkError> {
        // Once the controller has ended, nothing new will ever come; the data plane goes on with what it has.
        let mut more = true;
        loop {
            let next = self.snapshots.borrow_and_update().clone();
            match next.filter(|next| self.is_due(next)) {
                Some(next) => self.send(next).await?,
                None => tokio::select! {
                    changed = self.snapshots.changed(), if more => more = changed.is_ok(),
                    frame = self.wire.frames.next() => self.hear(frame??).await?,
                },
            }
        }
    }

    fn is_due(&self, next: &Snapshot) -> bool {
        self.sent.as_ref().map(|sent| sent.id) != Some(next.id) && *lock(&self.shared.unsendable) != Some(next.id)
    }

    async fn send(&mut self, next: Arc<Snapshot>) -> Result<(), LinkError> {
        let mut fits = lock(&self.shared.too_long).replace_in(&next);
        self.shared.metrics.snapshot(self.base.is_none());
        for frame in push(self.base.as_deref(), &fits) {
            self.wire.out.send_some().await?;
            let Err(error) = self.wire.out.put(&frame) else { continue };
            match self.instead_of(frame, error, &mut fits) {
                Ok(instead) => instead.map_or(Ok(()), |frame| self.wire.out.put(&frame))?,
                Err(error) => {
                    self.refuse(&next, &error).await;
                    return Err(error.into());
                }
            }
        }
        let sent = Arc::new(fits);
        *lock(&self.shared.sent) = Some(Arc::clone(&sent));
        self.sent = Some(sent);
        self.wire.out.flush().await?;
        let limit = self.shared.limits.answer;
        within(limit, self.answer()).await?
    }

    /// What is sent instead of a frame that is too long.
    fn instead_of(&self, frame: Frame, error: FrameError, fits: &mut Snapshot) -> Result<Option<Frame>, FrameError> {
        let message = format!("an item is too long to be sent, and left out: {error}");
        let held = match self.base.as_deref() {
            Some(base) => Held::This(base),
            None if self.holds => Held::Unknown,
            None => Held::Nothing,
        };
        let instead = lock(&self.shared.too_long).found(frame, error, held, fits)?;
        self.shared.failed(Failure::Item, &message);
        Ok(instead)
    }

    /// Waits for the fate of what was sent.
    async fn answer(&mut self) -> Result<(), LinkError> {
        let sent = self.sent.as_ref().map(|sent| sent.id);
        loop {
            let frame = self.wire.frames.next().await??;
            let is_answer = matches!(&frame, Frame::Report(report) if Some(report.id()) == sent);
            self.hear(frame).await?;
            if is_answer {
                return Ok(());
            }
        }
    }

    /// A data plane that had to refuse what was sent may try again by itself, so reports come unasked, too.
    async fn hear(&mut self, frame: Frame) -> Result<(), LinkError> {
        let Frame::Report(mut report) = frame else { return Err(LinkError::Unexpected("message that is no report")) };
        // What was kept from before another controller had made.
        let Some(sent) = self.sent.as_ref().filter(|sent| sent.id == report.id()) else { return Ok(()) };
        self.base = match &mut report {
            Report::Applied { rejected, .. } => {
                lock(&self.shared.causes).clear();
                rejected.extend(lock(&self.shared.too_long).rejected());
                self.holds = true;
                Some(Arc::clone(sent))
            }
            // What it holds now is not worth a guess: it gets everything next time.
            Report::Rejected { .. } => None,
        };
        lock(&self.shared.held).clone_from(&self.base);
        // A controller that does not listen any more is about to leave.
        self.reports.send(report).await.ok();
        Ok(())
    }

    /// A snapshot that cannot be sent is refused in the data plane's place.
    async fn refuse(&self, next: &Snapshot, error: &FrameError) {
        *lock(&self.shared.unsendable) = Some(next.id);
        self.shared.metrics.failed(Failure::Item);
        let reason = format!("it cannot be sent: {error}");
        self.reports.send(Report::Rejected { id: next.id, reason }).await.ok();
    }
}
