//! One connection to a controller.

use std::sync::Arc;

use snapshot::{
    Report,
    frame::{Frame, FrameError, Step},
};
use tokio::time::{Instant, sleep_until};

use super::applied::Applying;
use crate::{
    Limits, Metrics,
    metrics::Failure,
    wire::{LinkError, Wire},
};

/// Takes pushes, and answers them.
pub(super) struct Connection<'a> {
    wire: Wire,
    applying: &'a mut Applying,
    limits: &'a Limits,
    metrics: &'a Metrics,
    /// When the push that has begun must have gone on.
    deadline: Option<Instant>,
}

impl<'a> Connection<'a> {
    pub(super) fn new(wire: Wire, applying: &'a mut Applying, limits: &'a Limits, metrics: &'a Metrics) -> Self {
        applying.assembly.abandon();
        Self { wire, applying, limits, metrics, deadline: None }
    }

    /// Until the data plane ends.
    ///
    /// # Errors
    /// The connection is of no use any more.
    pub(super) async fn run(mut self) -> Result<(), LinkError> {
        loop {
            let deadline = self.deadline;
            tokio::select! {
                frame = self.wire.frames.next() => self.take(frame?).await?,
                report = self.applying.next() => match report {
                    Some(report) => self.tell(report).await?,
                    None => return Ok(()),
                },
                () = sleep_until(deadline.unwrap_or_else(Instant::now)), if deadline.is_some() => {
                    return Err(LinkError::Timeout(self.limits.step));
                }
            }
        }
    }

    async fn take(&mut self, frame: Result<Frame, FrameError>) -> Result<(), LinkError> {
        if let Ok(Frame::Begin(begin)) = &frame {
            self.metrics.snapshot(begin.base.is_none());
        }
        self.deadline = None;
        match self.applying.assembly.take(frame)? {
            Step::More => self.deadline = Some(Instant::now() + self.limits.step),
            Step::Complete(snapshot) => self.applying.give(Arc::new(snapshot)),
            Step::Spoiled { id, reason } => {
                tracing::error!(%id, "a snapshot cannot be read, so that what was served before is served on: {reason}");
                self.metrics.failed(Failure::Item);
                self.tell(Report::Rejected { id, reason: format!("it cannot be read: {reason}") }).await?;
            }
            Step::Hello(_) => return Err(LinkError::Unexpected("second hello")),
            Step::Report(_) => return Err(LinkError::Unexpected("report")),
        }
        Ok(())
    }

    async fn tell(&mut self, report: Report) -> Result<(), LinkError> {
        self.wire.out.put(&Frame::Report(report))?;
        self.wire.out.flush().await
    }
}
