//! One phase: traffic, and something beside it.

use std::{
    fmt::Write as _,
    thread::{self, sleep},
    time::{Duration, Instant},
};

use anyhow::{Result, anyhow};

use super::{
    traffic::{Answers, Traffic},
    writes::{Objects, Writes},
};
use crate::scale::subject::{Cpu, Running};

/// What happens beside the traffic.
pub enum Doing<'a> {
    Nothing,
    Writing(&'a dyn Objects),
}

/// What came of it.
pub struct Phase {
    pub traffic: Answers,
    /// How often something was written.
    pub writes: u64,
    pub cpu: Cpu,
    elapsed: Duration,
    /// At the start, in the middle, at the end.
    pub memory: [Vec<u64>; 3],
}

pub fn run(running: &Running, traffic: &Traffic, writes: &Writes<'_>, doing: Doing<'_>) -> Result<Phase> {
    let start = running.memory()?;
    let (began, cpu) = (Instant::now(), running.cpu_apart()?);
    thread::scope(|scope| {
        let asking = scope.spawn(|| traffic.run(writes.time));
        let writing = match doing {
            Doing::Nothing => None,
            Doing::Writing(objects) => Some(scope.spawn(move || writes.run(objects))),
        };
        sleep(writes.time / 2);
        let middle = running.memory()?;
        let join = |_| anyhow!("a thread ended");
        let traffic = asking.join().map_err(join)??;
        let writes = writing.map_or(Ok(0), |writing| writing.join().map_err(join)?)?;
        let cpu = running.cpu_apart()?.since(cpu);
        let memory = [start, middle, running.memory()?];
        Ok(Phase { traffic, writes, cpu, elapsed: began.elapsed(), memory })
    })
}

impl Phase {
    /// CPU of the workers for a request.
    pub fn worker_micros(&self) -> f64 {
        self.micros(self.cpu.workers)
    }

    fn micros(&self, cpu: Duration) -> f64 {
        cpu.as_secs_f64() * 1e6 / self.traffic.requests as f64
    }

    pub fn cores(&self, cpu: Duration) -> f64 {
        cpu.as_secs_f64() / self.elapsed.as_secs_f64()
    }

    pub fn row(&self, table: &mut String, name: &str) {
        let Self { traffic, cpu, .. } = self;
        let _ = writeln!(
            table, // a String takes everything
            "| {name} | {:.1} | {:.1} | {:.3} | {:.3} | {:.2}, {:.2} | {} |",
            self.worker_micros(),
            self.micros(cpu.dataplane),
            self.cores(cpu.dataplane),
            self.cores(cpu.controller),
            traffic.at(50),
            traffic.at(99),
            traffic.failed,
        );
    }
}
