//! How a controller is looked after.

use std::{num::NonZeroU64, time::Duration};

use clap::{ArgAction, Args};

/// How a controller is looked after.
#[derive(Debug, Args)]
pub struct SupervisionFlags {
    /// Run the controller as a process of its own below this one, which starts it again when it ends or hangs: so that
    /// its container goes on, without which Kubernetes would send a data plane in the same Pod no new connections.
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value_t = false, action = ArgAction::Set)]
    pub supervised: bool,
    /// Milliseconds between two questions whether it answers.
    #[arg(long, default_value = "10000", value_name = "MS", hide = true)]
    supervision_period: NonZeroU64,

    /// How often this one was started again. None: nobody supervises it.
    #[arg(long, env = "TIDEGATE_RESTARTS", hide = true)]
    pub restarts: Option<u64>,
    /// The process that supervises this one, and with which it ends.
    #[arg(long, env = "TIDEGATE_SUPERVISOR_PID", hide = true)]
    pub supervisor_pid: Option<i32>,
}

impl SupervisionFlags {
    /// Between two questions whether it answers.
    pub fn period(&self) -> Duration {
        Duration::from_millis(self.supervision_period.get())
    }
}
