//! TLS that ends here: which certificate answers which server name.

mod config;
mod resolver;
mod self_signed;

pub use config::{TlsFactory, TlsSource};
pub use self_signed::SelfSignedError;
