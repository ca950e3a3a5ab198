//! The socket in the file system.

use std::{
    fs::{self, DirBuilder, Permissions},
    io,
    os::unix::{
        fs::{DirBuilderExt, PermissionsExt},
        net,
    },
    path::{Path, PathBuf},
};

use thiserror::Error;
use tokio::net::UnixListener;

/// Its owner, and the group that the two planes share.
const SOCKET_MODE: u32 = 0o660;
const FOLDER_MODE: u32 = 0o750;

/// The socket cannot be bound.
#[derive(Debug, Error)]
#[error("cannot listen on {} (--socket): {cause}", path.display())]
pub struct BindError {
    path: PathBuf,
    #[source]
    cause: io::Error,
}

pub(super) fn bind(path: &Path) -> Result<UnixListener, BindError> {
    try_bind(path).map_err(|cause| BindError { path: path.to_owned(), cause })
}

fn try_bind(path: &Path) -> io::Result<UnixListener> {
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty() && !folder.exists()) {
        DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(folder)?;
    }
    // One character longer, since the length of such paths is limited.
    let mut hidden = std::ffi::OsString::from(".");
    hidden.push(name);
    let hidden = path.with_file_name(hidden);
    match fs::remove_file(&hidden) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = net::UnixListener::bind(&hidden)?;
    fs::set_permissions(&hidden, Permissions::from_mode(SOCKET_MODE))?;
    fs::rename(&hidden, path)?;
    listener.set_nonblocking(true)?;
    UnixListener::from_std(listener)
}
