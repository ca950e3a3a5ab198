//! The tables, as Markdown.

use super::{
    Plan,
    figures::{Figures, Summary},
};
use crate::{peer::Peer, workload::Workload};

const NOTHING: &str = "–";

pub(super) fn render(figures: &Figures, plan: &Plan, memory: &str) -> String {
    let summary = |cell: fn(&Summary) -> String| {
        table(plan, |workload, peer| figures.summary(workload, peer).map(|summary| cell(&summary)))
    };
    let ratio = |workload, peer, to| figures.ratio(workload, peer, to).map(|ratio| format!("{ratio:.2}"));
    let parts = [
        ("CPU microseconds for a request", summary(|s| format!("{:.1}", s.cpu))),
        (
            "Tidegate's CPU for a request, against that of each peer in the same round (below 1 it costs less)",
            table(plan, |workload, peer| ratio(workload, Peer::Tidegate, peer).filter(|_| peer != Peer::Tidegate)),
        ),
        (
            "CPU for a request, against nginx in the same round",
            table(plan, |workload, peer| ratio(workload, peer, Peer::Nginx)),
        ),
        ("Requests a second, one worker on one core", summary(|s| format!("{:.0}", s.rate))),
        ("Latency under this full load, p50 / p99 in microseconds", summary(latency)),
        ("Valid rounds, of those tried", summary(|s| format!("{} of {}", s.rounds.0, s.rounds.1))),
    ];
    let mut text: String = parts.iter().map(|(title, table)| format!("{title}:\n\n{table}\n")).collect();
    text.push_str("Memory after all of it (proportional set size):\n\n| | MiB |\n|---|---|\n");
    text.push_str(memory);
    text
}

fn latency(summary: &Summary) -> String {
    summary.latency.map_or(NOTHING.to_owned(), |(half, most)| format!("{half:.0} / {most:.0}"))
}

fn table(plan: &Plan, cell: impl Fn(Workload, Peer) -> Option<String>) -> String {
    let row = |name: &str, cells: Vec<String>| format!("| {name} | {} |\n", cells.join(" | "));
    let mut text = row("", plan.workloads.iter().map(|workload| workload.name.to_owned()).collect());
    text.push_str(&row("---", vec!["---".to_owned(); plan.workloads.len()]));
    for peer in &plan.peers {
        let cells: Vec<Option<String>> = plan.workloads.iter().map(|workload| cell(*workload, *peer)).collect();
        if cells.iter().any(Option::is_some) {
            text.push_str(&row(peer.name(), cells.into_iter().map(|c| c.unwrap_or(NOTHING.to_owned())).collect()));
        }
    }
    text
}
