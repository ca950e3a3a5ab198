//! `make bench-scale`: thousands of Ingresses on a real API server. How long a controller takes to its first answer, and
//! from a change of an object to the proxy serving it; what CPU and memory that costs. See `docs/performance.md`.

mod api;
mod budget;
mod churn;
mod http;
mod limits;
mod pods;
mod probe;
mod subject;
mod world;

use std::{
    collections::BTreeSet,
    fmt::Write as _,
    net::SocketAddr,
    path::PathBuf,
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use api::{Access, Api};
use budget::Budget;
use churn::{Churn, Churned};
use serde_json::Value;
use subject::{Places, Running, Subject};

/// The controller of the IngressClass: Traefik takes no other.
const CONTROLLER: &str = "traefik.io/ingress-controller";

/// Between two changes, so that each is measured alone.
const REST: Duration = Duration::from_millis(300);

/// After a start, until memory is looked at and changes begin.
const SETTLE: Duration = Duration::from_secs(10);

/// The longest that statuses are waited for, which the first start writes.
const WRITTEN: Duration = Duration::from_secs(180);

/// What to measure.
#[derive(Debug, clap::Args)]
pub struct Plan {
    /// Where the API server is.
    #[arg(long, default_value = "10.90.0.2:6443")]
    api: SocketAddr,
    /// The folder with the keys of its admin.
    #[arg(long)]
    pki: PathBuf,
    /// How many Ingresses.
    #[arg(long, default_value_t = 1000)]
    ingresses: usize,
    /// How many changes of each kind, at most.
    #[arg(long, default_value_t = 200)]
    changes: usize,
    /// How long changes of each kind may take together with Traefik, such as `120s`: it makes fewer then, but eight at least.
    #[arg(long, default_value = "120s", value_parser = budget::time)]
    budget: Duration,
    /// Also measure endpoints that change all the time beside traffic, of Tidegate in two processes: how long each of the
    /// four phases takes, such as `60s`.
    #[arg(long, value_parser = budget::time)]
    churn: Option<Duration>,
    /// Changes of endpoints in a second of churn.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    churn_rate: u32,
    /// Requests in a second beside the churn.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..))]
    traffic: u32,
    /// What is measured, one after the other.
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [Subject::Tidegate, Subject::Traefik])]
    subjects: Vec<Subject>,
}

/// What it found.
#[derive(Debug)]
pub struct Found {
    /// As Markdown.
    pub tables: String,
    /// Of Tidegate, what is above its limits.
    pub exceeded: Vec<String>,
}

/// Runs it.
///
/// # Errors
/// The API server refuses, or a subject does not serve.
pub fn run(
    plan: &Plan,
    tidegate: &std::path::Path,
    peers: &std::path::Path,
    folder: &std::path::Path,
) -> Result<Found> {
    let access = Access::new(plan.api, &plan.pki)?;
    let began = Instant::now();
    world::fill(&access, plan.ingresses)?;
    eprintln!("bench: {} Ingresses made in {} s", plan.ingresses, began.elapsed().as_secs());
    pods::start(world::PORT)?;
    let places = Places { tidegate, peers, folder, kubeconfig: plan.pki.join("admin.kubeconfig") };
    let mut table = format!("| {} Ingresses |", plan.ingresses) + HEAD;
    let (mut churned, mut exceeded) = (String::new(), Vec::new());
    for subject in &plan.subjects {
        let (figures, churn) = measure(*subject, plan, &access, &places).with_context(|| subject.name())?;
        figures.row(&mut table, subject.name());
        if *subject == Subject::Tidegate {
            exceeded.extend(limits::exceeded(&figures, plan.ingresses));
        }
        if let Some(churn) = churn {
            churned += &churn.text;
            exceeded.extend(churn.exceeded);
        }
    }
    Ok(Found { tables: format!("{table}\n{churned}"), exceeded })
}

const HEAD: &str = " first answer, ms | new Ingress: how many, median, p95, ms | CPU each, ms | changed endpoints: \
    how many, median, p95, ms | CPU each, ms | MiB after the start, at the end, at most (data plane + controller) |\n\
    |---|---|---|---|---|---|---|\n";

struct Figures {
    start: Duration,
    ingresses: Changes,
    endpoints: Changes,
    memory: [Vec<u64>; 2],
    /// The most that each process has had.
    peak: Vec<u64>,
}

struct Changes {
    /// In order.
    times: Vec<Duration>,
    cpu: Duration,
}

