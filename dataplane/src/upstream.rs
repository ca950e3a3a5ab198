//! Backends: where they are.

pub mod resolve;
