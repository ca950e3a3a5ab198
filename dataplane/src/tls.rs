//! TLS that ends here: which certificate answers which server name, and how the handshake goes. And TLS that begins here,
//! towards backends.

mod backend_certs;
mod certs;
mod ciphers;
mod client;
mod config;
mod resolver;
mod resumption;
mod self_signed;
mod server;
mod sessions;
mod tickets;

pub use client::{TlsClient, TlsClients};
pub use config::{TlsFactory, TlsSource, is_http2};
pub use self_signed::SelfSignedError;
pub use server::TlsServer;
