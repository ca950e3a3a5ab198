//! End-to-end tests of Tidegate, and what they need: an echo backend, container
//! images from local files, a client, a load generator, and a hold on a real
//! Kubernetes.
//!
//! `e2e/run` builds everything, starts a cluster (`e2e/cluster`), installs the
//! chart and runs the tests inside the first node.

pub mod chaos;
pub mod client;
pub mod cluster;
pub mod crowd;
pub mod echo;
pub mod fleet;
pub mod image;
pub mod kept;
pub mod load;
pub mod objects;
pub mod process;
pub mod sessions;
pub mod tidegate;
pub mod wait;
pub mod watch;
