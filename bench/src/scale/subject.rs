//! A controller with its proxy, on the cluster of this bench.

use std::{
    fs::{self, File},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};

use super::CONTROLLER;
use crate::procfs;

/// Where the subject serves HTTP.
pub const SERVED: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 8080);

/// Where the data plane of Tidegate tells its metrics.
pub const ADMIN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 8081);

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Subject {
    /// `tidegate controller` and `tidegate dataplane`, as the chart has it.
    Tidegate,
    /// `tidegate run`.
    Run,
    /// Traefik with its defaults.
    Traefik,
}

/// Where programs and files are.
#[derive(Debug)]
pub struct Places<'a> {
    pub tidegate: &'a Path,
    pub peers: &'a Path,
    pub folder: &'a Path,
    pub kubeconfig: PathBuf,
}

impl Subject {
    /// Its name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tidegate => "Tidegate",
            Self::Run => "Tidegate in one process",
            Self::Traefik => "Traefik",
        }
    }

    /// Starts it.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start(self, places: &Places<'_>) -> Result<Running> {
        let began = Instant::now();
        let mut running = Running { children: Vec::new(), began, state: None };
        let mut start = |name: &str, command: &mut Command| -> Result<()> {
            let log = places.folder.join(format!("{name}.log"));
            let output = File::create(&log).with_context(|| log.display().to_string())?;
            command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
            running.children.push(command.spawn().with_context(|| format!("{:?}", command.get_program()))?);
            Ok(())
        };
        match self {
            Self::Tidegate => {
                start("dataplane", &mut dataplane(places))?;
                start("controller", &mut controller(places, "controller"))?;
                running.state = Some(state(places));
            }
            Self::Run => start("run", controller(places, "run").arg("--healthz-port=8081").arg(access_log(places)))?,
            Self::Traefik => start("traefik", &mut traefik(places))?,
        }
        Ok(running)
    }
}

fn state(places: &Places<'_>) -> PathBuf {
    places.folder.join("state")
}

fn socket(places: &Places<'_>) -> String {
    format!("--socket={}", places.folder.join("tidegate.sock").display())
}

fn access_log(places: &Places<'_>) -> String {
    format!("--access-log={}", places.folder.join("access.log").display())
}

fn controller(places: &Places<'_>, subcommand: &str) -> Command {
    let mut command = Command::new(places.tidegate);
    command.args([subcommand, "--http-port=8080", "--https-port=8443", "--publish-status-address=192.0.2.1"]);
    command.arg(format!("--kubeconfig={}", places.kubeconfig.display()));
    command.arg(format!("--controller-class={CONTROLLER}"));
    if subcommand == "controller" {
        command.arg(socket(places));
    }
    command
}

fn dataplane(places: &Places<'_>) -> Command {
    let mut command = Command::new(places.tidegate);
    command.args(["dataplane", "--healthz-port=8081"]).args([socket(places), access_log(places)]);
    command.arg(format!("--state-dir={}", state(places).display()));
    command
}

fn traefik(places: &Places<'_>) -> Command {
    let mut command = Command::new(places.peers.join("python/bin/traefik"));
    command
        .env("KUBECONFIG", &places.kubeconfig)
        .args(["--entrypoints.web.address=:8080", "--entrypoints.websecure.address=:8443"])
        .args(["--providers.kubernetesingress=true", "--providers.kubernetesingress.ingressclass=scale"])
        .args(["--global.checknewversion=false", "--global.sendanonymoususage=false", "--log.level=ERROR"])
        .arg(format!("--accesslog.filepath={}", places.folder.join("access.log").display()));
    command
}

/// The time on a CPU, by who had it.
#[derive(Debug, Clone, Copy)]
pub struct Cpu {
    /// The threads that serve requests and do nothing else.
    pub workers: Duration,
    /// All of the process that serves.
    pub dataplane: Duration,
    /// The other one.
    pub controller: Duration,
}

impl Cpu {
    /// What was used since an earlier look.
    pub fn since(self, earlier: Self) -> Self {
        Self {
            workers: self.workers.saturating_sub(earlier.workers),
            dataplane: self.dataplane.saturating_sub(earlier.dataplane),
            controller: self.controller.saturating_sub(earlier.controller),
        }
    }
}

/// A subject that runs, until it is dropped.
#[derive(Debug)]
pub struct Running {
    /// Its processes; that which serves comes first.
    children: Vec<Child>,
    /// When it was started.
    pub began: Instant,
    /// Where it keeps what it serves.
    state: Option<PathBuf>,
}

impl Running {
    /// The memory of its processes, each with what it has started, in MiB. A state folder, which is in memory, counts as
    /// the first one's.
    ///
    /// # Errors
    /// One has ended.
    pub fn memory(&self) -> Result<Vec<u64>> {
        let mut kept = self.kept()?;
        let mut memory = Vec::new();
        for child in &self.children {
            memory.push((procfs::memory(&procfs::tree(child.id())?)? + std::mem::take(&mut kept)) / 1024);
        }
        Ok(memory)
    }

    /// The most memory that each of its processes has had at a time, in MiB: unlike [`Running::memory`] with all of the
    /// program's own pages. A state folder counts as the first one's, as it is now.
    ///
    /// # Errors
    /// One has ended.
    pub fn peak(&self) -> Result<Vec<u64>> {
        let mut kept = self.kept()?;
        let most = |child: &Child| Ok((procfs::peak(&procfs::tree(child.id())?)? + std::mem::take(&mut kept)) / 1024);
        self.children.iter().map(most).collect()
    }

    /// What is in the state folder, in KiB.
    fn kept(&self) -> Result<u64> {
        let mut kept = 0;
        for entry in self.state.iter().filter_map(|state| fs::read_dir(state).ok()).flatten() {
            kept += entry?.metadata()?.len() / 1024;
        }
        Ok(kept)
    }

    /// Its processes, with what they have started.
    ///
    /// # Errors
    /// /proc cannot be read.
    pub fn pids(&self) -> Result<Vec<u32>> {
        let trees: Result<Vec<_>> = self.children.iter().map(|child| procfs::tree(child.id())).collect();
        Ok(trees?.concat())
    }

    /// The time on a CPU that all its processes have had.
    ///
    /// # Errors
    /// One has ended.
    pub fn cpu(&self) -> Result<Duration> {
        procfs::time(&self.pids()?)
    }

    /// That of two planes, told apart.
    ///
    /// # Errors
    /// One has ended, or there are not two.
    pub fn cpu_apart(&self) -> Result<Cpu> {
        let [dataplane, controller] = self.children.as_slice() else { bail!("it has not two processes") };
        Ok(Cpu {
            workers: procfs::usage_of_threads(dataplane.id(), "worker-")?.run,
            dataplane: procfs::time(&[dataplane.id()])?,
            controller: procfs::time(&[controller.id()])?,
        })
    }

    /// Fails if one has ended.
    ///
    /// # Errors
    /// One has.
    pub fn check(&mut self) -> Result<()> {
        for child in &mut self.children {
            let status = child.try_wait()?;
            ensure!(status.is_none(), "it has ended: {status:?}");
        }
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        for child in &mut self.children {
            if let Some(pid) = Pid::from_raw(child.id().cast_signed())
                && kill_process(pid, Signal::KILL).is_ok()
            {
                let _ = child.wait(); // its end is all that is waited for
            }
        }
        // The next one begins with nothing.
        if let Some(state) = &self.state {
            let _ = fs::remove_dir_all(state);
        }
    }
}
