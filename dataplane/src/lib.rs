//! The data plane: knows HTTP and nothing of Kubernetes.

pub mod balance;
pub mod route;
