//! TLS that ends here: which certificate answers which server name, and how the handshake goes. And TLS that begins here,
//! towards backends.

mod authority;
mod backend_certs;
mod certs;
mod ciphers;
mod client;
mod client_auth;
mod config;
mod depth;
mod name;
mod peer;
mod resolver;
mod resumption;
mod self_signed;
mod server;
mod sessions;
mod stapled;
mod tickets;

pub use authority::Authority;
pub use client::{TlsClient, TlsClients};
pub use config::{TlsFactory, TlsSource, ToStaple, is_http2};
pub use peer::{Asked, Judgement, Peer};
pub use self_signed::SelfSignedError;
pub use server::TlsServer;
pub use stapled::Stapled;
