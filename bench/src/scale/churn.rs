//! Endpoints that change all the time, beside traffic: what that costs each plane, and the traffic.
//!
//! Five phases of the same traffic, each as long as the others: alone; beside as many writes of objects that nobody
//! watches, which cost the API server the same and us nothing; beside the churn; beside such writes again; alone again. The API
//! server has another core than the proxy, but shares caches and the kernel with it, so only these writes tell its part from
//! ours.

mod cores;
mod pace;
mod phase;
mod traffic;
mod writes;

use std::{fmt::Write as _, time::Duration};

use anyhow::{Result, ensure};

use super::{
    api::Access,
    http::{Answer, Connection},
    probe,
    subject::Running,
    sum, world,
};
use cores::Cores;
use phase::{Doing, Phase};
use traffic::Traffic;
use writes::{Apart, Slices, Writes};

/// What is churned, and how fast.
#[derive(Debug, Clone, Copy)]
pub struct Churn {
    /// Of each phase.
    pub time: Duration,
    /// Changes of endpoints in a second.
    pub changes: u32,
    /// Requests in a second.
    pub requests: u32,
}

/// Traffic before anything counts: connections are opened then.
const WARM_UP: Duration = Duration::from_secs(5);

/// Less of what was to be done than this part refuses the measurement.
const LEAST: f64 = 0.97;

/// The most cores of both planes, the traffic included.
const MOST_CORES: f64 = 0.5;

/// The most CPU of a request under churn, of that which it takes beside writes that nobody watches.
const MOST_CPU: f64 = 1.05;

/// The most memory that a plane may gain, MiB: a snapshot or two, and what the allocator keeps.
const MOST_GROWTH: u64 = 32;

/// What is to be said of it.
#[derive(Debug)]
pub struct Churned {
    /// As Markdown.
    pub text: String,
    /// What is above a limit.
    pub exceeded: Vec<String>,
}

impl Churned {
    /// There are no figures.
    pub fn refused(why: &str) -> Self {
        Self { text: format!("{why}\n"), exceeded: vec![why.to_owned()] }
    }
}

/// All phases, and what came of the changes.
struct Outcome {
    /// Before the churn and after it, so that a machine that becomes faster or slower meanwhile does not count.
    alone: [Phase; 2],
    /// Likewise.
    apart: [Phase; 2],
    churn: Phase,
    /// Snapshots that the data plane took up for the changes.
    snapshots: u64,
    /// Services whose last endpoints are served.
    services: usize,
}

/// Runs it on a subject that serves.
///
/// # Errors
/// The subject or the API server fails, or the rates were not reached.
pub fn run(churn: Churn, ingresses: usize, access: &Access, running: &mut Running) -> Result<Churned> {
    let traffic = Traffic::new(ingresses, churn.requests);
    let slices = Slices::read(access, ingresses)?;
    let apart = Apart::create(access)?;
    let writes = Writes { access, rate: churn.changes, time: churn.time };
    let phase = |name: &str, doing: Doing<'_>| -> Result<Phase> {
        eprintln!("bench: churn: {name} for {} s", churn.time.as_secs());
        let is_writing = matches!(doing, Doing::Writing(_));
        let phase = phase::run(running, &traffic, &writes, doing)?;
        enough("requests", phase.traffic.requests, churn.requests, churn.time)?;
        if is_writing {
            enough(name, phase.writes, churn.changes, churn.time)?;
        }
        Ok(phase)
    };
    let cores = Cores::apart(&running.pids()?)?;
    traffic.run(WARM_UP)?;
    let alone = || phase("traffic alone", Doing::Nothing);
    let beside = || phase("writes that nobody watches", Doing::Writing(&apart));
    let (alone_before, apart_before) = (alone()?, beside()?);
    let snapshots = snapshots()?;
    let churned = phase("changes of endpoints", Doing::Writing(&slices))?;
    let snapshots = self::snapshots()?.saturating_sub(snapshots);
    let (apart, alone) = ([apart_before, beside()?], [alone_before, alone()?]);
    drop(cores);
    let services = served(&slices, running)?;
    let outcome = Outcome { alone, apart, churn: churned, snapshots, services };
    Ok(Churned { text: outcome.describe(churn), exceeded: outcome.exceeded() })
}

