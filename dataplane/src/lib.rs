//! The data plane: knows HTTP and nothing of Kubernetes.

pub mod admin;
pub mod balance;
pub mod observe;
pub mod route;
