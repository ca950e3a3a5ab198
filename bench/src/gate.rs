//! System calls and user instructions for one proxied request: figures that hardly depend on what else a machine does.

mod instructions;
mod recorded;
mod syscalls;

use std::{io::Write, path::Path, time::Duration};

use anyhow::{Context, Result, bail};

use crate::{peer::Peer, site::Site};
use recorded::{Figures, Recorded};

/// How long a proxy may take to start; valgrind makes it some fifty times slower.
const START: Duration = Duration::from_secs(240);
const PEERS: [Peer; 3] = [Peer::Tidegate, Peer::Nginx, Peer::Haproxy];

/// Measures all three, prints the figures, and compares Tidegate's with the recorded ones, or records them.
///
/// # Errors
/// Where Tidegate became dearer, or something cannot be measured.
pub fn run(site: &Site, core: usize, path: &Path, record: bool) -> Result<()> {
    let before = if record { Recorded::default() } else { Recorded::read(path)? };
    let mut now = Recorded::default();
    for peer in PEERS {
        let figures = measure(peer, site, core).with_context(|| peer.name())?;
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

fn measure(peer: Peer, site: &Site, core: usize) -> Result<Figures> {
    Ok(Figures {
        syscalls: syscalls::measure(peer, site, core).context("system calls")?,
        instructions: instructions::measure(peer, site, core).context("instructions")?,
    })
}
