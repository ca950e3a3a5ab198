//! User instructions, counted by callgrind.

use std::{fs, process::Command};

use anyhow::{Context, Result, ensure};

use super::{Plan, START};
use crate::{
    load::{Budget, Load, Target},
    peer::Peer,
    process::{Launch, Running},
    site::Site,
    workload::H1_1K,
};

const CONNECTIONS: usize = 32;
const WARM_UP: u64 = 500;
/// Two runs: what is not for requests (timers, the measuring itself) is in both, and so not in their difference.
const FEW: u64 = 500;
const MANY: u64 = 2_500;

/// User instructions for a request over HTTP/1.1 with an answer of 1 KiB, of all threads.
pub(super) fn measure(peer: Peer, plan: &Plan<'_>) -> Result<f64> {
    let mut launch = peer.prepare(plan.site)?;
    if peer == Peer::Nginx {
        // One process, which is the worker too: callgrind counts each process apart.
        launch.arguments.extend(["-g", "master_process off;"].map(str::to_owned));
    }
    count(peer.name(), launch, plan, |running, site| H1_1K.target(running, site))
}

/// The same for a proxy that is to be started, and what it shall be asked. `name` is that of its profiles.
pub(super) fn count(
    name: &str,
    launch: Launch,
    plan: &Plan<'_>,
    target: impl Fn(&Running, &Site) -> Target,
) -> Result<f64> {
    let site = plan.site;
    let out = site.path(&format!("{name}.callgrind"));
    // Not from the start: reading thousands of objects would take many times as long, and is not what is counted.
    let valgrind =
        ["valgrind", "--quiet", "--tool=callgrind", "--instr-atstart=no", &format!("--callgrind-out-file={out}")];
    let mut running = launch.start(plan.cores, &valgrind.map(str::to_owned))?;
    let target = target(&running, site);
    running.wait_ready(&target, START)?;
    let mut load = Load::connect(&target, CONNECTIONS)?;
    vgdb(running.pid(), &["instrumentation", "on"])?;
    load.run(Budget::Requests(WARM_UP))?;
    let mut counts = Vec::new();
    dump(running.pid())?; // what was before
    for (number, requests) in [(2, FEW), (3, MANY)] {
        load.run(Budget::Requests(requests))?;
        dump(running.pid())?;
        counts.push(total(&format!("{out}.{number}"))?);
    }
    if let Some(folder) = &plan.profiles {
        fs::create_dir_all(folder)?;
        fs::copy(format!("{out}.3"), folder.join(format!("{name}.callgrind")))?;
    }
    let [few, many] = counts[..] else { anyhow::bail!("two counts were to be made") };
    ensure!(many > few, "{MANY} requests took {many} instructions, {FEW} took {few}");
    Ok((many - few) as f64 / (MANY - FEW) as f64)
}

/// Writes what was counted since the last time to the next file, and begins again at zero.
fn dump(pid: u32) -> Result<()> {
    vgdb(pid, &["dump"])
}

/// Has callgrind do something.
fn vgdb(pid: u32, command: &[&str]) -> Result<()> {
    let mut vgdb = Command::new("vgdb");
    let output = vgdb.arg(format!("--pid={pid}")).args(command).output().context("cannot run vgdb")?;
    ensure!(output.status.success(), "vgdb: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

fn total(path: &str) -> Result<u64> {
    let text = fs::read_to_string(path).with_context(|| path.to_owned())?;
    let line = text.lines().find_map(|line| line.strip_prefix("totals:").or_else(|| line.strip_prefix("summary:")));
    Ok(line.with_context(|| format!("no total in {path}"))?.trim().parse()?)
}
