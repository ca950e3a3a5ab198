//! What the data plane must know before the first snapshot.

use std::{num::NonZeroUsize, time::Duration};

use clap::{ArgAction, Args};

/// What the data plane must know before the first snapshot. Where it listens is said by the controller.
#[derive(Debug, Args)]
pub struct DataplaneFlags {
    /// Worker threads; one for each CPU that this process may use by default.
    #[arg(long, value_name = "N")]
    pub workers: Option<NonZeroUsize>,
    /// Where the access log goes: `stdout`, `off` or a file, which is opened anew at SIGUSR1.
    #[arg(long, default_value = "stdout", value_name = "TARGET")]
    pub access_log: String,
    /// Whether the metrics of requests carry the host.
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value_t = true, action = ArgAction::Set)]
    pub metrics_per_host: bool,
    /// Seconds to wait after draining, before the process ends.
    #[arg(long, default_value_t = 0, value_name = "SECONDS")]
    post_shutdown_grace_period: u64,
}

impl DataplaneFlags {
    /// How long to wait after draining.
    pub fn post_shutdown_grace(&self) -> Duration {
        Duration::from_secs(self.post_shutdown_grace_period)
    }
}
