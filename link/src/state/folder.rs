//! The folder, which is for our own user alone.

use std::{
    fs::{self, DirBuilder, Permissions},
    io,
    os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::Arc,
};

use snapshot::Snapshot;
use thiserror::Error;
use tokio::sync::watch;

use super::{
    keep,
    load::{self, Kept},
};
use crate::{Limits, Metrics, metrics::Failure};

const FOLDER_MODE: u32 = 0o700;

/// A folder that nobody else can look into.
#[derive(Debug, Clone)]
pub struct Folder(PathBuf);

/// A folder that private keys must not be put into.
#[derive(Debug, Error)]
#[error("{} cannot keep the state (--state-dir): {reason}", path.display())]
pub struct FolderError {
    path: PathBuf,
    reason: String,
}

impl Folder {
    /// Makes the folder (mode 0700), or takes one that is ours and closes it to others.
    ///
    /// # Errors
    /// It cannot be made, is somebody else's, or is no folder.
    pub fn open(path: &Path) -> Result<Self, FolderError> {
        let error = |reason: String| FolderError { path: path.to_owned(), reason };
        make(path).map_err(|cause| error(cause.to_string()))?;
        let metadata = fs::symlink_metadata(path).map_err(|cause| error(cause.to_string()))?;
        let own = rustix::process::geteuid().as_raw();
        match metadata.uid() {
            _ if !metadata.is_dir() => Err(error("it is no folder".to_owned())),
            owner if owner != own => {
                Err(error(format!("it belongs to user {owner} and we are {own}: name a folder inside, which is made")))
            }
            _ => {
                let permissions = Permissions::from_mode(FOLDER_MODE);
                fs::set_permissions(path, permissions).map_err(|cause| error(cause.to_string()))?;
                Ok(Self(path.to_owned()))
            }
        }
    }

    /// What was kept in it. What cannot be used is logged and counts for nothing.
    pub fn load(&self, metrics: &Metrics) -> Option<Arc<Snapshot>> {
        let file = self.file();
        match load::load(&file) {
            Ok(kept) => kept.map(|Kept { snapshot, damage }| {
                if let Some(damage) = damage {
                    metrics.failed(Failure::State);
                    let (id, file) = (snapshot.id, file.display());
                    tracing::warn!(%id, "of what was kept in {file} only the beginning is used: {damage}");
                }
                Arc::new(snapshot)
            }),
            Err(reason) => {
                metrics.failed(Failure::State);
                tracing::warn!("what was kept in {} is not used: {reason}", self.0.display());
                None
            }
        }
    }

    /// Keeps what is served, until the data plane ends.
    pub async fn keep(self, served: watch::Receiver<Option<Arc<Snapshot>>>, limits: Limits, metrics: Metrics) {
        keep::run(self, served, limits, metrics).await;
    }

    pub(super) fn file(&self) -> PathBuf {
        self.0.join("snapshot")
    }

    pub(super) fn new_file(&self) -> PathBuf {
        self.0.join("snapshot.new")
    }
}

fn make(path: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(FOLDER_MODE).create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            DirBuilder::new().mode(FOLDER_MODE).recursive(true).create(path)
        }
        made => made,
    }
}
