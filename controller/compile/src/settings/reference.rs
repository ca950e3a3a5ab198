//! The keys for those who write them: as a page, and for the chart's notes.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
};

use serde::Serialize;

use super::{class, served, unserved};

/// All keys of the global ConfigMap as a page of Markdown.
pub fn reference() -> String {
    let mut page = String::from(
        "# Global settings\n\nKeys of the ConfigMap that `--configmap` names. All values are text: write \
         `\"true\"`, not `true`.\n\n| key | value | default | meaning | example |\n|---|---|---|---|---|\n",
    );
    for setting in served() {
        let default = if setting.default.is_empty() { String::new() } else { format!("`{}`", setting.default) };
        // Writing to a String cannot fail.
        let _ = writeln!(
            page,
            "| `{}` | {} | {default} | {} | `{}` |",
            setting.key, setting.value, setting.doc, setting.example
        );
    }
    page.push_str(&class::reference());
    page.push_str("\n## Known and not served\n\n| key | what follows |\n|---|---|\n");
    for known in unserved::KNOWN.iter().copied().flatten() {
        let _ = writeln!(page, "| `{}` | {} |", known.key, known.consequence());
    }
    page
}

/// What the chart's notes need to know of the keys.
#[derive(Serialize)]
struct ChartSettings {
    /// Keys of which nothing is to be said.
    served: BTreeSet<&'static str>,
    /// Other keys of ingress-nginx.
    unserved: BTreeMap<&'static str, Unserved>,
}

#[derive(Serialize)]
struct Unserved {
    /// Values with which nothing is lost.
    quiet: &'static [&'static str],
    /// What follows of any other.
    consequence: String,
}

/// All keys of the global ConfigMap as JSON, for `files/settings.json` of the chart.
///
/// # Errors
/// None that is known: all of it is text.
pub fn chart() -> serde_json::Result<String> {
    let known = unserved::KNOWN.iter().copied().flatten();
    let unserved = known.map(|known| (known.key, Unserved { quiet: known.quiet, consequence: known.consequence() }));
    let settings =
        ChartSettings { served: served().map(|setting| setting.key).collect(), unserved: unserved.collect() };
    serde_json::to_string_pretty(&settings).map(|text| text + "\n")
}
