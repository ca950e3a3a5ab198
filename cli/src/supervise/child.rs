//! The process that is supervised, seen from both sides.

use std::{env, ffi::OsString, io, path::PathBuf};

use anyhow::{Context, ensure};
use rustix::process::{Pid, Signal, getppid, kill_process, set_parent_process_death_signal};
use tokio::process::{Child, Command};

use crate::signal::StopSignal;

/// What is started.
pub struct Program {
    path: PathBuf,
    arguments: Vec<OsString>,
}

impl Program {
    /// This one, with the same arguments but for `--supervised`.
    ///
    /// # Errors
    /// The system does not tell which one it is.
    pub fn ourselves() -> io::Result<Self> {
        let arguments = env::args_os().skip(1).filter(|argument| !asks_for_supervision(argument));
        Ok(Self { path: env::current_exe()?, arguments: arguments.collect() })
    }

    /// Starts it, with this process's environment, input and outputs.
    ///
    /// # Errors
    /// The system refuses.
    pub fn start(&self, restarts: u64) -> io::Result<Child> {
        Command::new(&self.path)
            .args(&self.arguments)
            .env("TIDEGATE_RESTARTS", restarts.to_string())
            .env("TIDEGATE_SUPERVISOR_PID", std::process::id().to_string())
            // A terminal sends ctrl-C to a whole group: it would come a second time when it is passed on.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
    }
}

fn asks_for_supervision(argument: &OsString) -> bool {
    argument.to_str().is_some_and(|text| text == "--supervised" || text.starts_with("--supervised="))
}

/// Passes a signal on.
pub fn pass_on(child: &Child, signal: StopSignal) {
    let Some(pid) = child.id().and_then(|pid| i32::try_from(pid).ok()).and_then(Pid::from_raw) else { return };
    let sent = kill_process(
        pid,
        match signal {
            StopSignal::Terminate => Signal::TERM,
            StopSignal::Interrupt => Signal::INT,
        },
    );
    match sent {
        Ok(()) => tracing::info!("{signal} is passed on to the controller"),
        Err(error) => tracing::warn!("{signal} cannot be passed on to the controller: {error}"),
    }
}

/// A controller whose supervisor is killed ends at once, so that the next one finds its ports free. This must be called
/// by the main thread, and by each one that is supervised.
///
/// # Errors
/// The system refuses, or the supervisor is gone already.
pub fn end_with_supervisor(pid: i32) -> anyhow::Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL)).context("cannot ask to end with the supervisor")?;
    // It may have ended before.
    ensure!(Pid::as_raw(getppid()) == pid, "the supervisor, process {pid}, is gone");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_is_supervised_supervises_nobody() {
        for (argument, asks) in [
            ("--supervised", true),
            ("--supervised=true", true),
            ("--supervision-period=9", false),
            ("--socket=--supervised", false),
            ("controller", false),
        ] {
            assert_eq!(asks_for_supervision(&argument.into()), asks, "{argument}");
        }
    }
}