/// Its figures, and what is to be said of churn, if that is to be measured.
fn measure(subject: Subject, plan: &Plan, access: &Access, places: &Places<'_>) -> Result<(Figures, Option<Churned>)> {
    // The first start reads the program from disk, and writes statuses that are there at each later one.
    let mut running = subject.start(places)?;
    served(&mut running, plan.ingresses)?;
    // What the first one leaves undone would be done beneath the measurement. Traefik writes none.
    if subject != Subject::Traefik {
        statuses(access, plan.ingresses)?;
    }
    sleep(SETTLE);
    drop(running);

    let mut running = subject.start(places)?;
    let start = served(&mut running, plan.ingresses)?.duration_since(running.began);
    eprintln!("bench: {} serves {} Ingresses after {} ms", subject.name(), plan.ingresses, start.as_millis());
    sleep(SETTLE);
    let before = running.memory()?;
    let mut api = access.connect()?;
    let time = if subject == Subject::Traefik { plan.budget } else { Duration::MAX };
    let budget = Budget { changes: plan.changes, time };
    let endpoints = changes(&mut running, budget, |running, i| endpoint_change(running, &mut api, plan, i))?;
    let ingresses = changes(&mut running, budget, |running, i| new_ingress(running, &mut api, i))?;
    let (memory, peak) = ([before, running.memory()?], running.peak()?);
    let churn = plan.churn.filter(|_| subject == Subject::Tidegate);
    let churn = churn.map(|time| {
        let churn = Churn { time, changes: plan.churn_rate, requests: plan.traffic };
        // What cannot be said of churn takes nothing from the rest.
        let said = churn::run(churn, plan.ingresses, access, &mut running);
        said.unwrap_or_else(|error| Churned::refused(&format!("Churn of {}: {error:#}.", subject.name())))
    });
    drop(running);
    // Churn takes minutes, and the API server closes connections that rest.
    let mut api = access.connect()?;
    for i in 0..ingresses.times.len() {
        api.delete(&format!("{}/new-{i}", world::ingresses(0)))?;
    }
    Ok((Figures { start, ingresses, endpoints, memory, peak }, churn))
}

/// When the hosts at both ends and in the middle are served.
fn served(running: &mut Running, ingresses: usize) -> Result<Instant> {
    let mut last = Instant::now();
    for i in [0, ingresses / 2, ingresses.saturating_sub(1)] {
        last = probe::until(running, &world::host(world::plain(i)), |answer| answer.status == 200)?;
    }
    Ok(last)
}

/// Waits until every Ingress has its address.
fn statuses(access: &Access, ingresses: usize) -> Result<()> {
    let (began, mut api) = (Instant::now(), access.connect()?);
    let mut collections: BTreeSet<String> = (0..ingresses).map(world::ingresses).collect();
    let is_without = |ingress: &Value| ingress["status"]["loadBalancer"]["ingress"][0].is_null();
    while let Some(collection) = collections.first().cloned() {
        ensure!(began.elapsed() < WRITTEN, "statuses are missing in {collection}");
        let without = api.get(&collection)?["items"].as_array().is_none_or(|all| all.iter().any(is_without));
        match without {
            true => sleep(REST),
            false => drop(collections.remove(&collection)),
        }
    }
    eprintln!("bench: {ingresses} statuses are written after {} ms", began.elapsed().as_millis());
    Ok(())
}

/// Makes changes one after the other, each of which tells how long it took.
fn changes(
    running: &mut Running,
    budget: Budget,
    mut change: impl FnMut(&mut Running, usize) -> Result<Duration>,
) -> Result<Changes> {
    let cpu = running.cpu()?;
    let mut times = budget.spend(|i| {
        let time = change(running, i)?;
        sleep(REST);
        Ok(time)
    })?;
    times.sort();
    Ok(Changes { times, cpu: running.cpu()?.saturating_sub(cpu) })
}

/// All endpoints of a service become others. The time counts from the API server's answer.
fn endpoint_change(running: &mut Running, api: &mut Api, plan: &Plan, i: usize) -> Result<Duration> {
    let service = world::plain((i * 7) % plan.ingresses);
    let path = world::slice_path(service);
    let generation = api.get(&path)?["metadata"]["generation"].as_u64().unwrap_or(1);
    let generation = usize::try_from(generation).context("generation")?;
    api.replace(&path, &world::slice(service, generation))?;
    let answered = Instant::now();
    let right = |address: &[u8]| {
        (0..world::ENDPOINTS).any(|n| address == world::address(service, n, generation).to_string().as_bytes())
    };
    let seen = probe::until(running, &world::host(service), |answer| answer.status == 200 && right(&answer.body))?;
    Ok(seen.duration_since(answered))
}

/// An Ingress of a new host. The time counts from the API server's answer.
fn new_ingress(running: &mut Running, api: &mut Api, i: usize) -> Result<Duration> {
    api.create(&world::ingresses(0), &world::new_ingress(i))?;
    let answered = Instant::now();
    let seen = probe::until(running, &world::new_host(i), |answer| answer.status == 200)?;
    Ok(seen.duration_since(answered))
}

/// What each process holds: those of two planes one behind the other.
fn sum(memory: &[u64]) -> String {
    memory.iter().map(u64::to_string).collect::<Vec<_>>().join(" + ")
}

impl Changes {
    /// Zero where there was none.
    fn at(&self, percent: usize) -> Duration {
        let place = (self.times.len() * percent / 100).min(self.times.len().saturating_sub(1));
        self.times.get(place).copied().unwrap_or_default()
    }

    fn millis_at(&self, percent: usize) -> f64 {
        self.at(percent).as_secs_f64() * 1e3
    }

    /// In milliseconds.
    fn cpu_each(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e3 / self.times.len() as f64
    }
}

impl Figures {
    fn row(&self, table: &mut String, name: &str) {
        let Self { start, ingresses, endpoints, memory: [before, after], peak } = self;
        let _ = writeln!(
            table, // a String takes everything
            "| {name} | {} | {}, {:.0}, {:.0} | {:.1} | {}, {:.1}, {:.1} | {:.1} | {}, {}, {} |",
            start.as_millis(),
            ingresses.times.len(),
            ingresses.millis_at(50),
            ingresses.millis_at(95),
            ingresses.cpu_each(),
            endpoints.times.len(),
            endpoints.millis_at(50),
            endpoints.millis_at(95),
            endpoints.cpu_each(),
            sum(before),
            sum(after),
            sum(peak),
        );
    }
}
