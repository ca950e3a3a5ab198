//! What may be answered while everything changes: the model that `e2e/tests/chaos` holds every answer against.
//!
//! - From the moment at which a change is asked for, both what was and what will be are right.
//! - [`BOUND`] after the API server took it, only the new one is. Where the API server is down or a process of Tidegate
//!   was killed, the bound counts from when they are back.
//! - A request that was not answered is a failure, unless a data plane had been killed and was not back yet.
//! - An answer that is wrong is a failure always, and so is a 5xx where the model has an app.

mod history;
mod judge;
mod site;

use std::time::Duration;

pub use history::{History, Span, Spans};
pub use judge::{Model, Reply, Seen, Site};
pub use site::{Backend, Certificate, Extra, Routes, mark};

/// From the API server's answer until everybody must be served the change: hundreds of times of what it takes, since
/// the whole cluster shares a small machine with those who disturb it.
pub const BOUND: Duration = Duration::from_secs(15);
