//! TLS that ends here: which certificate answers which server name, and how the handshake goes.

mod certs;
mod ciphers;
mod config;
mod resolver;
mod resumption;
mod self_signed;
mod server;
mod sessions;
mod tickets;

pub use config::{TlsFactory, TlsSource, is_http2};
pub use self_signed::SelfSignedError;
pub use server::TlsServer;
