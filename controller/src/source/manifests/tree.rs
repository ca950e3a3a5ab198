//! The files of a folder and what was read from them.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::ErrorKind,
    ops::Bound,
    path::{Component, Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use compile::{Problem, Reason, Severity};

use super::{
    file,
    owners::Owners,
    parse::{Parsed, Remark},
    scan::{self, Found, Scan, Stamp},
};
use crate::object::{Change, Object};

/// A file must be gone for this long before its objects go: editors and `mv` remove and write again, and a folder that
/// is removed as a whole loses its files first.
const REMOVAL_DELAY: Duration = Duration::from_millis(250);

/// Fewer files than this are not worth a thread.
const FILES_PER_THREAD: usize = 64;

/// Everything that was read.
pub(super) struct Tree {
    root: PathBuf,
    files: BTreeMap<Arc<Path>, Entry>,
    owners: Owners,
    /// Files that are gone, and when they are believed to be.
    gone: BTreeMap<Arc<Path>, Instant>,
    /// What could not be looked at; what is known about it stays.
    unreadable: BTreeMap<PathBuf, Problem>,
}

struct Entry {
    /// The version that was read; none where reading failed for a reason that may pass by itself, such as too many open
    /// files. It is then read again at the next look, changed or not.
    stamp: Option<Stamp>,
    objects: Vec<Object>,
    problems: Vec<Problem>,
}

impl Tree {
    pub(super) fn new(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
            files: BTreeMap::new(),
            owners: Owners::default(),
            gone: BTreeMap::new(),
            unreadable: BTreeMap::new(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.files.len()
    }

    /// Reads every file that is new or changed.
    pub(super) fn scan_all(&mut self) {
        let root = self.root.clone();
        let changed = self.scan(&root);
        self.load(changed);
    }

    /// Looks at what events named.
    pub(super) fn look_at(&mut self, paths: BTreeSet<PathBuf>) {
        let mut changed = BTreeMap::new();
        let targets: BTreeSet<PathBuf> = paths.iter().filter_map(|path| self.target(path)).collect();
        for path in targets {
            match scan::look(&path) {
                // Without comparing stamps: two writes within a tick of the file system's clock have the same.
                Ok(Found::File(stamp)) => drop(changed.insert(path, stamp)),
                Ok(Found::Folder) => changed.extend(self.scan(&path)),
                Ok(Found::Nothing) => self.miss(&path, &Scan::default()),
                Err(error) => drop(self.unreadable.insert(path.clone(), unreadable(&path, &error))),
            }
        }
        self.load(changed);
    }

    /// What has to be looked at when something happened to `path`. A mounted ConfigMap or Secret changes all its files
    /// by turning one link whose name begins with `..`; other hidden files do not concern us.
    fn target(&self, path: &Path) -> Option<PathBuf> {
        let inside = path.strip_prefix(&self.root).ok()?;
        let mut target = self.root.clone();
        for component in inside.components() {
            let Component::Normal(name) = component else { return None };
            match name.as_encoded_bytes() {
                [b'.', b'.', ..] => return Some(target),
                [b'.', ..] => return None,
                _ => target.push(name),
            }
        }
        Some(target)
    }

    /// The files under `folder` that are new or changed. Those that are gone are noted.
    fn scan(&mut self, folder: &Path) -> BTreeMap<PathBuf, Stamp> {
        let mut found = scan::scan(folder);
        self.unreadable.retain(|path, _| !path.starts_with(folder));
        for (path, error) in &found.unreadable {
            // That the root is gone is told by the watch.
            if *path != self.root || error.kind() != ErrorKind::NotFound {
                self.unreadable.insert(path.clone(), unreadable(path, error));
            }
        }
        self.miss(folder, &found);
        found.files.retain(|path, stamp| {
            self.gone.remove(path.as_path());
            self.files.get(path.as_path()).is_none_or(|known| known.stamp != Some(*stamp))
        });
        found.files
    }

    /// Notes which known files under `path` are not among those found.
    fn miss(&mut self, path: &Path, found: &Scan) {
        let due = Instant::now() + REMOVAL_DELAY;
        self.unreadable.retain(|old, _| !old.starts_with(path) || found.unreadable.contains_key(old));
        let from = (Bound::Included(path), Bound::Unbounded);
        for (file, _) in self.files.range::<Path, _>(from).take_while(|(file, _)| file.starts_with(path)) {
            let hidden_from_us = file.ancestors().any(|above| found.unreadable.contains_key(above));
            if !found.files.contains_key(&**file) && !hidden_from_us {
                self.gone.entry(Arc::clone(file)).or_insert(due);
            }
        }
    }

    /// When [`Tree::remove_what_stayed_away`] has something to do.
    pub(super) fn next_removal(&self) -> Option<Instant> {
        self.gone.values().min().copied()
    }

    /// Takes out the objects of files that are gone for good.
    pub(super) fn remove_what_stayed_away(&mut self) {
        if self.gone.is_empty() {
            return;
        }
        if !self.root.is_dir() {
            // Not a file went, the folder did: what it held stays until it is back.
            self.gone.clear();
            return;
        }
        let now = Instant::now();
        let due: Vec<Arc<Path>> =
            self.gone.iter().filter(|(_, due)| **due <= now).map(|(path, _)| Arc::clone(path)).collect();
        for path in due {
            self.gone.remove(&path);
            // It may be back without an event that we saw.
            if !matches!(scan::look(&path), Ok(Found::Nothing)) {
                continue;
            }
            if let Some(entry) = self.files.remove(&path) {
                self.owners.replace(&path, &entry.objects, &[]);
            }
        }
    }

    fn load(&mut self, files: BTreeMap<PathBuf, Stamp>) {
        for (path, stamp, content) in read_all(files.into_iter().collect()) {
            self.gone.remove(path.as_path());
            self.unreadable.remove(&path);
            self.put(path.into(), stamp, content);
        }
    }

    fn put(&mut self, path: Arc<Path>, stamp: Stamp, content: Result<Parsed, Remark>) {
        let old = self.files.remove(&path).map(|entry| entry.objects).unwrap_or_default();
        let entry = match content.and_then(|parsed| not_cut_off(parsed, &old)) {
            Ok(parsed) => entry(&path, stamp, parsed, &old),
            Err(remark) => {
                let stamp = (remark.reason != file::UNREADABLE).then_some(stamp);
                let problem = file::problem(&path, remark);
                let problem = if old.is_empty() { problem } else { file::stale(problem) };
                Entry { stamp, objects: old.clone(), problems: vec![problem] }
            }
        };
        self.owners.replace(&path, &old, &entry.objects);
        self.files.insert(path, entry);
    }

    pub(super) fn take_changes(&mut self) -> Vec<Change> {
        self.owners.take_changes()
    }

    /// What is wrong with the files now.
    pub(super) fn problems(&self) -> Vec<Problem> {
        let in_files = self.files.values().flat_map(|entry| &entry.problems);
        let mut problems: Vec<Problem> = in_files.chain(self.unreadable.values()).cloned().collect();
        for (key, files) in self.owners.duplicates() {
            // A file that is being renamed is in two places for a moment.
            let there: Vec<&Path> = files.into_iter().filter(|path| !self.gone.contains_key(*path)).collect();
            if let [first, others @ ..] = there.as_slice() {
                problems.extend(others.iter().map(|other| duplicate(key.origin(), first, other)));
            }
        }
        problems
    }
}

/// A file that suddenly holds nothing is most likely just being written.
fn not_cut_off(parsed: Parsed, old: &[Object]) -> Result<Parsed, Remark> {
    if parsed.blank && !old.is_empty() {
        return Err(Remark::error(
            None,
            Reason::FileEmpty,
            "the file is empty; to remove its objects, remove it".to_owned(),
        ));
    }
    Ok(parsed)
}

fn entry(path: &Path, stamp: Stamp, parsed: Parsed, old: &[Object]) -> Entry {
    let Parsed { mut objects, broken, remarks, blank: _ } = parsed;
    objects.extend(old.iter().filter(|object| broken.contains(&object.key())).cloned());
    let problems = remarks.into_iter().map(|remark| file::problem(path, remark)).collect();
    Entry { stamp: Some(stamp), objects, problems }
}

fn unreadable(path: &Path, error: &std::io::Error) -> Problem {
    file::problem(path, Remark::error(None, file::UNREADABLE, error.to_string()))
}

fn duplicate(object: Arc<snapshot::Origin>, first: &Path, other: &Path) -> Problem {
    Problem {
        object,
        severity: Severity::Error,
        field: "metadata.name".to_owned(),
        message: format!("is in {} and in {}; the first one counts", first.display(), other.display()),
        reason: Reason::DuplicateObject,
    }
}

type Loaded = (PathBuf, Stamp, Result<Parsed, Remark>);

/// Reads files on as many threads as pay off.
fn read_all(files: Vec<(PathBuf, Stamp)>) -> Vec<Loaded> {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let threads = cores.min(files.len().div_ceil(FILES_PER_THREAD));
    if threads < 2 {
        return files.into_iter().map(|(path, stamp)| read_one(path, stamp)).collect();
    }
    let (next, files) = (AtomicUsize::new(0), &files);
    let (sender, loaded) = mpsc::channel();
    thread::scope(|scope| {
        for _ in 0..threads {
            let (sender, next) = (sender.clone(), &next);
            scope.spawn(move || {
                while let Some((path, stamp)) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
                    // The receiver outlives the scope.
                    let _ = sender.send(read_one(path.clone(), *stamp));
                }
            });
        }
    });
    drop(sender);
    loaded.into_iter().collect()
}

fn read_one(path: PathBuf, stamp: Stamp) -> Loaded {
    let content = file::read(&path);
    (path, stamp, content)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As where open files had run out just then.
    #[test]
    fn what_could_not_be_read_is_read_again_though_it_did_not_change() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.yaml");
        std::fs::write(&path, "apiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n").unwrap();
        let Ok(Found::File(stamp)) = scan::look(&path) else { panic!("no file") };
        let mut tree = Tree::new(folder.path());
        tree.put(path.into(), stamp, Err(Remark::error(None, file::UNREADABLE, "too many open files".to_owned())));
        assert_eq!((tree.take_changes().len(), tree.problems().len()), (0, 1));
        tree.scan_all();
        assert_eq!((tree.take_changes().len(), tree.problems().len()), (1, 0));
    }
}
