//! The data plane's end: follows a controller's socket, and turns what comes into the channel of snapshots.

mod applied;
mod connection;
mod status;

use std::{path::PathBuf, sync::Arc, time::Duration};

use backon::{BackoffBuilder, ExponentialBuilder};
use snapshot::{
    Report, Snapshot,
    frame::{Frame, Hello, MAX_FRAME},
};
use tokio::{
    net::UnixStream,
    sync::{mpsc, watch},
    time::{Instant, sleep},
};

use applied::Applying;
use connection::Connection;
pub use status::Status;

use crate::{
    Limits, Metrics,
    causes::Causes,
    wire::{LinkError, Takes, Wire},
};

/// Between two tries to connect: the first wait, and the longest.
const BACKOFF: [Duration; 2] = [Duration::from_millis(100), Duration::from_secs(2)];

/// Follows a socket. Whatever happens there, what was served before is served on.
pub struct Follower {
    path: PathBuf,
    limits: Limits,
    metrics: Metrics,
    status: Status,
    causes: Causes,
    applying: Applying,
}

impl Follower {
    /// `held` is what is served where no controller answers in time: what was kept from before. Snapshots go into
    /// `snapshots`; what the data plane says of them comes by `reports`.
    pub fn new(
        path: PathBuf,
        held: Option<Arc<Snapshot>>,
        (snapshots, reports): (watch::Sender<Option<Arc<Snapshot>>>, mpsc::Receiver<Report>),
        limits: Limits,
        metrics: Metrics,
    ) -> Self {
        let applying = Applying::new(held, snapshots, reports, &limits);
        let causes = Causes::new(limits.again);
        Self { path, limits, metrics, status: Status::default(), causes, applying }
    }

    /// Why no controller is connected, if so.
    pub fn status(&self) -> Status {
        self.status.clone()
    }

    /// Until the data plane ends.
    pub async fn run(mut self) {
        let backoff = ExponentialBuilder::new().with_min_delay(BACKOFF[0]).with_max_delay(BACKOFF[1]);
        let backoff = backoff.without_max_times();
        let mut waits = backoff.build();
        loop {
            let error = match self.connect().await {
                Ok(wire) => {
                    let since = Instant::now();
                    self.connected();
                    let connection = Connection::new(wire, &mut self.applying, &self.limits, &self.metrics);
                    let ended = connection.run().await;
                    self.metrics.connected(false);
                    // One that only says hello and then breaks is not tried faster for it, nor logged each time.
                    if since.elapsed() > BACKOFF[1] {
                        waits = backoff.build();
                        self.causes.clear();
                    }
                    match ended {
                        Ok(()) => return,
                        Err(error) => error,
                    }
                }
                Err(error) => error,
            };
            self.failed(&error);
            let wait = waits.next().unwrap_or(BACKOFF[1]);
            if self.applying.go_on_for(sleep(wait)).await.is_none() {
                return;
            }
        }
    }

    async fn connect(&mut self) -> Result<Wire, LinkError> {
        let stream = UnixStream::connect(&self.path).await?;
        let mut wire = Wire::new(stream, Takes { decode: Frame::decode, longest: MAX_FRAME }, &self.limits);
        let hello = Hello::ours(self.applying.assembly.tell());
        let greeting = wire.greet(hello, "the controller", &self.limits);
        match self.applying.go_on_for(greeting).await {
            Some(greeted) => greeted.map(|_| wire),
            None => Err(LinkError::Closed),
        }
    }

    fn connected(&mut self) {
        tracing::info!("connected to the controller");
        self.metrics.connected(true);
        self.status.set(None);
    }

    fn failed(&mut self, error: &LinkError) {
        self.metrics.failed(error.failure());
        let message = format!("the controller at {} cannot be followed: {error}", self.path.display());
        if self.causes.is_news(&message) {
            tracing::warn!("{message}; what was served before is served on");
        }
        self.status.set(Some(message));
    }
}
