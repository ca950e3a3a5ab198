//! `tidegate`: arguments, wiring, signals.

mod allocator;
mod args;
mod controller;
mod dataplane;
mod log;
mod low_ports;
mod planes;
mod process;
mod run;
mod signal;

use std::process::ExitCode;

use args::Command;

fn main() -> ExitCode {
    let arguments = args::parse();
    log::start(arguments.log_format);
    low_ports::permit();
    arguments.warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
    let done = match arguments.command {
        Command::Run(flags) => process::run(run::serve(*flags)),
        Command::Controller(flags) => process::run(controller::serve(*flags)),
        Command::Dataplane(flags) => process::run(dataplane::serve(*flags)),
        Command::Annotations => print(&compile::annotation::reference()),
        Command::Settings => print(&compile::settings::reference()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn print(text: &str) -> anyhow::Result<()> {
    use std::io::Write;
    match std::io::stdout().write_all(text.as_bytes()) {
        // A reader that has seen enough (`| head`) is no failure.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        written => Ok(written?),
    }
}
