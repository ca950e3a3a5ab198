//! All proxies beside each other, in rounds: within a round each workload goes to one proxy right after the other, and
//! each round begins with another proxy, so that slow and fast times of the machine hit all of them alike.

mod figures;
mod table;

use std::{fmt::Write as _, time::Duration};

use anyhow::{Context, Result, bail};

use crate::{
    peer::Peer,
    process::{Running, START},
    procfs,
    site::Site,
    workload::{self, Workload},
};
pub use figures::median;
use figures::{Figures, Measurement};

/// Below this share of its core a proxy was idle at times, or others were on its core: both make figures worthless.
const BUSY: f64 = 0.9;

/// How much to measure.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The proxies.
    pub peers: Vec<Peer>,
    /// What they are asked to do.
    pub workloads: Vec<Workload>,
    /// The rounds.
    pub rounds: usize,
    /// How long each proxy is measured in each round with each workload.
    pub time: Duration,
    /// How often a measurement is tried again that had to be refused.
    pub tries: usize,
    /// The core of the proxies.
    pub cores: &'static str,
}

/// A proxy with its place in the tables.
struct Candidate {
    peer: Peer,
    running: Running,
    serves: Vec<Workload>,
}

/// Measures, and returns the tables as Markdown.
///
/// # Errors
/// Where a proxy cannot be started. One that fails under load is reported and the others go on.
pub fn run(site: &Site, plan: &Plan) -> Result<String> {
    let candidates = plan.peers.iter().map(|peer| start(*peer, site, plan)).collect::<Result<Vec<_>>>()?;
    let mut figures = Figures::default();
    for round in 0..plan.rounds {
        for workload in plan.workloads.iter().copied() {
            let turn = round % candidates.len().max(1);
            for candidate in candidates.iter().cycle().skip(turn).take(candidates.len()) {
                if candidate.serves.contains(&workload) {
                    figures.add(round, workload, candidate.peer, attempt(candidate, workload, site, plan));
                }
            }
        }
    }
    let mut memory = String::new();
    for candidate in &candidates {
        let held = procfs::memory(&candidate.running.pids()?)?;
        writeln!(memory, "| {} | {:.1} |", candidate.peer.name(), held as f64 / 1024.0)?;
    }
    Ok(table::render(&figures, plan, &memory))
}

fn start(peer: Peer, site: &Site, plan: &Plan) -> Result<Candidate> {
    let mut running = peer.prepare(site)?.start(plan.cores, &[])?;
    let target = workload::H1_1K.target(&running, site);
    running.wait_ready(&target, START).with_context(|| peer.name())?;
    let serves = plan
        .workloads
        .iter()
        .copied()
        .filter(|workload| workload.suits(peer) && workload.served_by(&running, site))
        .collect();
    Ok(Candidate { peer, running, serves })
}

/// One valid measurement, or none.
fn attempt(candidate: &Candidate, workload: Workload, site: &Site, plan: &Plan) -> Option<Measurement> {
    for _ in 0..plan.tries {
        match measure(candidate, workload, site, plan.time) {
            Ok(measurement) => {
                eprintln!("{:>22} | {:<18} | {measurement}", candidate.peer.name(), workload.name);
                return Some(measurement);
            }
            Err(error) => eprintln!("{:>22} | {:<18} | refused: {error:#}", candidate.peer.name(), workload.name),
        }
    }
    None
}

fn measure(candidate: &Candidate, workload: Workload, site: &Site, time: Duration) -> Result<Measurement> {
    let (sample, used) = workload.run(&candidate.running, site, time)?;
    let busy = used.run.as_secs_f64() / sample.elapsed.as_secs_f64();
    if busy < BUSY {
        let wait = used.wait.as_secs_f64() / sample.elapsed.as_secs_f64();
        bail!("its core was {:.0} % busy with it; it waited {:.0} % for the core", busy * 100.0, wait * 100.0);
    }
    Ok(Measurement::new(&sample, used.run))
}
