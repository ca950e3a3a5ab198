//! What may be answered while everything changes: the model that `e2e/tests/chaos` holds every answer against.
//!
//! - From the moment at which a change is asked for, both what was and what will be are right.
//! - [`BOUND`] after the API server took it, only the new one is. While the API server is down or a process of Tidegate is
//!   killed, this time stands still, and whoever is back has a while to see what it missed.
//! - A request that was not answered is a failure, unless a data plane had been killed and was not back yet; one on a
//!   connection that went through another Pod is a failure nevertheless.
//! - An answer that is wrong is a failure always, and so is a 5xx where the model has an app.
//!
//! How much was right only for these reasons is counted.

mod crash;
mod history;
mod judge;
mod site;
mod tally;

use std::time::Duration;

pub use crash::{CrashId, Crashes};
pub use history::{History, Patience, Span, Spans};
pub use judge::{Model, Reply, Seen, Site, Verdict};
pub use site::{Backend, Certificate, Extra, Routes, mark};
pub use tally::Tally;

/// From the API server's answer until everybody must be served the change: hundreds of times of what it takes, since
/// the whole cluster shares a small machine with those who disturb it.
pub const BOUND: Duration = Duration::from_secs(15);
/// A change that is served after so long is told apart from those that took longer.
pub const PROMPT: Duration = Duration::from_secs(2);
/// What a process has at least that was killed and is there again, until it serves a change which should have been served
/// by now: it begins anew.
pub const SETTLES: Duration = Duration::from_secs(5);
