//! Kubernetes objects in, a [`Snapshot`] and [`Problem`]s out: pure, total, deterministic.
//!
//! No clock, no randomness, no I/O. Each Ingress is compiled alone; one that cannot be served is reported on that
//! object, and all others go on.

pub mod annotation;
mod nginx;
mod objects;
mod options;
mod problem;
pub mod settings;
mod suggest;

pub use objects::{NamespacedName, Objects};
pub use options::Options;
pub use problem::{Problem, Severity};
