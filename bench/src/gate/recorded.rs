//! The recorded figures.

use std::{collections::BTreeMap, fmt::Write as _, fs, path::Path};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

/// What a figure may be above the recorded one.
const TOLERANCE: f64 = 1.03;

/// The figures of one proxy, for one request with an answer of 1 KiB.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Figures {
    /// System calls, over HTTP/1.1.
    pub(super) syscalls: f64,
    /// System calls, over HTTP/2 and TLS.
    pub(super) h2_syscalls: f64,
    /// User instructions, over HTTP/1.1.
    pub(super) instructions: f64,
}

/// The figures of all proxies, by name.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Recorded(BTreeMap<String, Figures>);

impl Figures {
    /// One line for people.
    pub(super) fn line(&self, name: &str, before: Option<Figures>) -> String {
        let Self { syscalls, h2_syscalls, instructions } = self;
        let mut line = format!(
            "{name:>9}: {syscalls:5.2} system calls, {h2_syscalls:5.2} with h2, {instructions:6.0} instructions"
        );
        if let Some(Self { syscalls, h2_syscalls, instructions }) = before {
            let _ = write!(line, " (recorded: {syscalls:.2}, {h2_syscalls:.2}, {instructions:.0})");
        }
        line
    }
}

impl Recorded {
    pub(super) fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
        serde_json::from_str(&text).with_context(|| path.display().to_string())
    }

    pub(super) fn write(&self, path: &Path) -> Result<()> {
        let text = serde_json::to_string_pretty(self)? + "\n";
        fs::write(path, text).with_context(|| path.display().to_string())
    }

    pub(super) fn of(&self, name: &str) -> Option<Figures> {
        self.0.get(name).copied()
    }

    /// Figures are kept as precisely as they mean something.
    pub(super) fn set(&mut self, name: &str, figures: Figures) {
        let Figures { syscalls, h2_syscalls, instructions } = figures;
        let hundredths = |figure: f64| (figure * 100.0).round() / 100.0;
        let figures = Figures {
            syscalls: hundredths(syscalls),
            h2_syscalls: hundredths(h2_syscalls),
            instructions: instructions.round(),
        };
        self.0.insert(name.to_owned(), figures);
    }

    /// Each figure of this proxy that is above the recorded one. One that was never recorded is above it too.
    pub(super) fn dearer(&self, before: &Self, name: &str) -> Vec<String> {
        let Some(now) = self.of(name) else { return vec![format!("{name} was not measured")] };
        let Some(before) = before.of(name) else { return vec![format!("{name} is not recorded")] };
        [
            ("system calls", now.syscalls, before.syscalls),
            ("system calls with h2", now.h2_syscalls, before.h2_syscalls),
            ("instructions", now.instructions, before.instructions),
        ]
        .into_iter()
        .filter(|(_, now, before)| *now > before * TOLERANCE)
        .map(|(what, now, before)| format!("{what} {now} instead of {before}"))
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recorded(syscalls: f64, instructions: f64) -> Recorded {
        let mut recorded = Recorded::default();
        recorded.set("a", Figures { syscalls, h2_syscalls: syscalls / 2.0, instructions });
        recorded
    }

    #[test]
    fn three_percent_are_allowed() {
        let before = recorded(4.0, 30_000.0);
        assert!(recorded(4.1, 30_800.0).dearer(&before, "a").is_empty());
        assert_eq!(
            recorded(4.2, 30_800.0).dearer(&before, "a"),
            ["system calls 4.2 instead of 4", "system calls with h2 2.1 instead of 2"]
        );
        assert_eq!(recorded(3.0, 31_000.0).dearer(&before, "a"), ["instructions 31000 instead of 30000"]);
        assert_eq!(recorded(3.0, 1.0).dearer(&Recorded::default(), "a").len(), 1);
        assert_eq!(Recorded::default().dearer(&before, "a").len(), 1);
    }

    #[test]
    fn written_and_read() {
        let file = tempfile::NamedTempFile::new().unwrap();
        recorded(4.123, 5.4).write(file.path()).unwrap();
        assert_eq!(Recorded::read(file.path()).unwrap(), recorded(4.12, 5.0));
    }
}
