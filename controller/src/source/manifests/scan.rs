//! Which files there are.

use std::{
    collections::{BTreeMap, HashSet},
    fs::{self, Metadata},
    io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

/// What tells one version of a file from the next without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    /// Seconds and nanoseconds of the last change of content, name or permissions: unlike the time of modification it
    /// cannot be set back.
    changed: (i64, i64),
}

impl Stamp {
    fn new(meta: &Metadata) -> Self {
        Self { device: meta.dev(), inode: meta.ino(), size: meta.size(), changed: (meta.ctime(), meta.ctime_nsec()) }
    }
}

/// What is at a path.
pub(super) enum Found {
    /// A file of ours.
    File(Stamp),
    /// A folder.
    Folder,
    /// Nothing, or nothing that concerns us.
    Nothing,
}

/// Looks at one path.
///
/// # Errors
/// It is there but cannot be looked at.
pub(super) fn look(path: &Path) -> io::Result<Found> {
    match fs::metadata(path) {
        Ok(meta) if meta.is_dir() => Ok(Found::Folder),
        // Only regular files: opening a named pipe would wait for ever.
        Ok(meta) if meta.is_file() && is_manifest(path) => Ok(Found::File(Stamp::new(&meta))),
        Ok(_) => Ok(Found::Nothing),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            Ok(Found::Nothing)
        }
        Err(error) => Err(error),
    }
}

/// The files under a folder.
#[derive(Default)]
pub(super) struct Scan {
    pub(super) files: BTreeMap<PathBuf, Stamp>,
    /// What could not be looked at, and why.
    pub(super) unreadable: BTreeMap<PathBuf, io::Error>,
}

/// Lists the files of a folder, of any depth. Hidden files and folders are left out; symbolic links are followed.
pub(super) fn scan(folder: &Path) -> Scan {
    let mut scan = Scan::default();
    let mut seen = HashSet::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = fs::metadata(&folder).and_then(|meta| Ok((meta, fs::read_dir(&folder)?)));
        let (meta, entries) = match entries {
            Ok(found) => found,
            Err(error) => {
                scan.unreadable.insert(folder, error);
                continue;
            }
        };
        // A link to a folder above would lead round for ever.
        if !seen.insert((meta.dev(), meta.ino())) {
            continue;
        }
        for entry in entries {
            let path = match entry {
                Ok(entry) => entry.path(),
                Err(error) => {
                    scan.unreadable.insert(folder.clone(), error);
                    break;
                }
            };
            if is_hidden(&path) {
                continue;
            }
            match look(&path) {
                Ok(Found::File(stamp)) => drop(scan.files.insert(path, stamp)),
                Ok(Found::Folder) => folders.push(path),
                Ok(Found::Nothing) => {}
                Err(error) => drop(scan.unreadable.insert(path, error)),
            }
        }
    }
    scan
}

/// Editors and mounted ConfigMaps keep what is not meant for us under names that begin with a dot.
pub(super) fn is_hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."))
}

fn is_manifest(path: &Path) -> bool {
    path.extension().is_some_and(|extension| ["yaml", "yml", "json"].iter().any(|known| extension == *known))
}
