//! System calls and user instructions for one proxied request: figures that hardly depend on what else a machine does.

mod instructions;
mod recorded;
mod syscalls;
mod table;

use std::{
    io::Write,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result, bail};

use crate::{
    peer::Peer,
    site::Site,
    workload::{H1_1K, H2_1K},
};
use recorded::{Figures, Recorded};

/// How long a proxy may take to start; valgrind makes it some fifty times slower.
const START: Duration = Duration::from_secs(240);
const PEERS: [Peer; 3] = [Peer::Tidegate, Peer::Nginx, Peer::Haproxy];
/// The most system calls that a request over HTTP/2 may take Tidegate, whatever is recorded.
const MOST_H2_SYSCALLS: f64 = 2.5;
/// By how much a request may be dearer with the large table, in parts of one.
const MOST_FOR_TABLE: f64 = 0.05;

/// How to measure.
#[derive(Debug)]
pub struct Plan<'a> {
    /// What the proxies share.
    pub site: &'a Site,
    /// The core of the proxies.
    pub cores: &'static str,
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
    let table = table::measure(plan).context("large table")?;
    writeln!(std::io::stdout(), "{}", table.line())?;
    if record {
        now.write(path)?;
    }
    let mut findings = if record { Vec::new() } else { now.dearer(&before, Peer::Tidegate.name()) };
    findings.extend(above_limits(now.of(Peer::Tidegate.name()), &table));
    if findings.is_empty() {
        return Ok(());
    }
    bail!("Tidegate is dearer than its limits, or than recorded in {}: {}", path.display(), findings.join("; "))
}

/// What is too dear, whatever was recorded.
fn above_limits(now: Option<Figures>, table: &table::Figures) -> Vec<String> {
    let mut findings = Vec::new();
    if let Some(calls) = now.map(|now| now.h2_syscalls).filter(|calls| *calls > MOST_H2_SYSCALLS) {
        findings.push(format!("{calls} system calls with h2, {MOST_H2_SYSCALLS} are allowed"));
    }
    if table.dearer() > MOST_FOR_TABLE {
        findings.push(format!("{:.1} % more instructions with a large table", table.dearer() * 100.0));
    }
    findings
}

fn measure(peer: Peer, plan: &Plan<'_>) -> Result<Figures> {
    Ok(Figures {
        syscalls: syscalls::measure(peer, H1_1K, plan).context("system calls")?,
        h2_syscalls: syscalls::measure(peer, H2_1K, plan).context("system calls with h2")?,
        instructions: instructions::measure(peer, plan).context("instructions")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_hold_whatever_is_recorded() {
        let figures = |h2_syscalls| Some(Figures { syscalls: 4.0, h2_syscalls, instructions: 1.0 });
        let table = |many| table::Figures { one: 1_000.0, many };
        assert!(above_limits(figures(2.5), &table(1_049.0)).is_empty());
        assert_eq!(above_limits(figures(2.6), &table(1_000.0)), ["2.6 system calls with h2, 2.5 are allowed"]);
        assert_eq!(above_limits(figures(1.0), &table(1_060.0)), ["6.0 % more instructions with a large table"]);
    }
}
