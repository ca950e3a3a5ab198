//! One file: read, checked, and what is wrong with it.

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
    sync::Arc,
};

use compile::{Problem, Reason, Severity};
use snapshot::Origin;

use super::parse::{self, Parsed, Remark};

/// Larger files are refused: no manifest is, and the whole file must fit into memory several times.
const MAX_SIZE: u64 = 64 << 20;

/// The reason of a problem: the system did not let us look.
pub(super) const UNREADABLE: Reason = Reason::FileUnreadable;

/// Reads a file.
///
/// # Errors
/// Nothing of it can be used. The remark says why.
pub(super) fn read(path: &Path) -> Result<Parsed, Remark> {
    let text = text(path).map_err(|error| Remark::error(None, reason(&error), error.to_string()))?;
    match path.extension() {
        Some(extension) if extension == "json" => parse::json(&text),
        _ => parse::yaml(&text),
    }
}

/// What is wrong with the file itself stays wrong until it is changed.
fn reason(error: &io::Error) -> Reason {
    match error.kind() {
        io::ErrorKind::FileTooLarge => Reason::FileTooLarge,
        io::ErrorKind::InvalidData => Reason::FileBroken,
        _ => UNREADABLE,
    }
}

fn text(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    let size = File::open(path)?.take(MAX_SIZE + 1).read_to_string(&mut text)?;
    if size as u64 > MAX_SIZE {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "larger than 64 MiB"));
    }
    Ok(text)
}

/// A file or folder, for problems.
pub(super) fn origin(path: &Path) -> Arc<Origin> {
    Arc::new(Origin::new("File", "", &path.to_string_lossy()))
}

/// A remark on a file as a problem.
pub(super) fn problem(path: &Path, remark: Remark) -> Problem {
    let Remark { line, severity, reason, message } = remark;
    let field = line.map_or_else(|| "content".to_owned(), |line| format!("line {line}"));
    Problem { object: origin(path), severity, field, message, reason }
}

/// A file that could not be used while an older version of it can.
pub(super) fn stale(mut problem: Problem) -> Problem {
    problem.severity = Severity::Error;
    problem.message.push_str("; the objects of its last good version are served");
    problem
}
