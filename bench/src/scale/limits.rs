//! What Tidegate promises with thousands of Ingresses. A measurement that is above it fails.

use std::{fmt::Display, time::Duration};

use super::Figures;

/// So many changes of each kind say something.
const CHANGES: usize = 200;

/// The most of each figure.
struct Limits {
    start: Duration,
    /// Of a new Ingress: median and p95.
    ingress: [Duration; 2],
    /// Of changed endpoints.
    endpoints: [Duration; 2],
}

/// Of the data plane and the controller, MiB.
const MEMORY: [u64; 2] = [200, 300];

impl Limits {
    /// None: nothing is promised for so many.
    fn of(ingresses: usize) -> Option<Self> {
        let ms = |values: [u64; 2]| values.map(Duration::from_millis);
        match ingresses {
            0..=1000 => Some(Self { start: Duration::from_secs(1), ingress: ms([100, 150]), endpoints: ms([10, 20]) }),
            1001..=10_000 => {
                Some(Self { start: Duration::from_secs(5), ingress: ms([150, 300]), endpoints: ms([10, 30]) })
            }
            _ => None,
        }
    }
}

/// What is above a limit, for people; none where nothing is.
pub fn exceeded(figures: &Figures, ingresses: usize) -> Vec<String> {
    let Some(limits) = Limits::of(ingresses) else { return Vec::new() };
    let mut found = Vec::new();
    let mut hold = |what: &str, is: Duration, limit: Duration| {
        if is > limit {
            found.push(above(what, format!("{is:.1?}"), format!("{limit:?}")));
        }
    };
    hold("the first answer", figures.start, limits.start);
    for (what, changes, [median, p95]) in [
        ("a new Ingress", &figures.ingresses, limits.ingress),
        ("changed endpoints", &figures.endpoints, limits.endpoints),
    ] {
        hold(&format!("{what}, median,"), changes.at(50), median);
        hold(&format!("{what}, p95,"), changes.at(95), p95);
    }
    for (what, changes) in [("new Ingresses", &figures.ingresses), ("changes of endpoints", &figures.endpoints)] {
        if changes.times.len() < CHANGES {
            found.push(format!("only {} {what}: {CHANGES} are needed for a p95", changes.times.len()));
        }
    }
    for ((plane, limit), is) in ["the data plane", "the controller"].into_iter().zip(MEMORY).zip(&figures.peak) {
        if *is > limit {
            found.push(above(plane, format!("{is} MiB"), format!("{limit} MiB")));
        }
    }
    found
}

fn above(what: &str, is: impl Display, limit: impl Display) -> String {
    format!("{what} is {is}, above {limit}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scale::Changes;

    fn figures(start: u64, change: u64, count: usize, peak: u64) -> Figures {
        let changes = || Changes { times: vec![Duration::from_millis(change); count], cpu: Duration::ZERO };
        Figures {
            start: Duration::from_millis(start),
            ingresses: changes(),
            endpoints: changes(),
            memory: [vec![1, 1], vec![1, 1]],
            peak: vec![peak, peak],
        }
    }

    #[test]
    fn each_figure_has_a_limit() {
        let exceeded = |figures: &Figures| super::exceeded(figures, 10_000);
        assert_eq!(exceeded(&figures(5000, 10, 200, 200)), Vec::<String>::new());
        assert_eq!(exceeded(&figures(5001, 10, 200, 200)).len(), 1);
        assert_eq!(exceeded(&figures(5000, 11, 200, 200)), ["changed endpoints, median, is 11.0ms, above 10ms"]);
        assert_eq!(exceeded(&figures(5000, 301, 200, 200)).len(), 4);
        assert_eq!(exceeded(&figures(5000, 10, 199, 200)).len(), 2);
        assert_eq!(exceeded(&figures(5000, 10, 200, 301)).len(), 2);
        assert_eq!(super::exceeded(&figures(1001, 10, 200, 200), 1000).len(), 1);
    }
}
