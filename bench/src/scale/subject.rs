//! A controller with its proxy, on the cluster of this bench.

use std::{
    fs::File,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use rustix::process::{Pid, Signal, kill_process};

use super::CONTROLLER;
use crate::procfs;

/// Where the subject serves HTTP.
pub const SERVED: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 8080);

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Subject {
    /// `tidegate run`.
    Tidegate,
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
            Self::Traefik => "Traefik",
        }
    }

    /// Starts it.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start(self, places: &Places<'_>) -> Result<Running> {
        let output = places.folder.join(format!("{}.log", self.name()));
        let log = places.folder.join("access.log").display().to_string();
        let mut command = match self {
            Self::Tidegate => Command::new(places.tidegate),
            Self::Traefik => Command::new(places.peers.join("python/bin/traefik")),
        };
        match self {
            Self::Tidegate => {
                command.args(["run", "--http-port=8080", "--https-port=8443", "--healthz-port=8081"]).args([
                    format!("--kubeconfig={}", places.kubeconfig.display()),
                    format!("--controller-class={CONTROLLER}"),
                    "--publish-status-address=192.0.2.1".to_owned(),
                    format!("--access-log={log}"),
                ])
            }
            Self::Traefik => command
                .env("KUBECONFIG", &places.kubeconfig)
                .args(["--entrypoints.web.address=:8080", "--entrypoints.websecure.address=:8443"])
                .args(["--providers.kubernetesingress=true", "--providers.kubernetesingress.ingressclass=scale"])
                .args(["--global.checknewversion=false", "--global.sendanonymoususage=false", "--log.level=ERROR"])
                .arg(format!("--accesslog.filepath={log}")),
        };
        let output = File::create(&output).with_context(|| output.display().to_string())?;
        command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
        let began = Instant::now();
        let child = command.spawn().with_context(|| format!("{:?}", command.get_program()))?;
        Ok(Running { child, began })
    }
}

/// A subject that runs, until it is dropped.
#[derive(Debug)]
pub struct Running {
    child: Child,
    /// When it was started.
    pub began: Instant,
}

impl Running {
    /// The memory of all its processes, in MiB.
    ///
    /// # Errors
    /// It has ended.
    pub fn memory(&self) -> Result<u64> {
        Ok(procfs::memory(&procfs::tree(self.child.id())?)? / 1024)
    }

    /// The time on a CPU that all its processes have had.
    ///
    /// # Errors
    /// It has ended.
    pub fn cpu(&self) -> Result<Duration> {
        Ok(procfs::usage(&procfs::tree(self.child.id())?)?.run)
    }

    /// Fails if it has ended.
    ///
    /// # Errors
    /// It has.
    pub fn check(&mut self) -> Result<()> {
        let status = self.child.try_wait()?;
        ensure!(status.is_none(), "it has ended: {status:?}");
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(pid) = Pid::from_raw(self.child.id().cast_signed())
            && kill_process(pid, Signal::KILL).is_ok()
        {
            let _ = self.child.wait(); // its end is all that is waited for
        }
    }
}
