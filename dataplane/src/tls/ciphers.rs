//! Cipher suites as the TLS library knows them.

use std::sync::Arc;

use ahash::AHashMap;
use rustls::{
    CipherSuite, SupportedCipherSuite, SupportedProtocolVersion,
    crypto::CryptoProvider,
    version::{TLS12, TLS13},
};
use snapshot::{Ciphers, Tls12Suite, TlsVersions};

/// The library's provider, cut down to each choice of suites that was asked for.
pub struct Providers {
    base: Arc<CryptoProvider>,
    chosen: AHashMap<Ciphers, Arc<CryptoProvider>>,
}

impl Providers {
    /// Cuts down `base`.
    pub fn new(base: Arc<CryptoProvider>) -> Self {
        Self { base, chosen: AHashMap::new() }
    }

    /// Everything that the library offers.
    pub fn base(&self) -> &Arc<CryptoProvider> {
        &self.base
    }

    /// With these suites of TLS 1.2, in this order, after all of TLS 1.3.
    pub fn with(&mut self, ciphers: &Ciphers) -> Arc<CryptoProvider> {
        if let Some(provider) = self.chosen.get(ciphers) {
            return Arc::clone(provider);
        }
        let all = &self.base.cipher_suites;
        let newer = all.iter().filter(|suite| matches!(suite, SupportedCipherSuite::Tls13(_))).copied();
        let older = ciphers.suites.iter().filter_map(|wanted| all.iter().find(|suite| suite.suite() == id(*wanted)));
        let provider = CryptoProvider { cipher_suites: newer.chain(older.copied()).collect(), ..(*self.base).clone() };
        let provider = Arc::new(provider);
        self.chosen.insert(ciphers.clone(), Arc::clone(&provider));
        provider
    }

    /// Forgets the choices that nobody else holds.
    pub fn sweep(&mut self) {
        self.chosen.retain(|_, provider| Arc::strong_count(provider) > 1);
    }
}

/// The versions, the newest first.
pub fn versions(versions: TlsVersions) -> &'static [&'static SupportedProtocolVersion] {
    const OLD: &[&SupportedProtocolVersion] = &[&TLS12];
    const NEW: &[&SupportedProtocolVersion] = &[&TLS13];
    const BOTH: &[&SupportedProtocolVersion] = &[&TLS13, &TLS12];
    match versions {
        TlsVersions::Tls12 => OLD,
        TlsVersions::Tls13 => NEW,
        TlsVersions::Both => BOTH,
    }
}

fn id(suite: Tls12Suite) -> CipherSuite {
    match suite {
        Tls12Suite::EcdheEcdsaAes128Gcm => CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
        Tls12Suite::EcdheRsaAes128Gcm => CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
        Tls12Suite::EcdheEcdsaAes256Gcm => CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
        Tls12Suite::EcdheRsaAes256Gcm => CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
        Tls12Suite::EcdheEcdsaChacha20 => CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
        Tls12Suite::EcdheRsaChacha20 => CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_library_has_every_suite_and_our_order_is_kept() {
        let mut providers = Providers::new(Arc::new(rustls::crypto::aws_lc_rs::default_provider()));
        let older = |provider: &CryptoProvider| {
            let suites = provider.cipher_suites.iter().map(SupportedCipherSuite::suite);
            suites.skip(3).collect::<Vec<_>>()
        };
        let all = providers.with(&Ciphers::default());
        assert_eq!(older(&all), Tls12Suite::ALL.map(id));
        assert!(all.cipher_suites[..3].iter().all(|suite| matches!(suite, SupportedCipherSuite::Tls13(_))));
        let mut reversed = Ciphers::default();
        reversed.suites.reverse();
        let mut expected = Tls12Suite::ALL.map(id);
        expected.reverse();
        assert_eq!(older(&providers.with(&reversed)), expected);
        drop(all);
        providers.sweep();
        assert!(providers.chosen.is_empty());
    }
}
