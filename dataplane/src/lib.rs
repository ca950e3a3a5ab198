//! The data plane: knows HTTP and nothing of Kubernetes.
//!
//! [`Dataplane::start`] follows a channel of [`snapshot::Snapshot`]s and serves what they say, on one thread for each
//! processor; everything else happens on the tokio runtime that it is started on.

pub mod admin;
pub mod balance;
mod control;
mod dataplane;
mod exchange;
mod filter;
mod http;
mod l4;
mod listen;
pub mod measured;
pub mod observe;
mod ocsp;
mod readiness;
pub mod route;
mod runtime;
mod tls;
pub mod upstream;

pub use dataplane::{Config, Dataplane, Drained, StartError};
pub use listen::worker_count;
pub use readiness::Readiness;
