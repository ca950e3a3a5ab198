//! The tables, as Markdown.

use std::fmt::Write;

use super::figures::{Figures, Summary};
use crate::{
    peer::Peer,
    workload::{self, Workload},
};

pub(super) fn render(figures: &Figures, peers: &[Peer], memory: &str) -> String {
    let mut text = String::new();
    let mut part = |title: &str, cell: fn(&Summary) -> String| {
        let _ = writeln!(text, "{title}\n\n{}", table(figures, peers, cell)); // writing to a String cannot fail
    };
    part("CPU microseconds for a request, and × nginx in the same round:", |summary| match summary.ratio {
        Some(ratio) => format!("{:.1} (×{ratio:.2})", summary.cpu),
        None => format!("{:.1}", summary.cpu),
    });
    part("Requests a second, one worker on one core:", |summary| format!("{:.0}", summary.rate));
    part("Latency under this full load, p50 / p99 in microseconds:", |summary| {
        summary.latency.map_or("–".to_owned(), |(half, most)| format!("{half:.0} / {most:.0}"))
    });
    part("Valid rounds, of those tried:", |summary| format!("{} of {}", summary.rounds.0, summary.rounds.1));
    let _ = write!(text, "Memory after all of it (proportional set size):\n\n| | MiB |\n|---|---|\n{memory}");
    text
}

fn table(figures: &Figures, peers: &[Peer], cell: fn(&Summary) -> String) -> String {
    let row = |name: &str, cells: Vec<String>| format!("| {name} | {} |\n", cells.join(" | "));
    let mut text = row("", workload::ALL.iter().map(|workload| workload.name.to_owned()).collect());
    text.push_str(&row("---", vec!["---".to_owned(); workload::ALL.len()]));
    for peer in peers {
        let cells = |workload: &Workload| figures.summary(*workload, *peer).map_or("–".to_owned(), |s| cell(&s));
        text.push_str(&row(peer.name(), workload::ALL.iter().map(cells).collect()));
    }
    text
}
