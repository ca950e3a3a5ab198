//! From what is served to the file.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    sync::Arc,
    time::Duration,
};

use snapshot::{
    Snapshot,
    frame::{Frame, Hello, Piece, PieceId, push},
};
use tokio::{
    sync::watch,
    task::spawn_blocking,
    time::{Instant, sleep_until},
};

use super::Folder;
use crate::{Limits, Metrics, causes::Causes, metrics::Failure};

const FILE_MODE: u32 = 0o600;

/// Where only endpoints changed, the file is written once in this time at most.
const PACE: Duration = Duration::from_secs(1);

/// How much is written at a time.
const CHUNK: usize = 64 << 10;

/// A file shorter than this is not written anew for its length.
const SHORT: u64 = 64 << 10;

pub(super) async fn run(
    folder: Folder,
    mut served: watch::Receiver<Option<Arc<Snapshot>>>,
    limits: Limits,
    metrics: Metrics,
) {
    let mut keeper = Some(Keeper { folder, metrics, causes: Causes::new(limits.again), written: None });
    let mut next_write = Instant::now();
    loop {
        let next = served.borrow_and_update().clone();
        if let (Some(next), Some(held)) = (next, keeper.as_ref()) {
            if Instant::now() < next_write && held.only_endpoints_differ(&next) {
                sleep_until(next_write).await;
                continue;
            }
            // A writer that panicked has lost what it knew, and there is no way to go on with half of it.
            let Some(mut writer) = keeper.take() else { return };
            let Ok(writer) = spawn_blocking(move || {
                writer.keep(next);
                writer
            })
            .await
            else {
                tracing::error!("what is served is not kept any more");
                return;
            };
            keeper = Some(writer);
            next_write = Instant::now() + PACE;
        }
        if served.changed().await.is_err() {
            return;
        }
    }
}

/// Writes the file.
struct Keeper {
    folder: Folder,
    metrics: Metrics,
    causes: Causes,
    written: Option<Written>,
}

/// What the file holds.
struct Written {
    file: File,
    snapshot: Arc<Snapshot>,
    length: u64,
    /// Its length when it was written anew.
    whole: u64,
}

impl Keeper {
    fn only_endpoints_differ(&self, next: &Snapshot) -> bool {
        let is_endpoints = |frame: &Frame| match frame {
            Frame::Begin(_) | Frame::Commit => true,
            Frame::Put(piece) => matches!(piece, Piece::Endpoints(..)),
            Frame::Remove(id) => matches!(id, PieceId::Endpoints(_)),
            _ => false,
        };
        self.written.as_ref().is_some_and(|written| push(Some(&written.snapshot), next).iter().all(is_endpoints))
    }

    fn keep(&mut self, next: Arc<Snapshot>) {
        let written = match self.written.take() {
            Some(written) if written.length <= SHORT.max(written.whole.saturating_mul(2)) => written.append(next),
            _ => self.write_anew(next),
        };
        match written {
            Ok(written) => {
                self.metrics.state_bytes(written.length);
                self.written = Some(written);
                self.causes.clear();
            }
            // The next one is written anew, so that nothing half-written stays in the middle.
            Err(error) => {
                self.metrics.failed(Failure::State);
                let message = format!("what is served cannot be kept in {}: {error}", self.folder.file().display());
                if self.causes.is_news(&message) {
                    tracing::error!("{message}");
                }
            }
        }
    }

    /// Beside the old one, which stays until the new one is whole.
    fn write_anew(&self, next: Arc<Snapshot>) -> io::Result<Written> {
        let path = self.folder.new_file();
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = OpenOptions::new().append(true).create_new(true).mode(FILE_MODE).open(&path)?;
        let hello = write(&mut file, &[Frame::Hello(Hello::ours(None))])?;
        let length = hello.saturating_add(write(&mut file, &push(None, &next))?);
        file.sync_all()?;
        fs::rename(&path, self.folder.file())?;
        Ok(Written { file, snapshot: next, length, whole: length })
    }
}

impl Written {
    fn append(mut self, next: Arc<Snapshot>) -> io::Result<Self> {
        let more = write(&mut self.file, &push(Some(&self.snapshot), &next))?;
        Ok(Self { snapshot: next, length: self.length.saturating_add(more), ..self })
    }
}

/// Returns how many bytes there were. A whole snapshot is long, so it is written as it is encoded.
fn write(file: &mut File, frames: &[Frame]) -> io::Result<u64> {
    let (mut length, mut buffer) = (0u64, Vec::new());
    for (index, frame) in frames.iter().enumerate() {
        frame.encode(&mut buffer).map_err(io::Error::other)?;
        let is_last = index.saturating_add(1) == frames.len();
        if is_last || buffer.len() >= CHUNK {
            file.write_all(&buffer)?;
            length = length.saturating_add(u64::try_from(buffer.len()).unwrap_or(u64::MAX));
            buffer.clear();
        }
    }
    Ok(length)
}
