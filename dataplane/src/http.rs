//! HTTP towards clients: one `serve` for HTTP/1.1 and HTTP/2.

mod answer;
mod client_cert;
mod clients;
mod connection;
mod context;
mod crew;
mod field_rules;
mod forward;
mod forwarded;
mod frames;
mod gather;
mod h1;
mod h2;
mod head;
mod io;
mod request;
mod serve;
mod sessions;
mod sniff;
mod survey;
mod tunnel;
mod watched;
mod websocket;

pub use clients::Seen;
pub use connection::{Accepted, Speaks, serve_connection};
pub use context::{Context, Guest};
pub use crew::{Crew, Place, Post};
pub use field_rules::FieldRules;
