//! Connections without requests: TCP and UDP that are handed on as they are, and what may come before.
//!
//! Nothing here knows which socket a connection came by, or what the worker is doing otherwise.

mod backend;
mod buffers;
pub mod hello;
mod pipes;
pub mod proxy_header;
mod relay;
mod tcp;
mod udp;

pub use backend::LiveBackend;
pub use tcp::{LiveTcp, Parties, serve};
pub use udp::{Datagrams, Host, LiveUdp, serve_datagrams};
