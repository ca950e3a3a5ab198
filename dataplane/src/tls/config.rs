//! TLS configurations of listeners.

use std::{collections::BTreeMap, sync::Arc};

use ahash::{AHashMap, AHashSet};
use rustls::{ServerConfig, server::danger::ClientCertVerifier, sign::CertifiedKey};
use snapshot::{
    CaBundle, CertId, Ciphers, ClientAuth, HostPattern, HostTls, Origin, Rejection, Serves, Snapshot, Stapling,
    TlsOptions,
};

use super::{
    authority::{Authorities, Authority},
    certs::Certs,
    ciphers::{Providers, versions},
    client_auth::AskAny,
    resolver::{Nobody, Resolver},
    resumption::{Audience, Kept, Resumptions},
    self_signed::{SelfSignedError, self_signed},
    server::{HostConfig, TlsServer},
    stapled::Stapled,
};
use crate::route::HostTable;

/// ALPN's name of HTTP/2 (RFC 7301 section 6).
pub const HTTP2: &[u8] = b"h2";
/// ALPN's name of HTTP/1.1 (RFC 7301 section 6).
pub const HTTP1: &[u8] = b"http/1.1";

/// Whether a client and we agreed on HTTP/2.
pub fn is_http2(session: &rustls::ServerConnection) -> bool {
    session.alpn_protocol() == Some(HTTP2)
}

/// What a listener's configurations are made from: where nothing of it changed, they stay.
#[derive(Clone, Copy, PartialEq)]
pub struct TlsSource<'a> {
    sni: &'a BTreeMap<HostPattern, CertId>,
    default_cert: Option<&'a CertId>,
    hosts: &'a BTreeMap<HostPattern, snapshot::TableId>,
    tls: &'a TlsOptions,
    by_host: &'a BTreeMap<HostPattern, Arc<HostTls>>,
    http2: bool,
}

impl<'a> TlsSource<'a> {
    /// What a listener says of TLS; none where it speaks none.
    pub fn of(serves: &'a Serves) -> Option<Self> {
        match serves {
            Serves::Http { .. } | Serves::Tcp(_) | Serves::Udp(_) => None,
            Serves::Tls { sni, default_cert, hosts, http, tls, by_host, passthrough: _ } => {
                let (default_cert, http2) = (default_cert.as_ref(), http.http2.is_some());
                Some(Self { sni, default_cert, hosts, tls, by_host, http2 })
            }
        }
    }

    /// What of resumed sessions outlives its configurations.
    fn kept(&self) -> impl Iterator<Item = Kept> {
        let auths = self.by_host.values().map(|own| own.client_auth.as_deref());
        std::iter::once(None).chain(auths).map(|auth| (self.tls.resumption, Audience::of(auth)))
    }

    /// Whether every name is handled alike, whichever hosts there are.
    fn is_uniform(&self) -> bool {
        self.by_host.is_empty() && !self.tls.reject_unknown_names
    }

    /// Whether the configurations of `other` do for this one.
    pub fn is_same(&self, other: &Self) -> bool {
        let hosts = |source: &Self| (!source.is_uniform()).then_some(source.hosts);
        Self { hosts: other.hosts, ..*self } == *other && hosts(self) == hosts(other)
    }
}

/// A certificate about which its CA is to be asked.
#[derive(Debug)]
pub struct ToStaple {
    /// The certificate.
    pub cert: Arc<Stapled>,
    /// How.
    pub how: Stapling,
}

/// Makes TLS configurations, and keeps what survives a change: parsed certificates, ticket keys, the self-signed
/// certificate.
pub struct TlsFactory {
    providers: Providers,
    fallback: Arc<Stapled>,
    resumptions: Resumptions,
    certs: Certs,
    authorities: Authorities,
}

