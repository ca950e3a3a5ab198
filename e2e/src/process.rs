//! Tidegate's processes as the node sees them.

use std::path::PathBuf;
use std::process::Command;

use anyhow::ensure;

/// The folder in /proc of the one process of that subcommand.
///
/// # Errors
/// There is none, or there are several.
pub fn find(subcommand: &str) -> anyhow::Result<PathBuf> {
    let is_it = |arguments: &str| {
        let mut words = arguments.split('\0');
        words.next().is_some_and(|program| program.ends_with("tidegate")) && words.next() == Some(subcommand)
    };
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc")?.flatten() {
        let arguments = std::fs::read_to_string(entry.path().join("cmdline")).unwrap_or_default();
        if is_it(&arguments) {
            found.push(entry.path());
        }
    }
    ensure!(found.len() == 1, "{} processes are a {subcommand}", found.len());
    Ok(found.swap_remove(0))
}

/// kill -9 for the one process of that subcommand.
///
/// # Errors
/// There is none, or there are several, or it cannot be killed.
pub fn kill(subcommand: &str) -> anyhow::Result<()> {
    let process = find(subcommand)?;
    let killed = Command::new("kill").arg("-9").args(process.file_name()).status()?.success();
    ensure!(killed, "the {subcommand} cannot be killed");
    Ok(())
}
