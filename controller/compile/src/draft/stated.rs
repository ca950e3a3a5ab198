//! What the annotations of an object say, as far as they are served.

use std::sync::Arc;

use snapshot::{Tls12Suite, VerifyClient};

use super::UpstreamDraft;
use crate::NamespacedName;

/// What annotations say; none where they say nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Stated {
    pub redirect: Redirect,
    /// How backends are spoken to; none, as for most: nothing is said of it.
    pub upstream: Option<Arc<UpstreamDraft>>,
    /// `ssl-passthrough`.
    pub passthrough: bool,
    /// `ssl-ciphers`.
    pub ssl_ciphers: Option<Vec<Tls12Suite>>,
    /// `ssl-prefer-server-ciphers`.
    pub ssl_prefer_server_ciphers: Option<bool>,
    pub auth_tls: AuthTls,
    /// What `auth-tls-*` comes to.
    pub client_cert: Option<ClientCertAsk>,
}

impl Stated {
    /// How backends are spoken to, to be changed.
    pub fn upstream_mut(&mut self) -> &mut UpstreamDraft {
        Arc::make_mut(self.upstream.get_or_insert_default())
    }
}

/// The redirect to https.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Redirect {
    /// `ssl-redirect`.
    pub ssl_redirect: Option<bool>,
    /// `force-ssl-redirect`.
    pub force_ssl_redirect: Option<bool>,
    /// `preserve-trailing-slash`.
    pub preserve_trailing_slash: Option<bool>,
}

/// The annotations about clients' certificates, each by itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct AuthTls {
    /// `auth-tls-secret`.
    pub secret: Option<NamespacedName>,
    /// `auth-tls-verify-client`; none within: `off`.
    pub verify: Option<Option<VerifyClient>>,
    /// `auth-tls-verify-depth`.
    pub depth: Option<u32>,
    /// `auth-tls-match-cn`.
    pub match_cn: Option<Arc<str>>,
    /// `auth-tls-pass-certificate-to-upstream`.
    pub pass_certificate: Option<bool>,
    /// `auth-tls-error-page`.
    pub error_page: Option<Arc<str>>,
}

/// What an object wants of clients' certificates on its hosts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ClientCertAsk {
    /// Where the CA is.
    pub secret: NamespacedName,
    /// None: no certificate is asked for.
    pub verify: Option<VerifyClient>,
    /// How many certificates there may be between the client's and the CA's.
    pub depth: u32,
    /// A checked regular expression.
    pub subject: Option<Arc<str>>,
    pub pass_certificate: bool,
    /// A URL.
    pub error_page: Option<Arc<str>>,
}
