//! A certificate that is served, with what its CA last said of it.

use std::{fmt, sync::Arc};

use arc_swap::ArcSwap;
use rustls::{pki_types::CertificateDer, sign::CertifiedKey};
use snapshot::Origin;

/// A certificate and its key. A staple (RFC 6066 section 8) comes and goes without anything else being made anew.
pub struct Stapled {
    /// The Secret it comes from.
    pub origin: Arc<Origin>,
    bare: Arc<CertifiedKey>,
    served: ArcSwap<CertifiedKey>,
}

impl Stapled {
    /// Without a staple.
    pub fn new(origin: Arc<Origin>, bare: Arc<CertifiedKey>) -> Self {
        let served = ArcSwap::new(Arc::clone(&bare));
        Self { origin, bare, served }
    }

    /// The chain, the leaf first.
    pub fn chain(&self) -> &[CertificateDer<'static>] {
        &self.bare.cert
    }

    /// Never with a staple: what is shown to backends.
    pub fn bare(&self) -> &Arc<CertifiedKey> {
        &self.bare
    }

    /// What clients get now.
    pub fn served(&self) -> Arc<CertifiedKey> {
        self.served.load_full()
    }

    /// From now on clients get an OCSP response in DER (RFC 6960), or none. Whoever calls answers for what it says.
    pub fn staple(&self, response: Option<Vec<u8>>) {
        self.served.store(match response {
            Some(response) => Arc::new(CertifiedKey { ocsp: Some(response), ..CertifiedKey::clone(&self.bare) }),
            None => Arc::clone(&self.bare),
        });
    }
}

impl fmt::Debug for Stapled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stapled").field("origin", &self.origin).finish_non_exhaustive()
    }
}