fn enough(what: &str, made: u64, rate: u32, time: Duration) -> Result<()> {
    let wanted = f64::from(rate) * time.as_secs_f64();
    let reached = made as f64 / time.as_secs_f64();
    ensure!(made as f64 >= wanted * LEAST, "only {reached:.0} {what} a second of {rate}: nothing can be said");
    Ok(())
}

/// Waits until the last endpoints of each service that was changed are served.
fn served(slices: &Slices, running: &mut Running) -> Result<usize> {
    let changed = slices.changed();
    for (service, generation) in &changed {
        let right = |answer: &Answer| {
            let is = |n| answer.body == world::address(*service, n, *generation).to_string().as_bytes();
            answer.status == 200 && (0..world::ENDPOINTS).any(is)
        };
        probe::until(running, &world::host(*service), right)?;
    }
    Ok(changed.len())
}

/// How many snapshots the data plane has taken up, by its metrics.
fn snapshots() -> Result<u64> {
    let stream = std::net::TcpStream::connect(super::subject::ADMIN)?;
    let answer = Connection::new(stream).send("GET", "localhost", "/metrics", b"")?;
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    let applied = text.lines().filter(|line| line.starts_with("nginx_ingress_controller_success"));
    let values = applied.filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok());
    Ok(values.sum::<f64>() as u64)
}

impl Outcome {
    fn describe(&self, churn: Churn) -> String {
        let Self { alone: [before, after], apart: [apart_before, apart_after], churn: churned, snapshots, services } =
            self;
        let [of_quiet, of_apart] = self.ratios();
        let mut text = format!(
            "| {} requests/s | CPU of workers for a request, µs | of the data plane, µs | data plane, cores | \
             controller, cores | p50, p99, ms | failed |\n|---|---|---|---|---|---|---|\n",
            churn.requests
        );
        for (name, phase) in [
            ("alone", before),
            ("beside writes that nobody watches", apart_before),
            ("beside changes of endpoints", churned),
            ("beside writes that nobody watches again", apart_after),
            ("alone again", after),
        ] {
            phase.row(&mut text, name);
        }
        let [start, middle, end] = churned.memory.each_ref().map(|memory| sum(memory));
        let _ = writeln!(
            text, // a String takes everything
            "\nCPU of workers for a request under churn: {:.3} of that alone, {:.3} of that beside writes that nobody \
             watches. {} changes of endpoints in {} s ({:.1} a second) came in {snapshots} snapshots; the last \
             endpoints of all {services} services are served. CPU of both planes under churn, the traffic included: \
             {:.3} cores; without it: {:.3}. MiB of data plane + controller at the start, in the middle, at the end: \
             {start}, {middle}, {end}.",
            of_quiet,
            of_apart,
            churned.writes,
            churn.time.as_secs(),
            churned.writes as f64 / churn.time.as_secs_f64(),
            self.cores(),
            churned.cores(churned.cpu.dataplane.saturating_sub(churned.cpu.workers) + churned.cpu.controller),
        );
        text
    }

    /// The CPU of a request under churn, of that alone, and of that beside writes that nobody watches.
    fn ratios(&self) -> [f64; 2] {
        let mean = |[before, after]: &[Phase; 2]| (before.worker_micros() + after.worker_micros()) / 2.0;
        [&self.alone, &self.apart].map(|around| self.churn.worker_micros() / mean(around))
    }

    /// Of both planes under churn.
    fn cores(&self) -> f64 {
        self.churn.cores(self.churn.cpu.dataplane + self.churn.cpu.controller)
    }

    fn exceeded(&self) -> Vec<String> {
        let Self { alone, apart, churn, .. } = self;
        let failed: u64 = alone.iter().chain(apart).chain([churn]).map(|phase| phase.traffic.failed).sum();
        let [_, of_apart] = self.ratios();
        let [start, _, end] = &churn.memory;
        let grown = start.iter().zip(end).any(|(start, end)| *end > *start + MOST_GROWTH);
        let rules = [
            (failed > 0, format!("{failed} requests failed")),
            (self.cores() >= MOST_CORES, format!("{:.3} cores under churn, not below {MOST_CORES}", self.cores())),
            (of_apart > MOST_CPU, format!("a request under churn takes {of_apart:.3} of the CPU, above {MOST_CPU}")),
            (grown, format!("memory under churn grew from {} to {} MiB", sum(start), sum(end))),
        ];
        rules.into_iter().filter(|(is_above, _)| *is_above).map(|(_, what)| what).collect()
    }
}
