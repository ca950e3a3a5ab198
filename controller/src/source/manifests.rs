//! Objects from the files of a folder: read once, then watched.
//!
//! The files are read by a thread of their own, because reading files blocks. Events of the file system name what to
//! look at; a slow full scan finds what no event told, such as a change behind a symbolic link.

mod file;
mod owners;
mod parse;
mod scan;
#[cfg(test)]
mod tests;
mod tree;
mod watch;

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use tokio::sync::mpsc;
use tree::Tree;
use watch::{Events, Wake};

use crate::{Error, board::Board, cycle::Update};

/// The name of this source among lists that are waited for.
pub(crate) const LIST: &str = "manifests";

/// How often every file's size and time are compared, events or not.
const FULL_SCAN: Duration = Duration::from_secs(10);

/// How often it is checked that the folder is still the one that is watched.
const FOLDER_CHECK: Duration = Duration::from_secs(1);

/// Ends the thread when it is dropped.
pub(crate) struct Manifests {
    _stop: watch::Stop,
}

/// Starts to read `folder`. Its first update lists [`LIST`].
///
/// # Errors
/// The folder is missing or no folder.
pub(crate) fn start(folder: &Path, updates: mpsc::Sender<Update>, board: Arc<Board>) -> Result<Manifests, Error> {
    start_with(folder, FULL_SCAN, updates, board)
}

/// The same with another time between full scans.
fn start_with(
    folder: &Path,
    full_scan: Duration,
    updates: mpsc::Sender<Update>,
    board: Arc<Board>,
) -> Result<Manifests, Error> {
    let failed = |cause: io::Error| Error::Folder { folder: folder.to_owned(), cause: Arc::new(cause) };
    std::fs::read_dir(folder).map_err(failed)?;
    // Events name absolute paths, whatever was asked for.
    let folder = &std::path::absolute(folder).map_err(failed)?;
    let (events, stop) = watch::events();
    let reader = Reader { folder: folder.to_owned(), tree: Tree::new(folder), full_scan, events, updates, board };
    thread::Builder::new().name("manifests".into()).spawn(move || reader.run()).map_err(failed)?;
    Ok(Manifests { _stop: stop })
}

struct Reader {
    folder: PathBuf,
    tree: Tree,
    full_scan: Duration,
    events: Events,
    updates: mpsc::Sender<Update>,
    board: Arc<Board>,
}

impl Reader {
    fn run(mut self) {
        let began = Instant::now();
        // Watched before it is read, so that no change falls between the two.
        self.events.follow(&self.folder);
        self.tree.scan_all();
        tracing::info!(
            folder = %self.folder.display(),
            files = self.tree.len(),
            seconds = began.elapsed().as_secs_f64(),
            "manifests read"
        );
        let mut next_scan = Instant::now() + self.full_scan;
        let mut open = self.send(Some(LIST.to_owned()));
        while open {
            match self.events.wait(self.wake_at()) {
                Wake::Stop => return,
                Wake::Paths(paths) => self.tree.look_at(paths),
                Wake::Everything => self.tree.scan_all(),
                Wake::Time => {}
            }
            if Instant::now() >= next_scan || self.events.follow(&self.folder) {
                self.tree.scan_all();
                next_scan = Instant::now() + self.full_scan;
            }
            self.tree.remove_what_stayed_away();
            open = self.send(None);
        }
    }

    fn wake_at(&self) -> Instant {
        let check = Instant::now() + FOLDER_CHECK.min(self.full_scan);
        self.tree.next_removal().map_or(check, |removal| removal.min(check))
    }

    /// Returns whether anybody listens.
    fn send(&mut self, listed: Option<String>) -> bool {
        let mut problems = self.tree.problems();
        problems.extend(self.events.problem(&self.folder));
        self.board.find(LIST, problems);
        let changes = self.tree.take_changes();
        if changes.is_empty() && listed.is_none() {
            return !self.updates.is_closed();
        }
        self.updates.blocking_send(Update { changes, listed, ..Update::default() }).is_ok()
    }
}
