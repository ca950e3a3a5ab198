use std::{io, path::PathBuf};

/// Why a check could not be made at all. What a check finds is a [`crate::Finding`].
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or folder could not be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// What was to be read.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A source file is not Rust that syn understands.
    #[error("{}:{line}: {message}", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// Where in it, from 1.
        line: usize,
        /// What the parser expected.
        message: String,
    },
    /// The checkout could not be walked.
    #[error("cannot walk the checkout: {0}")]
    Walk(#[from] ignore::Error),
    /// cargo could not be started.
    #[error("cannot run cargo: {0}")]
    Cargo(#[from] io::Error),
    /// cargo ended with an error.
    #[error("cargo {command}: {stderr}")]
    CargoFailed {
        /// Its subcommand.
        command: String,
        /// What it wrote.
        stderr: String,
    },
    /// `cargo metadata` answered something else than expected.
    #[error("cannot read the answer of cargo metadata: {0}")]
    Metadata(#[from] serde_json::Error),
}
