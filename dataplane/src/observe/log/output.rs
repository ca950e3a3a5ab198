//! Where the lines of the access log go.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

/// An output, and the name of its file if it is one.
pub(super) struct Output {
    sink: Box<dyn Write + Send>,
    path: Option<PathBuf>,
}

impl Output {
    /// One that cannot be opened anew.
    pub(super) fn unnamed(sink: impl Write + Send + 'static) -> Self {
        Self { sink: Box::new(sink), path: None }
    }

    /// A file, at its end.
    pub(super) fn file(path: &Path) -> io::Result<Self> {
        Ok(Self { sink: Box::new(open(path)?), path: Some(path.to_owned()) })
    }

    /// Opens what has the name of its file now, where it has one. Otherwise, and with an error, all stays as it is.
    pub(super) fn reopen(&mut self) -> io::Result<()> {
        if let Some(path) = &self.path {
            self.sink = Box::new(open(path)?);
        }
        Ok(())
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.sink.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.sink.flush()
    }
}
