//! What idle connections hold: the memory of a proxy before there are any, with very many, and after all have ended.
//! What the kernel keeps for a socket is not in it: that is the same for all.

use std::{
    fmt::Write as _,
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};

use crate::{
    load::{Budget, Load},
    peer::Peer,
    process::{Running, START},
    procfs,
    site::Site,
    workload::{H1_1K, TLS_1K, Workload},
};

/// Connections that are opened with each other, so that a proxy never has many requests at a time.
const BATCH: usize = 50;
const BATCHES: usize = 120;
const CONNECTIONS: usize = BATCH * BATCHES;
/// Requests before the first look: what is made once is there then.
const WARM_UP: u64 = 2_000;
/// How long a proxy may take to see that connections have ended.
const ENDING: Duration = Duration::from_secs(20);
/// Between an event and a look at the memory: what is given back late is seen too.
const SETTLE: Duration = Duration::from_secs(3);

/// What to measure.
#[derive(Debug)]
pub struct Plan {
    /// The proxies.
    pub peers: Vec<Peer>,
    /// Their cores.
    pub cores: &'static str,
}

/// KiB, of all processes of a proxy.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Memory {
    before: u64,
    with: u64,
    after: u64,
}

impl Memory {
    /// For each connection.
    fn each(self) -> f64 {
        self.with.saturating_sub(self.before) as f64 / CONNECTIONS as f64
    }

    /// What is still held of it after all have ended, in MiB.
    fn kept(self) -> f64 {
        self.after.saturating_sub(self.before) as f64 / 1024.0
    }
}

/// Measures, and returns a table as Markdown.
///
/// # Errors
/// Where a proxy cannot be started, or does not keep that many connections.
pub fn run(site: &Site, plan: &Plan) -> Result<String> {
    let mut table = format!(
        "Memory of {CONNECTIONS} idle connections, after one request on each (proportional set size):\n\n\
         |  | plain, KiB each | TLS, KiB each | plain, MiB kept after | TLS, MiB kept after |\n| --- | --- | --- | --- | --- |\n"
    );
    for peer in &plan.peers {
        let plain = measure(*peer, H1_1K, site, plan.cores).with_context(|| peer.name())?;
        let tls = measure(*peer, TLS_1K, site, plan.cores).with_context(|| peer.name())?;
        let (name, each, kept) = (peer.name(), [plain.each(), tls.each()], [plain.kept(), tls.kept()]);
        writeln!(table, "| {name} | {:.1} | {:.1} | {:.1} | {:.1} |", each[0], each[1], kept[0], kept[1])?;
    }
    Ok(table)
}

fn measure(peer: Peer, workload: Workload, site: &Site, cores: &str) -> Result<Memory> {
    let mut running = peer.prepare(site)?.start(cores, &[])?;
    let target = workload.target(&running, site);
    running.wait_ready(&target, START)?;
    Load::connect(&target, BATCH)?.run(Budget::Requests(WARM_UP))?;
    sleep(SETTLE);
    let (before, files) = (look(&running)?, open_files(&running)?);
    let mut idle = Vec::new();
    for _ in 0..BATCHES {
        let mut load = Load::connect(&target, BATCH)?;
        load.run(Budget::Requests(BATCH as u64))?;
        idle.push(load);
    }
    sleep(SETTLE);
    let held = open_files(&running)?.saturating_sub(files);
    // One connection to the backend may be kept or not: a few files more or less say nothing.
    ensure!(held + 2 * BATCH >= CONNECTIONS, "it has only {held} files more, for {CONNECTIONS} connections");
    let with = look(&running)?;
    drop(idle);
    wait_for_end(&running, files)?;
    let memory = Memory { before, with, after: look(&running)? };
    let left = open_files(&running)?.saturating_sub(files);
    eprintln!("{:>22} | {:<18} | {memory:?} KiB; {held} files more, then {left}", peer.name(), workload.name);
    Ok(memory)
}

fn look(running: &Running) -> Result<u64> {
    procfs::memory(&running.pids()?)
}

fn open_files(running: &Running) -> Result<usize> {
    procfs::open_files(&running.pids()?)
}

fn wait_for_end(running: &Running, files: usize) -> Result<()> {
    let start = Instant::now();
    while open_files(running)? > files + 2 * BATCH {
        ensure!(start.elapsed() < ENDING, "connections that ended are still open after {} s", ENDING.as_secs());
        sleep(Duration::from_millis(100));
    }
    sleep(SETTLE);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_told_for_each_and_for_all() {
        let memory = Memory { before: 1_000, with: 61_000, after: 11_240 };
        assert_eq!((memory.each(), memory.kept()), (10.0, 10.0));
        let less = Memory { before: 1_000, with: 900, after: 900 };
        assert_eq!((less.each(), less.kept()), (0.0, 0.0));
    }
}
