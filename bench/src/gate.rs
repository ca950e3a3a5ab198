//! System calls and user instructions for one proxied request: figures that hardly depend on what else a machine does.

mod instructions;
mod recorded;
mod syscalls;

use std::{
    io::Write,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result, bail};

use crate::{peer::Peer, site::Site};
use recorded::{Figures, Recorded};

/// How long a proxy may take to start; valgrind makes it some fifty times slower.
const START: Duration = Duration::from_secs(240);
const PEERS: [Peer; 3] = [Peer::Tidegate, Peer::Nginx, Peer::Haproxy];

/// How to measure.
#[derive(Debug)]
pub struct Plan<'a> {
    /// What the proxies share.
    pub site: &'a Site,
    /// The core of the proxies.
    pub core: usize,
    /// Where callgrind's profiles are kept, if they are.
    pub profiles: Option<PathBuf>,
}

/// Measures all three, prints the figures, and compares Tidegate's with the recorded ones, or records them.
///
/// # Errors
/// Where Tidegate became dearer, or something cannot be measured.
pub fn run(plan: &Plan<'_>, path: &Path, record: bool) -> Result<()> {
    let before = if record { Recorded::default() } else { Recorded::read(path)? };
    let mut now = Recorded::default();
    for peer in PEERS {
        let figures = measure(peer, plan).with_context(|| peer.name())?;
        writeln!(std::io::stdout(), "{}", figures.line(peer.name(), before.of(peer.name())))?;
        now.set(peer.name(), figures);
    }
    if record {
        return now.write(path);
    }
    match now.dearer(&before, Peer::Tidegate.name()) {
        findings if findings.is_empty() => Ok(()),
        findings => bail!("dearer than recorded in {}: {}", path.display(), findings.join("; ")),
    }
}

fn measure(peer: Peer, plan: &Plan<'_>) -> Result<Figures> {
    Ok(Figures {
        syscalls: syscalls::measure(peer, plan).context("system calls")?,
        instructions: instructions::measure(peer, plan).context("instructions")?,
    })
}
