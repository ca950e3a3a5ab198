//! What finding the route costs among very many: the same request, once with one host and once with 10,000.

use std::ops::Range;

use anyhow::{Context, Result};

use super::{Plan, instructions};
use crate::{load::Target, peer::tidegate, site::plain_host, workload::H1_1K};

/// Hosts of the large table, each with five paths.
pub(super) const HOSTS: usize = 10_000;
/// The hosts that are asked for. Their names are as long as that of the only host of the small table.
const ASKED: Range<usize> = HOSTS - 9_000..HOSTS;
/// A prime: the connections ask for hosts from all over the table.
const STEP: usize = 281;

/// User instructions for a request.
pub(super) struct Figures {
    /// Where the table has one host.
    pub(super) one: f64,
    /// Where it has [`HOSTS`].
    pub(super) many: f64,
}

impl Figures {
    /// One line for people.
    pub(super) fn line(&self) -> String {
        let Self { one, many } = self;
        let dearer = self.dearer() * 100.0;
        format!("{:>9}: {one:.0} instructions with one host, {many:.0} with {HOSTS} ({dearer:+.1} %)", "Tidegate")
    }

    /// By how much a request is dearer with the large table, in parts of one.
    pub(super) fn dearer(&self) -> f64 {
        self.many / self.one - 1.0
    }
}

pub(super) fn measure(plan: &Plan<'_>) -> Result<Figures> {
    let one = count("Tidegate-one-host", ASKED.start..ASKED.start + 1, plan).context("one host")?;
    let many = count("Tidegate-many-hosts", 0..HOSTS, plan).context("many hosts")?;
    Ok(Figures { one, many })
}

fn count(name: &str, hosts: Range<usize>, plan: &Plan<'_>) -> Result<f64> {
    let launch = tidegate::with_table(plan.site, hosts.clone())?;
    let asked: Vec<String> = hosts.filter(|host| ASKED.contains(host)).step_by(STEP).map(plain_host).collect();
    instructions::count(name, launch, plan, |running, site| Target {
        hosts: asked.clone(),
        ..H1_1K.target(running, site)
    })
}
