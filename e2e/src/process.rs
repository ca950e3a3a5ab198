//! Tidegate's processes, and those of its backends, as the node sees them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};

/// A process of a container.
#[derive(Debug, Clone)]
pub struct Process {
    /// As seen from the node.
    pub pid: u32,
    /// The Pod that it runs in, as its environment has it.
    pub pod: String,
    /// The program and its first argument.
    command: [String; 2],
    /// Whether it only looks after another process, which has all other arguments.
    supervises: bool,
}

impl Process {
    /// All processes that know their Pod's name.
    #[must_use]
    pub fn all() -> Vec<Self> {
        let folders = fs::read_dir("/proc").into_iter().flatten().flatten();
        folders.filter_map(|folder| Self::read(&folder.path())).collect()
    }

    /// The processes of Tidegate that run this subcommand, not those that supervise one.
    #[must_use]
    pub fn planes(subcommand: &str) -> Vec<Self> {
        let runs = |process: &Self| process.runs("tidegate", subcommand) && !process.supervises;
        Self::all().into_iter().filter(runs).collect()
    }

    /// The one process of Tidegate that runs this subcommand.
    ///
    /// # Errors
    /// There is none, or there are several.
    pub fn plane(subcommand: &str) -> anyhow::Result<Self> {
        let mut found = Self::planes(subcommand);
        ensure!(found.len() == 1, "{} processes are a {subcommand}", found.len());
        Ok(found.swap_remove(0))
    }

    /// A Pod's process of Tidegate that runs this subcommand.
    ///
    /// # Errors
    /// There is none.
    pub fn plane_of(pod: &str, subcommand: &str) -> anyhow::Result<Self> {
        let found = Self::planes(subcommand).into_iter().find(|process| process.pod == pod);
        found.with_context(|| format!("{pod} has no {subcommand}"))
    }

    /// The process of a Pod of the echo backend.
    ///
    /// # Errors
    /// There is none.
    pub fn echo(pod: &str) -> anyhow::Result<Self> {
        let is_it = |process: &Self| process.pod == pod && process.program().ends_with("echo");
        Self::all().into_iter().find(is_it).with_context(|| format!("{pod} has no echo"))
    }

    fn read(folder: &Path) -> Option<Self> {
        let pid = folder.file_name()?.to_str()?.parse().ok()?;
        let environment = fs::read(folder.join("environ")).ok()?;
        let pod = environment.split(|byte| *byte == 0).find_map(|variable| variable.strip_prefix(b"POD_NAME="))?;
        let arguments = fs::read_to_string(folder.join("cmdline")).ok()?;
        let supervises = arguments.split('\0').any(|argument| argument == "--supervised");
        let mut words = arguments.split('\0').map(str::to_owned);
        let command = [words.next()?, words.next().unwrap_or_default()];
        Some(Self { pid, pod: String::from_utf8_lossy(pod).into_owned(), command, supervises })
    }

    fn program(&self) -> &str {
        let [program, _] = &self.command;
        program
    }

    fn runs(&self, program: &str, subcommand: &str) -> bool {
        let [_, argument] = &self.command;
        self.program().ends_with(program) && argument == subcommand
    }

    /// Sends it a signal, such as `-STOP`.
    ///
    /// # Errors
    /// It is gone.
    pub fn signal(&self, signal: &str) -> anyhow::Result<()> {
        let status = Command::new("kill").args([signal, &self.pid.to_string()]).stderr(Stdio::null()).status()?;
        ensure!(status.success(), "kill {signal} {self:?}");
        Ok(())
    }

    /// Whether it has not ended.
    #[must_use]
    pub fn lives(&self) -> bool {
        Self::read(&self.folder()).is_some_and(|now| (&now.pod, &now.command) == (&self.pod, &self.command))
    }

    /// Who runs now, in the same Pod, what this one of Tidegate ran. None: nobody does.
    #[must_use]
    pub fn successor(&self) -> Option<Self> {
        let [_, subcommand] = &self.command;
        Self::planes(subcommand).into_iter().find(|one| one.pod == self.pod && one.pid != self.pid)
    }

    /// kill -9.
    ///
    /// # Errors
    /// It is gone.
    pub fn kill(&self) -> anyhow::Result<()> {
        self.signal("-KILL")
    }

    /// Its folder in /proc.
    #[must_use]
    pub fn folder(&self) -> PathBuf {
        Path::new("/proc").join(self.pid.to_string())
    }

    /// A path as the process sees it.
    #[must_use]
    pub fn path(&self, path: &str) -> PathBuf {
        self.folder().join("root").join(path.trim_start_matches('/'))
    }

    /// Its memory, bytes: at present (`VmRSS`), or the most so far (`VmHWM`). None: it is gone.
    #[must_use]
    pub fn memory(&self, field: &str) -> Option<u64> {
        let status = fs::read_to_string(self.folder().join("status")).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'))?;
        line.trim().strip_suffix(" kB")?.parse::<u64>().ok().map(|kilobytes| kilobytes << 10)
    }
}
