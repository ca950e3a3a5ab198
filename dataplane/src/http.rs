//! HTTP/1.1 towards clients.

mod answer;
mod connection;
mod context;
mod forward;
mod forwarded;
mod head;
mod io;
mod request;
mod serve;
mod tunnel;

pub use connection::{Accepted, serve_connection};
pub use context::{Context, Guest};
