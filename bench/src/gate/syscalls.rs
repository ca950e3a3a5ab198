//! System calls, counted by strace.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};

use super::{Plan, START};
use crate::{
    load::Budget,
    peer::Peer,
    process::{Running, send_signal},
    site::Site,
    workload::Workload,
};

const WARM_UP: u64 = 2_000;
const REQUESTS: u64 = 10_000;
const ATTACHING: Duration = Duration::from_secs(5);

/// System calls for a request, of all kinds and all threads.
pub(super) fn measure(peer: Peer, workload: Workload, plan: &Plan<'_>) -> Result<f64> {
    let site = plan.site;
    let mut running = peer.prepare(site)?.start(plan.cores, &[])?;
    running.wait_ready(&workload.target(&running, site), START)?;
    let mut traffic = workload.connect(&running, site)?;
    traffic.run(Budget::Requests(WARM_UP))?;
    let summary = site.path("strace");
    let mut strace = attach(&running, site, &summary)?;
    let ran = traffic.run(Budget::Requests(REQUESTS));
    detach(&mut strace)?;
    let requests = ran?.requests;
    let calls = parse(&fs::read_to_string(&summary)?);
    let kinds: Vec<String> = calls
        .iter()
        .filter(|(_, count)| **count >= requests / 100)
        .map(|(name, count)| format!("{name} {:.2}", *count as f64 / requests as f64))
        .collect();
    eprintln!("{}, {}: {}", peer.name(), workload.name, kinds.join(", "));
    ensure!(!calls.is_empty(), "strace counted nothing");
    Ok(calls.values().sum::<u64>() as f64 / requests as f64)
}

/// Starts strace on all processes of the proxy, and waits until it says that it holds them.
fn attach(running: &Running, site: &Site, summary: &str) -> Result<Child> {
    let pids = running.pids()?;
    let said = site.path("strace.out");
    let mut strace = Command::new("strace")
        .args(["-f", "-c", "-o", summary])
        .args(pids.iter().map(|pid| format!("--attach={pid}")))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(File::create(&said)?)
        .spawn()
        .context("cannot start strace")?;
    let start = Instant::now();
    while start.elapsed() < ATTACHING {
        let text = fs::read_to_string(&said)?;
        if pids.iter().all(|pid| text.contains(&format!("Process {pid} attached"))) {
            return Ok(strace);
        }
        sleep(Duration::from_millis(20));
    }
    detach(&mut strace)?;
    bail!("strace could not attach to {pids:?}: {}", fs::read_to_string(&said)?)
}

fn detach(strace: &mut Child) -> Result<()> {
    send_signal(&[strace.id()], rustix::process::Signal::INT);
    strace.wait()?;
    Ok(())
}

/// The calls by name, from strace's summary: the fourth column and the last.
fn parse(summary: &str) -> BTreeMap<String, u64> {
    let row = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let (name, count) = (words.last()?, words.get(3)?.parse().ok()?);
        (*name != "total" && words.len() >= 5).then(|| ((*name).to_owned(), count))
    };
    summary.lines().filter_map(row).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn reads_straces_summary() {
        let text = "% time     seconds  usecs/call     calls    errors syscall\n\
                    ------ ----------- ----------- --------- --------- ----------------\n \
                    67.25    0.112084           5     20034        12 recvfrom\n \
                    32.75    0.000002           2        40           writev\n\
                    ------ ----------- ----------- --------- --------- ----------------\n\
                    100.00    0.112086           5     20074        12 total\n";
        let calls = super::parse(text);
        assert_eq!(calls, [("recvfrom".to_owned(), 20034), ("writev".to_owned(), 40)].into());
    }
}
