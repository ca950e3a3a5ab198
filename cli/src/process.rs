//! What any process that serves needs around it.

use std::{
    fmt,
    net::{IpAddr, Ipv6Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, anyhow};
use snapshot::Snapshot;
use tokio::{net::TcpListener, sync::watch};

use crate::args::ProcessFlags;

/// Threads for everything but traffic: watches, probes, reports, look-ups.
const SIDE_THREADS: usize = 2;

/// How long what blocks a thread may go on when all else has ended: the state of a data plane is being written, perhaps.
const LAST_WORK: Duration = Duration::from_secs(3);

/// Reports of the data plane that wait for whoever reads them.
pub const REPORTS: usize = 16;

/// The exit code of a process that could not begin: an operator has to mend something.
pub const CANNOT_BEGIN: u8 = 1;

/// That of one that had begun: EX_SOFTWARE of sysexits(3).
pub const CANNOT_GO_ON: u8 = 70;

/// What pages that are no metrics are.
pub const JSON: &str = "application/json";

/// Runs a process on threads that no traffic is served on.
///
/// # Errors
/// Those of `serve`, or there are no threads to be had.
pub fn run(serve: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    rustls::crypto::aws_lc_rs::default_provider()
        .install_default()
        .map_err(|_| anyhow!("another crypto provider is installed"))?;
    on_side_threads(serve)
}

fn on_side_threads(serve: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    let side = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(SIDE_THREADS)
        .thread_name("side")
        .enable_all()
        .build()
        .context("cannot start threads")?;
    let served = side.block_on(serve);
    // Without a limit a compile that never returns would keep it from ending.
    side.shutdown_timeout(LAST_WORK);
    served
}

/// A process had begun, and a part of it ended that must not: a mistake of the program.
#[derive(Debug)]
pub struct CannotGoOn;

impl CannotGoOn {
    /// An error by which it can be told from others.
    pub fn because(cause: impl Into<anyhow::Error>) -> anyhow::Error {
        cause.into().context(Self)
    }
}

impl fmt::Display for CannotGoOn {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("cannot go on")
    }
}

/// What a process ends with that failed.
pub fn exit_code(error: &anyhow::Error) -> u8 {
    if error.is::<CannotGoOn>() { CANNOT_GO_ON } else { CANNOT_BEGIN }
}

/// Listens for probes, scrapes and people.
///
/// # Errors
/// The address is taken or cannot be had.
pub async fn bind_admin(flags: &ProcessFlags, default_port: u16) -> anyhow::Result<TcpListener> {
    let any = IpAddr::V6(Ipv6Addr::UNSPECIFIED);
    let port = flags.healthz_port.unwrap_or(default_port);
    let address = SocketAddr::new(flags.healthz_host.unwrap_or(any), port);
    let bound = match TcpListener::bind(address).await {
        // A machine without IPv6.
        Err(error) if flags.healthz_host.is_none() && error.kind() != std::io::ErrorKind::AddrInUse => {
            TcpListener::bind(("0.0.0.0", port)).await
        }
        bound => bound,
    };
    bound.with_context(|| format!("cannot listen on {address} (--healthz-port)"))
}

/// The page of what is served.
pub fn snapshot_page(served: &watch::Receiver<Option<Arc<Snapshot>>>) -> String {
    // Nothing new is served as long as this is borrowed, and writing it down takes a while.
    let served = served.borrow().clone();
    json(&served)
}

/// A page of JSON.
pub fn json(value: &impl serde::Serialize) -> String {
    match serde_json::to_string_pretty(value) {
        Ok(text) => text + "\n",
        Err(error) => format!("{{\"error\": {:?}}}\n", error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn what_never_returns_does_not_keep_it_from_ending() {
        let (_never, forever) = mpsc::channel::<()>();
        let served = on_side_threads(async {
            let (begin, begun) = tokio::sync::oneshot::channel();
            tokio::task::spawn_blocking(move || {
                begin.send(()).unwrap();
                forever.recv()
            });
            Ok(begun.await?)
        });
        assert!(served.is_ok());
    }
}
