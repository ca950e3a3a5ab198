//! A proxy that runs, from its start to its end.

use std::{
    fs::File,
    net::SocketAddr,
    path::PathBuf,
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

use crate::{
    load::{Budget, Load, Target},
    procfs,
};

/// How long a proxy may take to start.
pub const START: Duration = Duration::from_secs(60);

/// How long a proxy may take to end by itself.
const LEAVING: Duration = Duration::from_secs(3);

/// How to start a proxy.
#[derive(Debug)]
pub struct Launch {
    /// The program.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// Variables of its environment, beside ours.
    pub environment: Vec<(&'static str, String)>,
    /// Where its output goes.
    pub output: PathBuf,
    /// Its access log.
    pub log: PathBuf,
    /// Where it serves plain HTTP.
    pub plain: SocketAddr,
    /// Where it serves HTTPS.
    pub tls: SocketAddr,
    /// Where it hands TCP on, if it does.
    pub tcp: SocketAddr,
}

/// A proxy that runs; it ends when this is dropped.
#[derive(Debug)]
pub struct Running {
    child: Child,
    output: PathBuf,
    log: PathBuf,
    /// Where it serves plain HTTP.
    pub plain: SocketAddr,
    /// Where it serves HTTPS.
    pub tls: SocketAddr,
    /// Where it hands TCP on, if it does.
    pub tcp: SocketAddr,
}

impl Launch {
    /// Starts it on these cores (as `taskset -c` names them), under `wrapper` where one is given (a program and its arguments).
    /// It ends with us, whatever ends us.
    ///
    /// # Errors
    /// Where it cannot be started.
    pub fn start(self, cores: &str, wrapper: &[String]) -> Result<Running> {
        let output = File::create(&self.output)?;
        let child = Command::new("setpriv")
            .args(["--pdeathsig", "TERM", "taskset", "-c", cores])
            .args(wrapper)
            .arg(&self.program)
            .args(&self.arguments)
            .envs(self.environment)
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()
            .with_context(|| format!("cannot start {}", self.program.display()))?;
        let Self { output, log, plain, tls, tcp, .. } = self;
        Ok(Running { child, output, log, plain, tls, tcp })
    }
}

impl Running {
    /// The process and its children.
    ///
    /// # Errors
    /// Where /proc cannot be read.
    pub fn pids(&self) -> Result<Vec<u32>> {
        procfs::tree(self.child.id())
    }

    /// Empties its access log, and says how long it had become: nobody shall fill the memory or run without one.
    ///
    /// # Errors
    /// Where there is none.
    pub fn take_log(&self) -> Result<u64> {
        let log = File::options().write(true).open(&self.log).with_context(|| self.log.display().to_string())?;
        let length = log.metadata()?.len();
        log.set_len(0)?;
        Ok(length)
    }

    /// The process that was started.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits until it answers 200.
    ///
    /// # Errors
    /// Where it ends or takes too long; with the last lines that it wrote.
    pub fn wait_ready(&mut self, target: &Target, patience: Duration) -> Result<()> {
        let start = Instant::now();
        loop {
            let answered = Load::connect(target, 1).and_then(|mut load| load.run(Budget::Requests(1)));
            let Err(error) = answered else { return Ok(()) };
            if let Some(status) = self.child.try_wait()? {
                bail!("it ended, {status}: {}", self.last_output());
            }
            if start.elapsed() > patience {
                bail!("not ready after {} s: {error:#}: {}", patience.as_secs(), self.last_output());
            }
            sleep(Duration::from_millis(50));
        }
    }

    fn last_output(&self) -> String {
        let text = std::fs::read(&self.output).unwrap_or_default();
        let text = String::from_utf8_lossy(&text).into_owned();
        let lines: Vec<&str> = text.lines().collect();
        lines.iter().skip(lines.len().saturating_sub(5)).copied().collect::<Vec<_>>().join("\n")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let pids = self.pids().unwrap_or_default();
        send_signal(&pids, rustix::process::Signal::TERM);
        let start = Instant::now();
        while start.elapsed() < LEAVING && matches!(self.child.try_wait(), Ok(None)) {
            sleep(Duration::from_millis(20));
        }
        if matches!(self.child.try_wait(), Ok(None)) {
            send_signal(&self.pids().unwrap_or_default(), rustix::process::Signal::KILL);
        }
        let _ = self.child.wait();
    }
}

/// Sends a signal to processes of ours; one that is gone already is no error.
pub fn send_signal(pids: &[u32], signal: rustix::process::Signal) {
    for pid in pids {
        let pid = i32::try_from(*pid).ok().and_then(rustix::process::Pid::from_raw);
        if let Some(pid) = pid {
            let _ = rustix::process::kill_process(pid, signal);
        }
    }
}
