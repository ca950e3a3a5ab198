//! `bench`: Tidegate beside its peers. See `docs/performance.md` for what the figures mean.

mod backend;
mod compare;
mod gate;
mod idle;
mod load;
mod peer;
mod process;
mod procfs;
mod scale;
mod site;
mod workers;
mod workload;

use std::{io::Write, path::PathBuf, time::Duration};

use anyhow::{Context, Result, ensure};
use clap::{Parser, Subcommand};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use peer::Peer;
use site::Site;

/// The load and the backend are pinned to one core, by whoever starts this; the proxies get this one.
const PROXY_CORE: &str = "0";
/// And this one is that of all others, where it is not whoever starts this that says so.
const OTHERS_CORE: &str = "1";
/// Where the number of workers is measured, the load and the proxies share both.
const BOTH_CORES: &str = "0,1";

#[derive(Debug, Parser)]
#[command(name = "bench", about = "Tidegate beside its peers")]
struct Arguments {
    /// The binary of Tidegate.
    #[arg(long, env = "TIDEGATE_BINARY")]
    tidegate: PathBuf,
    /// Where the peers are installed (see bench/install).
    #[arg(long)]
    peers: PathBuf,
    /// A folder on a tmpfs, for configurations and access logs.
    #[arg(long)]
    folder: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// CPU per request, requests per second, latency and memory of all of them, as Markdown tables.
    Compare {
        /// Only nginx, HAProxy and Tidegate, three short rounds.
        #[arg(long)]
        quick: bool,
        /// Rounds; 7 by default, 3 if quick.
        #[arg(long)]
        rounds: Option<usize>,
        /// Only workloads whose name holds this, such as `TLS 1.3` or `TCP`.
        #[arg(long, default_value = "")]
        only: String,
        /// Another build of Tidegate, to be measured too.
        #[arg(long)]
        against: Option<PathBuf>,
        /// What stands above the tables.
        #[arg(long, default_value = "")]
        heading: String,
        /// Also write the tables to this file.
        #[arg(long)]
        out: Option<PathBuf>,
    },
    /// System calls and user instructions for a request, against the recorded figures; these hold on a noisy machine.
    Gate {
        /// The recorded figures.
        #[arg(long, default_value = "bench/recorded.json")]
        recorded: PathBuf,
        /// Record what is measured now.
        #[arg(long)]
        record: bool,
        /// Keep callgrind's profiles in this folder, for callgrind_annotate.
        #[arg(long)]
        profiles: Option<PathBuf>,
    },
    /// The CPU for a request with two workers of Tidegate, against that with one.
    Workers {
        /// Rounds.
        #[arg(long, default_value_t = 9)]
        rounds: usize,
    },
    /// Thousands of Ingresses on a real API server, as a Markdown table. Started by bench/scale.
    Scale(scale::Plan),
    /// The memory of idle connections, as a Markdown table.
    Idle {
        /// Only nginx, HAProxy and Tidegate.
        #[arg(long)]
        quick: bool,
    },
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    raise_open_files();
    let mut site = Site::open(&arguments.folder, &arguments.tidegate, &arguments.peers)?;
    match arguments.command {
        Command::Compare { quick, rounds, only, against, heading, out } => {
            let mut plan = compare::Plan { workloads: workload::named(&only)?, ..plan(quick, rounds) };
            if against.is_some() {
                plan.peers.push(Peer::OtherTidegate);
                site.other_tidegate = against;
            }
            let tables = format!("{heading}\n\n{}", compare::run(&site, &plan)?);
            if let Some(out) = out {
                std::fs::write(&out, &tables).with_context(|| out.display().to_string())?;
            }
            Ok(std::io::stdout().write_all(tables.as_bytes())?)
        }
        Command::Gate { recorded, record, profiles } => {
            gate::run(&gate::Plan { site: &site, cores: PROXY_CORE, profiles }, &recorded, record)
        }
        Command::Scale(plan) => {
            let found = scale::run(&plan, &arguments.tidegate, &arguments.peers, &arguments.folder)?;
            std::io::stdout().write_all(found.tables.as_bytes())?;
            ensure!(found.exceeded.is_empty(), "{}", found.exceeded.join("; "));
            Ok(())
        }
        Command::Workers { rounds } => workers::run(&site, rounds, BOTH_CORES),
        Command::Idle { quick } => {
            let table = idle::run(&site, &idle::Plan { peers: peers(quick), cores: PROXY_CORE })?;
            Ok(std::io::stdout().write_all(table.as_bytes())?)
        }
    }
}

fn plan(quick: bool, rounds: Option<usize>) -> compare::Plan {
    let (default_rounds, time) = if quick { (3, Duration::from_secs(1)) } else { (7, Duration::from_secs(2)) };
    let rounds = rounds.unwrap_or(default_rounds);
    compare::Plan { peers: peers(quick), workloads: workload::ALL.to_vec(), rounds, time, tries: 3, cores: PROXY_CORE }
}

fn peers(quick: bool) -> Vec<Peer> {
    if quick { vec![Peer::Nginx, Peer::Tidegate, Peer::Haproxy] } else { Peer::ALL.to_vec() }
}

/// As many open files as the system lets us have: we and the proxies, which inherit it, hold thousands of sockets.
fn raise_open_files() {
    let limit = getrlimit(Resource::Nofile);
    if setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).is_err() {
        eprintln!("the limit of open files stays at {:?}", limit.current);
    }
}
