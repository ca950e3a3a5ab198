//! `tidegate controller --supervised`: the controller as a process below this one, which starts it again whenever it ends
//! or hangs.
//!
//! Kubernetes calls a Pod ready only while all of its containers run. So the container of a controller must not end with
//! it: the data plane beside it would get no new connections, after a few crashes for minutes.

mod child;
mod pace;
mod pulse;
mod restarts;

use std::{
    io,
    os::unix::process::ExitStatusExt,
    pin::pin,
    process::{ExitCode, ExitStatus},
    time::Duration,
};

use anyhow::Context;
use tokio::time::{Instant, sleep};

use crate::{
    args::ControllerCommand,
    process::CANNOT_BEGIN,
    signal::{StopSignal, StopSignals},
};
use child::Program;
use pace::Pace;
use pulse::Pulse;

pub use child::end_with_supervisor;
pub use restarts::metrics;

/// Starts a controller, again and again, until SIGTERM or SIGINT, which are passed on. Returns what the last one did.
///
/// # Errors
/// The first one could not be started.
pub fn run(flags: &ControllerCommand) -> anyhow::Result<ExitCode> {
    let pulse = Pulse::new(&flags.process, flags.supervision.period())?;
    let program = Program::ourselves().context("cannot tell which program this is")?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(supervise(&program, &pulse))
}

async fn supervise(program: &Program, pulse: &Pulse) -> anyhow::Result<ExitCode> {
    let mut stop = StopSignals::new().context("cannot take over signals")?;
    let mut pace = Pace::default();
    for restarts in 0.. {
        let begun = Instant::now();
        let why = match live(program, restarts, pulse, &mut stop).await {
            Ok(End::Told(status)) => return Ok(exit_code(status)),
            Ok(End::Unasked(status)) if restarts == 0 && could_not_begin(status) => return Ok(exit_code(status)),
            Ok(End::Unasked(status)) => status.to_string(),
            Err(error) if restarts == 0 => return Err(error).context("cannot start the controller"),
            Err(error) => error.to_string(),
        };
        let lived = begun.elapsed();
        let pause = pace.after(lived);
        tracing::error!(restarts, "the controller ended after {lived:.1?} ({why}); it is started again in {pause:.1?}");
        if let Some(signal) = told_within(pause, &mut stop).await {
            tracing::info!("{signal}: leaving");
            break;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// How a controller ended.
enum End {
    /// It was told to.
    Told(ExitStatus),
    /// By itself, or because it hung.
    Unasked(ExitStatus),
}

/// The life of one controller.
async fn live(program: &Program, restarts: u64, pulse: &Pulse, stop: &mut StopSignals) -> io::Result<End> {
    let mut child = program.start(restarts)?;
    let mut hangs = pin!(pulse.lost());
    let (mut told, mut killed) = (false, false);
    loop {
        tokio::select! {
            status = child.wait() => {
                let status = status?;
                return Ok(if told { End::Told(status) } else { End::Unasked(status) });
            }
            signal = stop.next() => {
                told = true;
                child::pass_on(&child, signal);
            }
            // One that was told to leave has as long as whoever told it gives.
            silent = &mut hangs, if !told && !killed => {
                killed = true;
                tracing::error!("the controller has not answered on /healthz for {silent:.1?}: it is killed");
                child.start_kill()?;
            }
        }
    }
}

/// Waits, unless somebody asks for a stop.
async fn told_within(pause: Duration, stop: &mut StopSignals) -> Option<StopSignal> {
    tokio::select! {
        () = sleep(pause) => None,
        signal = stop.next() => Some(signal),
    }
}

/// Whether an operator has to mend something: then the container should end with it, and Kubernetes show it. Where a
/// controller has crashed, that would take traffic from a data plane that serves.
fn could_not_begin(status: ExitStatus) -> bool {
    status.code() == Some(CANNOT_BEGIN.into())
}

/// As shells have it: 128 and the number of the signal, where it was one.
fn exit_code(status: ExitStatus) -> ExitCode {
    let code = status.code().or_else(|| Some(128 + status.signal()?));
    code.and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exited(code: i32) -> ExitStatus {
        ExitStatus::from_raw(code << 8)
    }

    #[test]
    fn a_crash_is_told_from_what_an_operator_has_to_mend() {
        assert!(could_not_begin(exited(CANNOT_BEGIN.into())));
        let killed = ExitStatus::from_raw(9);
        for crash in [killed, exited(crate::process::CANNOT_GO_ON.into()), exited(101), exited(0)] {
            assert!(!could_not_begin(crash), "{crash}");
        }
    }

    #[test]
    fn its_exit_code_is_ours() {
        for (status, code) in [(exited(0), 0), (exited(70), 70), (ExitStatus::from_raw(15), 143)] {
            assert_eq!(format!("{:?}", exit_code(status)), format!("{:?}", ExitCode::from(code)));
        }
    }
}
