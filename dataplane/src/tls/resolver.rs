//! The certificate for a server name.

use std::{fmt, sync::Arc};

use rustls::{
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};

use super::stapled::Stapled;
use crate::route::HostTable;

/// Exact name, wildcard, else the default. A client that sends no name (RFC 6066 section 3) gets the default too.
pub struct Resolver {
    names: HostTable<Arc<Stapled>>,
    default: Arc<Stapled>,
}

impl Resolver {
    /// `names` holds no entry for every host: that is what `default` is.
    pub fn new(names: HostTable<Arc<Stapled>>, default: Arc<Stapled>) -> Self {
        Self { names, default }
    }

    fn find(&self, name: Option<&str>) -> &Stapled {
        name.and_then(|name| self.names.find(&name.to_ascii_lowercase())).unwrap_or(&self.default)
    }
}

impl ResolvesServerCert for Resolver {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.find(hello.server_name()).served())
    }
}

/// No certificate for anybody: the handshake ends with an alert.
#[derive(Debug)]
pub struct Nobody;

impl ResolvesServerCert for Nobody {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        None
    }
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resolver").finish_non_exhaustive()
    }
}
