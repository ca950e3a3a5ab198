//! From what is served to the file.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
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

/// Where only endpoints changed, the file is written once in this time at most. After a failure it is tried again after so
/// long, then ever later.
const PACE: Duration = Duration::from_secs(1);

/// So many times as long, at last.
const LONGEST: u32 = 64;

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
    let mut keeper = Keeper { folder, metrics, causes: Causes::new(limits.again), written: None, failures: 0 };
    let mut next_write = Instant::now();
    loop {
        let next = served.borrow_and_update().clone();
        match next.filter(|next| !keeper.holds(next)) {
            Some(next) if Instant::now() < next_write && keeper.may_wait(&next) => sleep_until(next_write).await,
            Some(next) => {
                let writing = spawn_blocking(move || {
                    keeper.keep(next);
                    keeper
                });
                // A writer that panicked has lost what it knew, and there is no way to go on with half of it.
                let Ok(writer) = writing.await else {
                    tracing::error!("what is served is not kept any more");
                    return;
                };
                keeper = writer;
                next_write = Instant::now() + keeper.pause();
                // Who has ended will not wait until there is room.
                if keeper.failures > 0 && served.has_changed().is_err() {
                    return;
                }
            }
            None => {
                if served.changed().await.is_err() {
                    return;
                }
            }
        }
    }
}

/// Writes the file.
struct Keeper {
    folder: Folder,
    metrics: Metrics,
    causes: Causes,
    /// None: nothing, or a write has failed, and who knows what is there.
    written: Option<Written>,
    /// In a row.
    failures: u32,
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
    fn holds(&self, next: &Arc<Snapshot>) -> bool {
        self.written.as_ref().is_some_and(|written| Arc::ptr_eq(&written.snapshot, next))
    }

    /// Whether it need not be written at once.
    fn may_wait(&self, next: &Snapshot) -> bool {
        let is_endpoints = |frame: &Frame| match frame {
            Frame::Begin(_) | Frame::Commit => true,
            Frame::Put(piece) => matches!(piece, Piece::Endpoints(..)),
            Frame::Remove(id) => matches!(id, PieceId::Endpoints(_)),
            _ => false,
        };
        match &self.written {
            Some(written) => push(Some(&written.snapshot), next).iter().all(is_endpoints),
            // To write everything is dear, and there is no reason to believe that it will do now.
            None => self.failures > 0,
        }
    }

    /// From one write to the next.
    fn pause(&self) -> Duration {
        PACE * 2u32.saturating_pow(self.failures.saturating_sub(1)).min(LONGEST)
    }

    fn keep(&mut self, next: Arc<Snapshot>) {
        let appended = self.written.take().and_then(|written| written.append(&next).transpose());
        match appended.unwrap_or_else(|| self.write_anew(next)) {
            Ok(written) => {
                self.metrics.state_bytes(written.length);
                self.written = Some(written);
                self.failures = 0;
                self.causes.clear();
            }
            // The next one is written anew, so that nothing half-written stays in the middle.
            Err(error) => {
                self.failures = self.failures.saturating_add(1);
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
        remove(&path)?;
        // Half of one is of no use to anybody, takes room that may be what is missing, and has keys in it.
        self.write_to(&path, next).inspect_err(|_| drop(remove(&path)))
    }

    fn write_to(&self, path: &Path, next: Arc<Snapshot>) -> io::Result<Written> {
        let mut file = OpenOptions::new().append(true).create_new(true).mode(FILE_MODE).open(path)?;
        let hello = write(&mut file, &[Frame::Hello(Hello::ours(None))])?;
        let length = hello.saturating_add(write(&mut file, &push(None, &next))?);
        file.sync_all()?;
        fs::rename(path, self.folder.file())?;
        Ok(Written { file, snapshot: next, length, whole: length })
    }
}

impl Written {
    /// Adds what differs. None: the file is to be written anew, because it would be too long, or because there is a key in
    /// it that is used no more.
    fn append(mut self, next: &Arc<Snapshot>) -> io::Result<Option<Self>> {
        let frames = push(Some(&self.snapshot), next);
        let longest = SHORT.max(self.whole.saturating_mul(2));
        if frames.iter().any(|frame| outdates_a_key(frame, &self.snapshot)) {
            return Ok(None);
        }
        let Some(bytes) = encode(&frames, longest.saturating_sub(self.length))? else { return Ok(None) };
        self.file.write_all(&bytes)?;
        let length = self.length.saturating_add(length_of(&bytes));
        Ok(Some(Self { snapshot: Arc::clone(next), length, ..self }))
    }
}

fn outdates_a_key(frame: &Frame, held: &Snapshot) -> bool {
    match frame {
        Frame::Key(id, _) => held.keys.contains_key(id),
        Frame::TicketKey(_) => held.ticket_key.is_some(),
        Frame::Remove(PieceId::Key(_) | PieceId::TicketKey) => true,
        _ => false,
    }
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// All of these, unless they are longer than `most`.
fn encode(frames: &[Frame], most: u64) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    for frame in frames {
        frame.encode(&mut bytes).map_err(io::Error::other)?;
        if length_of(&bytes) > most {
            return Ok(None);
        }
    }
    Ok(Some(bytes))
}

/// Returns how many bytes there were. A whole snapshot is long, so it is written as it is encoded.
fn write(file: &mut File, frames: &[Frame]) -> io::Result<u64> {
    let (mut length, mut buffer) = (0u64, Vec::new());
    for (index, frame) in frames.iter().enumerate() {
        frame.encode(&mut buffer).map_err(io::Error::other)?;
        let is_last = index.saturating_add(1) == frames.len();
        if is_last || buffer.len() >= CHUNK {
            file.write_all(&buffer)?;
            length = length.saturating_add(length_of(&buffer));
            buffer.clear();
        }
    }
    Ok(length)
}

fn length_of(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}
