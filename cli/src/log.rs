//! Our own log, to standard error. The access log, to standard output, is the data plane's.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

/// How a line of the log looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// What is logged unless `RUST_LOG` says otherwise. kube's client logs each failed attempt as an error, while the
/// controller tells of an API that is away once, and of its return. h2 and rustls warn of what a client sends, which
/// would let every client fill the log.
const DEFAULT_FILTER: &str = "info,kube_client=off,h2=error,rustls=error";

/// Starts the log; what is logged can be chosen by `RUST_LOG`.
pub fn start(format: LogFormat) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(DEFAULT_FILTER));
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false);
    match format {
        LogFormat::Text => log.init(),
        LogFormat::Json => log.json().init(),
    }
}
