//! TLS that ends here: which certificate answers which server name. And TLS that begins here, towards backends.

mod backend_certs;
mod ciphers;
mod client;
mod config;
mod resolver;
mod self_signed;

pub use client::{TlsClient, TlsClients};
pub use config::{TlsFactory, TlsSource, is_http2};
pub use self_signed::SelfSignedError;
