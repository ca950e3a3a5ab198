//! The pages for operators, probes and Prometheus: a small HTTP/1.1 server on a port and a runtime of its own, so that
//! a heavy scrape never delays a request.

mod open;
mod pages;
mod server;

pub use pages::{Check, Pages};
pub use server::serve;
