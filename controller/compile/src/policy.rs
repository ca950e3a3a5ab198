//! What routes are made with where their object says nothing.

use std::{num::NonZeroU64, sync::Arc};

use snapshot::{Ciphers, Hsts, HttpsRedirect, Retry, Timeouts, UpstreamKeepAlive};

use crate::{draft::Redirect, settings::Settings};

/// The settings that routes and upstreams are made with.
#[derive(Debug, PartialEq)]
pub(crate) struct Policy {
    pub max_body: Option<NonZeroU64>,
    pub timeouts: Timeouts,
    pub retry: Retry,
    pub keep_alive: UpstreamKeepAlive,
    pub redirect: RedirectPolicy,
    /// Whether annotations may name Secrets of other namespaces.
    pub allow_cross_namespace_resources: bool,
    /// Where no object of a host says otherwise.
    pub ciphers: Ciphers,
    /// Of a host as a whole, too.
    pub hsts: Option<Hsts>,
    /// Why everything must answer 503.
    pub denied: Option<Arc<str>>,
}

/// When http is sent to https.
#[derive(Debug, PartialEq)]
pub(crate) struct RedirectPolicy {
    /// Whether it is where `spec.tls` covers the host.
    covered: bool,
    /// Whether it is anyway.
    forced: bool,
    status: u16,
    preserve_trailing_slash: bool,
    /// Paths that begin with one of these are not redirected.
    exempt: Vec<String>,
}

impl RedirectPolicy {
    /// The redirect of a path, on a host that `spec.tls` covers or not, with what its object states.
    pub fn of(&self, label: &str, covered: bool, stated: Redirect) -> Option<HttpsRedirect> {
        let forced = stated.force_ssl_redirect.unwrap_or(self.forced);
        let redirects = forced || (covered && stated.ssl_redirect.unwrap_or(self.covered));
        let exempt = self.exempt.iter().any(|exempt| label.starts_with(exempt));
        let preserve_trailing_slash = stated.preserve_trailing_slash.unwrap_or(self.preserve_trailing_slash);
        (redirects && !exempt).then_some(HttpsRedirect { status: self.status, preserve_trailing_slash })
    }
}

impl From<&Settings> for Policy {
    fn from(settings: &Settings) -> Self {
        Self {
            max_body: settings.proxy_body_size,
            timeouts: Timeouts {
                connect: settings.proxy_connect_timeout,
                read: settings.proxy_read_timeout,
                send: settings.proxy_send_timeout,
            },
            retry: Retry { tries: settings.proxy_next_upstream_tries, timeout: settings.proxy_next_upstream_timeout },
            keep_alive: settings.upstream_keep_alive,
            redirect: RedirectPolicy {
                covered: settings.ssl_redirect,
                forced: settings.force_ssl_redirect,
                status: settings.http_redirect_code,
                preserve_trailing_slash: settings.preserve_trailing_slash,
                exempt: settings.no_tls_redirect_locations.clone(),
            },
            allow_cross_namespace_resources: settings.allow_cross_namespace_resources,
            ciphers: settings.tls.ciphers.clone(),
            hsts: settings.hsts(),
            denied: settings.denied.as_deref().map(Arc::from),
        }
    }
}
