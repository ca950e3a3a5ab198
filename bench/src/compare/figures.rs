//! What was measured, by round.

use std::{fmt, time::Duration};

use crate::{load::Sample, peer::Peer, workload::Workload};

/// One valid measurement.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Measurement {
    /// Microseconds of CPU for a request.
    pub(super) cpu: f64,
    /// Requests in a second.
    pub(super) rate: f64,
    /// Half of the requests took less, and 99 of 100: microseconds. Where the tool tells.
    pub(super) latency: Option<(u32, u32)>,
}

impl Measurement {
    pub(super) fn new(sample: &Sample, run: Duration) -> Self {
        let at = |share: usize| sample.latencies.get(sample.latencies.len() * share / 100).copied();
        let requests = sample.requests as f64;
        Self {
            cpu: run.as_secs_f64() * 1e6 / requests,
            rate: requests / sample.elapsed.as_secs_f64(),
            latency: at(50).zip(at(99)),
        }
    }
}

impl fmt::Display for Measurement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:8.2} µs CPU, {:8.0} requests/s", self.cpu, self.rate)
    }
}

/// All of them, and how many had to be refused for good.
#[derive(Debug, Default)]
pub(super) struct Figures {
    all: Vec<Figure>,
}

#[derive(Debug)]
struct Figure {
    round: usize,
    workload: Workload,
    peer: Peer,
    measurement: Option<Measurement>,
}

/// The medians of one proxy with one workload.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Summary {
    pub(super) cpu: f64,
    pub(super) rate: f64,
    pub(super) latency: Option<(f64, f64)>,
    /// How many rounds were valid, of how many.
    pub(super) rounds: (usize, usize),
}

impl Figures {
    pub(super) fn add(&mut self, round: usize, workload: Workload, peer: Peer, measurement: Option<Measurement>) {
        self.all.push(Figure { round, workload, peer, measurement });
    }

    /// None where nothing valid was measured.
    pub(super) fn summary(&self, workload: Workload, peer: Peer) -> Option<Summary> {
        let tried = self.of(workload, peer).count();
        let valid: Vec<(usize, Measurement)> = self.valid(workload, peer).collect();
        let median_of = |value: fn(&Measurement) -> Option<f64>| median(valid.iter().filter_map(|(_, m)| value(m)));
        Some(Summary {
            cpu: median_of(|m| Some(m.cpu))?,
            rate: median_of(|m| Some(m.rate))?,
            latency: median_of(|m| m.latency.map(|l| f64::from(l.0)))
                .zip(median_of(|m| m.latency.map(|l| f64::from(l.1)))),
            rounds: (valid.len(), tried),
        })
    }

    /// The CPU of one against that of another in the same round; median over the rounds in which both were valid.
    pub(super) fn ratio(&self, workload: Workload, peer: Peer, to: Peer) -> Option<f64> {
        let others: Vec<(usize, Measurement)> = self.valid(workload, to).collect();
        median(self.valid(workload, peer).filter_map(|(round, measurement)| {
            let (_, other) = others.iter().find(|(number, _)| *number == round)?;
            Some(measurement.cpu / other.cpu)
        }))
    }

    fn of(&self, workload: Workload, peer: Peer) -> impl Iterator<Item = &Figure> {
        self.all.iter().filter(move |figure| figure.workload == workload && figure.peer == peer)
    }

    fn valid(&self, workload: Workload, peer: Peer) -> impl Iterator<Item = (usize, Measurement)> {
        self.of(workload, peer).filter_map(|figure| Some((figure.round, figure.measurement?)))
    }
}

/// The middle value; of an even number, halfway between the two in the middle.
pub fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let upper = values.get(values.len() / 2)?;
    let lower = values.get(values.len().saturating_sub(1) / 2)?;
    Some((upper + lower) / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::H1_1K;

    #[test]
    fn ratios_are_within_a_round() {
        let mut figures = Figures::default();
        let cpu = |cpu| Some(Measurement { cpu, rate: 1.0, latency: None });
        for (round, (nginx, ours)) in
            [(cpu(10.0), cpu(9.0)), (cpu(20.0), cpu(18.0)), (None, cpu(500.0)), (cpu(1.0), None)]
                .into_iter()
                .enumerate()
        {
            figures.add(round, H1_1K, Peer::Nginx, nginx);
            figures.add(round, H1_1K, Peer::Tidegate, ours);
        }
        let summary = figures.summary(H1_1K, Peer::Tidegate).unwrap();
        assert_eq!((summary.rounds, summary.cpu), ((3, 4), 18.0));
        assert_eq!(figures.ratio(H1_1K, Peer::Tidegate, Peer::Nginx), Some(0.9));
        assert_eq!(figures.ratio(H1_1K, Peer::Tidegate, Peer::Envoy), None);
        assert_eq!(figures.summary(H1_1K, Peer::Envoy), None);
    }

    #[test]
    fn medians() {
        assert_eq!(median([3.0, 1.0, 2.0].into_iter()), Some(2.0));
        assert_eq!(median([3.0, 1.0].into_iter()), Some(2.0));
        assert_eq!(median([].into_iter()), None);
    }
}
