//! What the annotations of an object say, as far as they are served.

use std::sync::Arc;

use snapshot::Tls12Suite;

use super::UpstreamDraft;

/// What annotations say; none where they say nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Stated {
    pub redirect: Redirect,
    /// How backends are spoken to; none, as for most: nothing is said of it.
    pub upstream: Option<Arc<UpstreamDraft>>,
    /// `ssl-ciphers`.
    pub ssl_ciphers: Option<Vec<Tls12Suite>>,
    /// `ssl-prefer-server-ciphers`.
    pub ssl_prefer_server_ciphers: Option<bool>,
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
