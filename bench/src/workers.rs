//! What a second worker costs. One worker and two serve the same in turn; both may use both cores, on which the load and
//! the backend are too, so that the number of workers is all that differs.

use std::{io::Write, time::Duration};

use anyhow::{Context, Result, bail, ensure};

use crate::{
    compare::median,
    peer::Peer,
    process::{Running, START},
    site::Site,
    workload::{H1_1K, TLS_1K, Workload},
};

const WORKLOADS: [Workload; 2] = [H1_1K, TLS_1K];
/// What a request may cost with two workers, against one.
const MOST: f64 = 1.1;
const TIME: Duration = Duration::from_secs(2);

/// Measures, prints the ratios, and compares them with the limit.
///
/// # Errors
/// Where two workers cost too much, or something cannot be measured.
pub fn run(site: &Site, rounds: usize, cores: &str) -> Result<()> {
    ensure!(rounds > 0, "no rounds");
    let one = start(site, "1", cores).context("one worker")?;
    let two = start(site, "2", cores).context("two workers")?;
    let mut dear = Vec::new();
    for workload in WORKLOADS {
        let ratios = (0..rounds).map(|round| ratio(site, workload, (&one, &two), round)).collect::<Result<Vec<_>>>()?;
        let ratio = median(ratios.into_iter()).context("no ratio")?;
        let name = workload.name;
        writeln!(std::io::stdout(), "{name}: two workers take {ratio:.3} of the CPU of one for a request")?;
        if ratio > MOST {
            dear.push(format!("{ratio:.3} with {name}"));
        }
    }
    if dear.is_empty() {
        return Ok(());
    }
    bail!("two workers may take {MOST} of the CPU of one, and took {}", dear.join(", "))
}

fn start(site: &Site, workers: &str, cores: &str) -> Result<Running> {
    let mut launch = Peer::Tidegate.prepare(site)?;
    launch.arguments.extend(["--workers", workers].map(str::to_owned));
    let mut running = launch.start(cores, &[])?;
    running.wait_ready(&H1_1K.target(&running, site), START)?;
    Ok(running)
}

/// Two workers against one, in a round; every other round begins with two.
fn ratio(site: &Site, workload: Workload, (one, two): (&Running, &Running), round: usize) -> Result<f64> {
    let cost = |running| cost(site, workload, running);
    let (one, two) = if round.is_multiple_of(2) {
        let one = cost(one)?;
        (one, cost(two)?)
    } else {
        let two = cost(two)?;
        (cost(one)?, two)
    };
    eprintln!("{}: {one:.2} µs with one worker, {two:.2} µs with two", workload.name);
    Ok(two / one)
}

/// Microseconds of CPU for a request.
fn cost(site: &Site, workload: Workload, running: &Running) -> Result<f64> {
    let (sample, used) = workload.run(running, site, TIME)?;
    Ok(used.run.as_secs_f64() * 1e6 / sample.requests as f64)
}
