//! The controller: follows Kubernetes objects, compiles them, publishes snapshots and reports back.
//!
//! A source (a cluster, or a folder of manifests) feeds changes to the cycle. The cycle owns all objects: it gathers
//! changes, compiles on a blocking thread and hands the result to the publisher, which joins it with the endpoints of
//! that moment. The reporter turns what the data plane answers into statuses, events and problems.

mod admission;
mod board;
mod config;
mod controller;
mod crds;
mod cycle;
mod error;
mod lease;
mod metrics;
mod object;
mod orphans;
mod pace;
mod publish;
mod replicas;
mod report;
mod secrets;
mod slices;
mod source;
mod store;

pub use admission::AdmissionConfig;
pub use config::{Config, Election, PublishAddress, Source};
pub use controller::{Controller, Handle};
pub use crds::crds;
pub use error::Error;
pub use publish::Snapshots;
