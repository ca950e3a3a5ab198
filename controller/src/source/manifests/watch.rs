//! Events of the file system, gathered.

use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    },
    time::{Duration, Instant},
};

use compile::{Problem, Reason, Severity};
use notify::{
    EventKind, RecommendedWatcher, RecursiveMode, Watcher,
    event::{AccessKind, AccessMode},
};

use super::file;

/// A file is looked at when nothing was told for this long: writing takes several steps.
const QUIET: Duration = Duration::from_millis(20);

/// But at the latest after this long.
const LIMIT: Duration = Duration::from_millis(100);

/// More events than this between two looks, and everything is scanned instead.
const CAPACITY: usize = 4096;

/// Why the reader woke up.
pub(super) enum Wake {
    /// Something happened to these.
    Paths(BTreeSet<PathBuf>),
    /// Events were lost.
    Everything,
    /// It is time.
    Time,
    /// The source is stopped.
    Stop,
}

enum Message {
    Paths(Vec<PathBuf>),
    Stop,
}

/// Stops the reader when dropped.
pub(super) struct Stop {
    messages: SyncSender<Message>,
    stopped: Arc<AtomicBool>,
}

impl Drop for Stop {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Relaxed);
        // Only to wake it early: where the queue is full it wakes anyway, and then looks at the flag.
        let _ = self.messages.try_send(Message::Stop);
    }
}

/// The reader's end.
pub(super) struct Events {
    sender: SyncSender<Message>,
    receiver: Receiver<Message>,
    lost: Arc<AtomicBool>,
    stopped: Arc<AtomicBool>,
    watch: Watch,
}

/// What is watched now.
enum Watch {
    /// Nothing yet.
    None,
    /// The folder with this device and inode.
    Folder { id: (u64, u64), watcher: Result<RecommendedWatcher, String> },
    /// The folder is not there.
    Vanished(String),
}

/// A pair of both ends.
pub(super) fn events() -> (Events, Stop) {
    let (sender, receiver) = sync_channel(CAPACITY);
    let stopped = Arc::new(AtomicBool::new(false));
    let stop = Stop { messages: sender.clone(), stopped: Arc::clone(&stopped) };
    (Events { sender, receiver, lost: Arc::default(), stopped, watch: Watch::None }, stop)
}

impl Events {
    /// Watches the folder, again if it is another one than before or could not be watched. Returns whether it must be
    /// scanned for that.
    pub(super) fn follow(&mut self, folder: &Path) -> bool {
        let id = match fs::metadata(folder) {
            Ok(meta) if meta.is_dir() => (meta.dev(), meta.ino()),
            Ok(_) => return self.vanished("it is no folder any more".to_owned()),
            Err(error) => return self.vanished(error.to_string()),
        };
        if matches!(self.watch, Watch::Folder { id: watched, watcher: Ok(_) } if watched == id) {
            return false;
        }
        let watcher = self.watcher(folder).map_err(|error| error.to_string());
        self.watch = Watch::Folder { id, watcher };
        true
    }

    fn vanished(&mut self, why: String) -> bool {
        self.watch = Watch::Vanished(why);
        false
    }

    fn watcher(&self, folder: &Path) -> notify::Result<RecommendedWatcher> {
        let (sender, lost) = (self.sender.clone(), Arc::clone(&self.lost));
        let mut watcher = notify::recommended_watcher(move |event| tell(event, &sender, &lost))?;
        watcher.watch(folder, RecursiveMode::Recursive)?;
        Ok(watcher)
    }

    /// What is wrong with the folder as a whole.
    pub(super) fn problem(&self, folder: &Path) -> Option<Problem> {
        let (severity, message, reason) = match &self.watch {
            Watch::Vanished(why) => (
                Severity::Error,
                format!("the folder cannot be read, so that its last good objects are served: {why}"),
                Reason::FolderVanished,
            ),
            Watch::Folder { watcher: Err(why), .. } => (
                Severity::Warning,
                format!("the folder cannot be watched, so that changes are seen late: {why}"),
                Reason::FolderNotWatched,
            ),
            Watch::None | Watch::Folder { .. } => return None,
        };
        Some(Problem { object: file::origin(folder), severity, field: "folder".to_owned(), message, reason })
    }

    /// Waits for something to do, until `deadline` at the latest.
    pub(super) fn wait(&mut self, deadline: Instant) -> Wake {
        let mut paths = BTreeSet::new();
        let mut until = deadline;
        let mut limit = None;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            match self.receiver.recv_timeout(left) {
                Ok(Message::Paths(more)) => {
                    paths.extend(more);
                    let now = Instant::now();
                    until = (now + QUIET).min(*limit.get_or_insert(now + LIMIT));
                }
                Ok(Message::Stop) | Err(RecvTimeoutError::Disconnected) => return Wake::Stop,
                Err(RecvTimeoutError::Timeout) => break,
            }
        }
        if self.stopped.load(Ordering::Relaxed) {
            return Wake::Stop;
        }
        if self.lost.swap(false, Ordering::Relaxed) {
            return Wake::Everything;
        }
        if paths.is_empty() { Wake::Time } else { Wake::Paths(paths) }
    }
}

fn tell(event: notify::Result<notify::Event>, sender: &SyncSender<Message>, lost: &AtomicBool) {
    let paths = match event {
        Ok(event) if event.need_rescan() => {
            lost.store(true, Ordering::Relaxed);
            Vec::new()
        }
        Ok(event) if concerns_content(event.kind) => event.paths,
        Ok(_) => return,
        Err(error) => {
            tracing::warn!("the manifests folder: {error}");
            lost.store(true, Ordering::Relaxed);
            error.paths
        }
    };
    if sender.try_send(Message::Paths(paths)).is_err() {
        lost.store(true, Ordering::Relaxed);
    }
}

/// Our own reading makes events too; they must not wake us again.
fn concerns_content(kind: EventKind) -> bool {
    match kind {
        EventKind::Access(kind) => kind == AccessKind::Close(AccessMode::Write),
        EventKind::Any | EventKind::Create(_) | EventKind::Modify(_) | EventKind::Remove(_) | EventKind::Other => true,
    }
}
