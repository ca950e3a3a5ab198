//! The flags for the chart, which gives each to who takes it, and says what the others are.

use std::collections::{BTreeMap, BTreeSet};

use clap::{Arg, CommandFactory};
use serde::Serialize;

use super::{CommandLine, ignored};

/// The planes that can be processes of their own.
const PLANES: [&str; 2] = ["controller", "dataplane"];

/// What the chart needs to know of the flags.
#[derive(Serialize)]
struct ChartFlags {
    /// Who takes each, where the planes are two processes; one process takes all of them.
    served: BTreeMap<String, Vec<&'static str>>,
    /// Those of ingress-nginx that have no effect, and what follows.
    ignored: BTreeMap<&'static str, &'static str>,
    /// Those of ingress-nginx that must not be left out, and what to do instead.
    replaced: BTreeMap<&'static str, &'static str>,
}

/// All flags as JSON, for `files/flags.json` of the chart.
///
/// # Errors
/// None that is known: all of it is text.
pub fn chart() -> serde_json::Result<String> {
    let mut served = BTreeMap::<String, Vec<&'static str>>::new();
    for plane in PLANES {
        for flag in flags(plane) {
            served.entry(flag).or_default().push(plane);
        }
    }
    let flags = ChartFlags { served, ignored: ignored::all().collect(), replaced: ignored::replaced().collect() };
    serde_json::to_string_pretty(&flags).map(|text| text + "\n")
}

/// The flags of a command that serves, those of all commands among them, and those that are not shown to users left out.
pub fn flags(command: &str) -> BTreeSet<String> {
    let mut line = CommandLine::command();
    line.build(); // puts those of all commands into each
    let found = line.find_subcommand(command);
    let shown = found.into_iter().flat_map(clap::Command::get_arguments).filter(|argument| !argument.is_hide_set());
    let longs = shown.filter_map(Arg::get_long).filter(|long| !["help", "version"].contains(long));
    longs.map(str::to_owned).collect()
}