impl TlsFactory {
    /// Makes the self-signed certificate.
    ///
    /// # Errors
    /// The certificate cannot be made.
    pub fn new() -> Result<Self, SelfSignedError> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let origin = Arc::new(Origin::new("Certificate", "", "self-signed"));
        let fallback = Arc::new(Stapled::new(origin, self_signed(&provider)?));
        Ok(Self {
            providers: Providers::new(provider),
            fallback,
            resumptions: Resumptions::default(),
            certs: Certs::default(),
            authorities: Authorities::default(),
        })
    }

    /// Takes up the certificates and the ticket key of a snapshot.
    ///
    /// Returns whether configurations have to be made anew, and what cannot be used.
    pub fn update(&mut self, snapshot: &Snapshot) -> (bool, Vec<Rejection>) {
        let update = self.certs.update(snapshot, self.providers.base());
        let key_changed = self.resumptions.set_key(snapshot.ticket_key.as_ref());
        (update.changed || key_changed, update.rejected)
    }

    /// A certificate that can be used.
    pub fn certified(&self, id: &CertId) -> Option<Arc<CertifiedKey>> {
        self.certs.usable(id).map(|cert| Arc::clone(cert.bare()))
    }

    /// The certificates about which CAs are to be asked.
    pub fn to_staple(&self, snapshot: &Snapshot) -> Vec<ToStaple> {
        let mut found: BTreeMap<&CertId, Stapling> = BTreeMap::new();
        for source in snapshot.listeners.values().filter_map(|listener| TlsSource::of(&listener.serves)) {
            if let Some(stapling) = source.tls.stapling {
                found.extend(source.sni.values().chain(source.default_cert).map(|id| (id, stapling)));
            }
        }
        found.into_iter().filter_map(|(id, how)| Some(ToStaple { cert: self.certs.usable(id)?, how })).collect()
    }

    /// The configurations of one listener. A name whose certificate is not usable falls back to the default.
    ///
    /// # Errors
    /// The library does not take what is asked for, or there is no randomness.
    pub fn server(&mut self, source: &TlsSource<'_>) -> Result<TlsServer, rustls::Error> {
        let default = source.default_cert.and_then(|id| self.certs.usable(id));
        let names = source.sni.iter().filter(|(host, _)| **host != HostPattern::Any);
        let names = names.filter_map(|(host, id)| Some((host.clone(), self.certs.usable(id)?))).collect();
        let resolver = Arc::new(Resolver::new(names, default.unwrap_or_else(|| Arc::clone(&self.fallback))));
        let mut maker = Maker { factory: self, source, resolver, made: AHashMap::new() };
        let plain = maker.make(&source.tls.ciphers, None)?;
        let server = if source.is_uniform() { TlsServer::uniform(plain) } else { maker.by_name(plain)? };
        self.providers.sweep();
        Ok(server)
    }

    /// Who vouches for clients, and why nobody does where a bundle cannot be used.
    pub fn authority(&mut self, bundle: &CaBundle) -> (Arc<Authority>, Option<Rejection>) {
        let algorithms = self.providers.base().signature_verification_algorithms;
        let (authority, reason) = self.authorities.find(bundle, algorithms);
        let rejection = reason.map(|reason| {
            let reason = format!("the CA cannot be used, so no client certificate is accepted: {reason}");
            Rejection::new(Arc::clone(&bundle.origin), reason)
        });
        (authority, rejection)
    }

    /// Forgets what no listener needs any more.
    pub fn sweep(&mut self, snapshot: &Snapshot) {
        let sources = snapshot.listeners.values().filter_map(|listener| TlsSource::of(&listener.serves));
        let wanted: AHashSet<Kept> = sources.flat_map(|source| source.kept().collect::<Vec<_>>()).collect();
        self.resumptions.sweep(&wanted);
        self.authorities.sweep();
    }
}

/// Makes the configurations of one listener, each once.
struct Maker<'a> {
    factory: &'a mut TlsFactory,
    source: &'a TlsSource<'a>,
    resolver: Arc<Resolver>,
    made: AHashMap<Kind, Arc<HostConfig>>,
}

/// What makes a configuration another one: suites, how clients are asked, and what vouches for them.
type Kind = (Ciphers, Audience, Option<Arc<str>>);

impl Maker<'_> {
    fn by_name(mut self, plain: Arc<HostConfig>) -> Result<TlsServer, rustls::Error> {
        let mut names = Vec::with_capacity(self.source.hosts.len());
        let mut others = Arc::clone(&plain);
        for host in self.source.hosts.keys().chain(self.source.by_host.keys()) {
            let config = match self.source.by_host.get(host) {
                Some(own) => {
                    let ciphers = own.ciphers.as_ref().unwrap_or(&self.source.tls.ciphers);
                    self.make(ciphers, own.client_auth.as_ref())?
                }
                None => Arc::clone(&plain),
            };
            match host {
                HostPattern::Any => others = config,
                HostPattern::Exact(_) | HostPattern::Wildcard(_) => names.push((host.clone(), config)),
            }
        }
        if self.source.tls.reject_unknown_names {
            others = Arc::new(HostConfig { config: Arc::new(self.refusal()?), client_auth: None });
        }
        Ok(TlsServer::by_name(others, names.into_iter().collect::<HostTable<_>>()))
    }

    fn make(&mut self, ciphers: &Ciphers, auth: Option<&Arc<ClientAuth>>) -> Result<Arc<HostConfig>, rustls::Error> {
        let audience = Audience::of(auth.map(|auth| &**auth));
        let kind = (ciphers.clone(), audience.clone(), auth.map(|auth| Arc::clone(&auth.ca.fingerprint)));
        if let Some(made) = self.made.get(&kind) {
            return Ok(Arc::clone(made));
        }
        let TlsOptions { versions: spoken, resumption, .. } = *self.source.tls;
        let builder = ServerConfig::builder_with_provider(self.factory.providers.with(ciphers))
            .with_protocol_versions(versions(spoken))?;
        let builder = match auth {
            Some(auth) => builder.with_client_cert_verifier(self.verifier(auth)),
            None => builder.with_no_client_auth(),
        };
        let resolver: Arc<Resolver> = Arc::clone(&self.resolver);
        let mut config = builder.with_cert_resolver(resolver);
        config.ignore_client_order = ciphers.server_order;
        let offered = if self.source.http2 { &[HTTP2, HTTP1][..] } else { &[HTTP1] };
        config.alpn_protocols = offered.iter().map(|name| name.to_vec()).collect();
        self.factory.resumptions.apply(resumption, &audience, &mut config)?;
        let made = Arc::new(HostConfig { config: Arc::new(config), client_auth: auth.cloned() });
        self.made.insert(kind, Arc::clone(&made));
        Ok(made)
    }

    fn verifier(&mut self, auth: &ClientAuth) -> Arc<dyn ClientCertVerifier> {
        // What cannot be used is told where the rule for requests is made.
        let (authority, _) = self.factory.authority(&auth.ca);
        Arc::new(AskAny::new(authority, self.factory.providers.base().signature_verification_algorithms))
    }

    /// Ends every handshake with an alert.
    fn refusal(&self) -> Result<ServerConfig, rustls::Error> {
        let builder = ServerConfig::builder_with_provider(Arc::clone(self.factory.providers.base()))
            .with_protocol_versions(versions(self.source.tls.versions))?;
        Ok(builder.with_no_client_auth().with_cert_resolver(Arc::new(Nobody)))
    }
}
