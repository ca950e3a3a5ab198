//! TLS that ends here: which certificate answers which server name.

mod config;
mod resolver;
mod self_signed;

pub use config::{TlsFactory, TlsSource, is_http2};
pub use self_signed::SelfSignedError;
