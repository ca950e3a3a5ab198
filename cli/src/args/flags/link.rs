//! What joins two processes.

use std::path::PathBuf;

use clap::Args;

/// The way from one plane to the other.
#[derive(Debug, Args)]
pub struct SocketFlags {
    /// The Unix socket between controller and data plane: the controller makes it.
    #[arg(long, default_value = "/run/tidegate/link/tidegate.sock", value_name = "PATH")]
    pub socket: PathBuf,
}

/// What a data plane keeps.
#[derive(Debug, Args)]
pub struct StateFlags {
    /// A folder for what is served, private keys included, to start from when no controller answers; nothing is kept
    /// without it. It is made where it is missing, and closed to other users.
    #[arg(long, value_name = "DIR")]
    pub state_dir: Option<PathBuf>,
}
