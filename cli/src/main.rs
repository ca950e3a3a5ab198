//! `tidegate`: arguments, wiring, signals.

mod allocator;
mod args;
mod controller;
mod dataplane;
mod ending;
mod log;
mod low_ports;
mod planes;
mod process;
mod run;
mod signal;
mod supervise;

use std::process::ExitCode;

use args::{Command, ControllerCommand};

fn main() -> ExitCode {
    let arguments = args::parse();
    log::start(arguments.log_format);
    low_ports::permit();
    arguments.warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
    let done = match arguments.command {
        Command::Run(flags) => process::run(run::serve(*flags)),
        Command::Controller(flags) if flags.supervision.supervised => match supervise::run(&flags) {
            Ok(code) => return code,
            Err(error) => Err(error),
        },
        Command::Controller(flags) => control(*flags),
        Command::Dataplane(flags) => process::run(dataplane::serve(*flags)),
        Command::Annotations => print(&compile::annotation::reference()),
        Command::Settings { chart: false } => print(&compile::settings::reference()),
        Command::Settings { chart: true } => {
            compile::settings::chart().map_err(Into::into).and_then(|text| print(&text))
        }
        Command::Flags => args::flags_for_chart().map_err(Into::into).and_then(|text| print(&text)),
        Command::Crds => ::controller::crds().map_err(Into::into).and_then(|text| print(&text)),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            process::exit_code(&error).into()
        }
    }
}

fn control(flags: ControllerCommand) -> anyhow::Result<()> {
    if let Some(supervisor) = flags.supervision.supervisor_pid {
        supervise::end_with_supervisor(supervisor)?;
    }
    process::run(controller::serve(flags))
}

fn print(text: &str) -> anyhow::Result<()> {
    use std::io::Write;
    match std::io::stdout().write_all(text.as_bytes()) {
        // A reader that has seen enough (`| head`) is no failure.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        written => Ok(written?),
    }
}
