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

    /// A Pod's process of Tidegate that runs this subcommand.
    ///
    /// # Errors
    /// There is none.
    pub fn plane_of(pod: &str, subcommand: &str) -> anyhow::Result<Self> {
        let found = Self::planes(subcommand).into_iter().find(|process| process.pod == pod);
        found.with_context(|| format!("{pod} has no {subcommand}"))
    }

    /// All of a Pod's processes of Tidegate, those too that supervise one.
    #[must_use]
    pub fn of_pod(pod: &str) -> Vec<Self> {
        let is_it = |process: &Self| process.pod == pod && process.program().ends_with("tidegate");
        Self::all().into_iter().filter(is_it).collect()
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

    /// What is mounted where it lives, and with which options.
    ///
    /// # Errors
    /// It is gone.
    pub fn mounts(&self) -> anyhow::Result<Vec<Mount>> {
        let text = fs::read_to_string(self.folder().join("mountinfo")).with_context(|| format!("{self:?}"))?;
        Ok(text.lines().filter_map(Mount::read).collect())
    }

    /// A field of its status in /proc, such as `Uid`. None: it is gone.
    #[must_use]
    pub fn status(&self, field: &str) -> Option<String> {
        let status = fs::read_to_string(self.folder().join("status")).ok()?;
        let value = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'))?;
        Some(value.trim().to_owned())
    }

    /// Its memory, bytes: at present (`VmRSS`), or the most so far (`VmHWM`). None: it is gone.
    #[must_use]
    pub fn memory(&self, field: &str) -> Option<u64> {
        self.status(field)?.strip_suffix(" kB")?.parse::<u64>().ok().map(|kilobytes| kilobytes << 10)
    }

    /// The address of its Pod, which the kubelet writes into its `/etc/hosts`. None: it is gone.
    #[must_use]
    pub fn address(&self) -> Option<String> {
        address(&fs::read_to_string(self.path("/etc/hosts")).ok()?, &self.pod)
    }
}

/// A line of proc_pid_mountinfo(5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// Where it is, as the process sees it.
    pub point: String,
    /// Whether nobody can write there by this mount, whatever its file system allows.
    pub read_only: bool,
}

impl Mount {
    fn read(line: &str) -> Option<Self> {
        let mut words = line.split(' ').skip(4);
        let (point, options) = (words.next()?.to_owned(), words.next()?);
        Some(Self { point, read_only: options.split(',').any(|option| option == "ro") })
    }
}

fn address(hosts: &str, pod: &str) -> Option<String> {
    hosts.lines().find_map(|line| {
        let mut words = line.split_whitespace();
        let address = words.next()?;
        words.any(|name| name == pod).then(|| address.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_of_a_pod_is_in_its_hosts_file() {
        let hosts = "# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\n10.244.1.7\ttidegate-controller-1\n";
        assert_eq!(address(hosts, "tidegate-controller-1"), Some("10.244.1.7".to_owned()));
        assert_eq!(address(hosts, "tidegate-controller-2"), None);
    }

    #[test]
    fn mounts_are_read() {
        let read = |line| Mount::read(line).map(|mount| (mount.point, mount.read_only));
        let root = "36 35 98:0 / / ro,relatime master:1 - overlay overlay rw,errors=continue";
        assert_eq!(read(root), Some(("/".to_owned(), true)));
        let state = "37 36 0:50 / /run/tidegate/state rw,relatime - tmpfs tmpfs ro,size=1k";
        assert_eq!(read(state), Some(("/run/tidegate/state".to_owned(), false)));
        assert_eq!(read("36 35"), None);
    }

    #[test]
    fn a_status_has_fields() {
        let this =
            Process { pid: std::process::id(), pod: String::new(), command: Default::default(), supervises: false };
        assert!(this.memory("VmRSS").is_some_and(|bytes| bytes > 1 << 20));
        assert!(this.status("Uid").is_some_and(|ids| ids.split_whitespace().count() == 4));
        assert_eq!(this.status("NoSuchField"), None);
    }
}
