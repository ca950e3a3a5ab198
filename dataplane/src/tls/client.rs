//! TLS towards backends.

use std::{
    fmt,
    hash::{Hash, Hasher},
    num::NonZeroU64,
    sync::Arc,
};

use ahash::AHashMap;
use prometheus::{IntCounterVec, Opts, Registry};
use rustls::{
    ClientConfig,
    client::{Resumption, danger::ServerCertVerifier},
    crypto::CryptoProvider,
    pki_types::ServerName,
    sign::{CertifiedKey, SingleCertAndKey},
};
use snapshot::{Ciphers, Protocol, Tls12Suite, TlsVersions, UpstreamTls, Verification};

use super::{
    backend_certs::{Checked, Unchecked},
    ciphers::{Providers, versions},
    config::{HTTP1, HTTP2},
};

/// Tickets that are kept for an endpoint: TLS 1.3 spends one for each connection.
const TICKETS: usize = 8;

/// One way to speak TLS to backends. Connections of two of them are never shared.
pub struct TlsClient {
    /// Tells it from all others, also from earlier ones.
    pub id: NonZeroU64,
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
    failures: IntCounterVec,
}

impl TlsClient {
    /// How TLS is spoken to one endpoint. Each has sessions of its own: what one gave is unknown to the others, though
    /// all have the same name.
    pub fn for_endpoint(&self) -> Arc<ClientConfig> {
        let mut config = ClientConfig::clone(&self.config);
        config.resumption = Resumption::in_memory_sessions(TICKETS);
        Arc::new(config)
    }

    /// The name that the backend's certificate must have, where it is checked, and that it is told, where it is.
    pub fn name(&self) -> ServerName<'static> {
        self.name.clone()
    }

    /// TLS could not be spoken.
    pub fn failed(&self, error: &rustls::Error) {
        let reason = match error {
            rustls::Error::InvalidCertificate(_) => "certificate",
            rustls::Error::AlertReceived(_) => "refused",
            _ => "protocol",
        };
        self.failures.with_label_values(&[reason]).inc();
    }
}

impl fmt::Debug for TlsClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsClient").field("id", &self.id).field("name", &self.name).finish_non_exhaustive()
    }
}

/// Makes them, one for all who ask for the same, and keeps those that are in use.
pub struct TlsClients {
    providers: Providers,
    next: NonZeroU64,
    configs: AHashMap<Settings, Arc<ClientConfig>>,
    clients: AHashMap<(Same<ClientConfig>, Arc<str>), Arc<TlsClient>>,
    failures: IntCounterVec,
}

/// What a configuration is made from.
#[derive(PartialEq, Eq, Hash)]
struct Settings {
    protocol: Protocol,
    send_name: bool,
    versions: TlsVersions,
    suites: Vec<Tls12Suite>,
    verify: Option<Verification>,
    identity: Option<Same<CertifiedKey>>,
}

/// Compared by identity.
struct Same<T>(Arc<T>);

impl<T> PartialEq for Same<T> {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl<T> Eq for Same<T> {}

impl<T> Hash for Same<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.0).hash(state);
    }
}

impl TlsClients {
    /// None yet; failures are counted in `registry`.
    ///
    /// # Errors
    /// The metric is there already.
    pub fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let help =
            "Failures to speak TLS to an endpoint: certificate (not taken by us), refused (by the endpoint), protocol";
        let failures = IntCounterVec::new(Opts::new("tidegate_upstream_tls_failures_total", help), &["reason"])?;
        registry.register(Box::new(failures.clone()))?;
        let providers = Providers::new(Arc::new(rustls::crypto::aws_lc_rs::default_provider()));
        let (configs, clients) = (AHashMap::new(), AHashMap::new());
        Ok(Self { providers, next: NonZeroU64::MIN, configs, clients, failures })
    }

    /// The way that `tls` asks for, where `identity` is the certificate that it names.
    ///
    /// # Errors
    /// It cannot be spoken like that; nothing may be sent then.
    pub fn find(
        &mut self,
        protocol: Protocol,
        tls: &UpstreamTls,
        identity: Option<Arc<CertifiedKey>>,
    ) -> Result<Arc<TlsClient>, String> {
        let UpstreamTls { when: _, name, send_name, versions, suites, verify, identity: named } = tls;
        if let (Some(named), None) = (named, &identity) {
            return Err(format!("the certificate {named} for backends cannot be used"));
        }
        let (send_name, versions) = (*send_name, *versions);
        let (suites, verify, identity) = (suites.clone(), verify.clone(), identity.map(Same));
        let config = self.config(Settings { protocol, send_name, versions, suites, verify, identity })?;
        let key = (Same(Arc::clone(&config)), Arc::clone(name));
        if let Some(client) = self.clients.get(&key) {
            return Ok(Arc::clone(client));
        }
        let server =
            ServerName::try_from(&**name).map_err(|_| format!("{name:?} is no name that a backend can have"))?;
        let client = TlsClient { id: self.next, config, name: server.to_owned(), failures: self.failures.clone() };
        self.next = self.next.saturating_add(1);
        let client = Arc::new(client);
        self.clients.insert(key, Arc::clone(&client));
        Ok(client)
    }

    /// Forgets those that nobody else holds.
    pub fn sweep(&mut self) {
        self.clients.retain(|_, client| Arc::strong_count(client) > 1);
        self.configs.retain(|_, config| Arc::strong_count(config) > 1);
        self.providers.sweep();
    }

    fn config(&mut self, settings: Settings) -> Result<Arc<ClientConfig>, String> {
        if let Some(config) = self.configs.get(&settings) {
            return Ok(Arc::clone(config));
        }
        let ciphers = Ciphers { suites: settings.suites.clone(), server_order: false };
        let config = Arc::new(build(self.providers.with(&ciphers), &settings)?);
        self.configs.insert(settings, Arc::clone(&config));
        Ok(config)
    }
}

fn build(provider: Arc<CryptoProvider>, settings: &Settings) -> Result<ClientConfig, String> {
    let verifier: Arc<dyn ServerCertVerifier> = match &settings.verify {
        Some(verify) => Arc::new(Checked::new(verify, &provider)?),
        None => Arc::new(Unchecked::new(&provider)),
    };
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions(settings.versions))
        .map_err(|error| error.to_string())?
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    let mut config = match &settings.identity {
        Some(Same(key)) => builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(Arc::clone(key)))),
        None => builder.with_no_client_auth(),
    };
    config.enable_sni = settings.send_name;
    config.alpn_protocols = match settings.protocol {
        Protocol::Http1 => vec![HTTP1.to_vec()],
        Protocol::Http2 => vec![HTTP2.to_vec()],
    };
    Ok(config)
}
