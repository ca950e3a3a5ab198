//! What routes are made with where their object says nothing.

use std::{num::NonZeroU64, sync::Arc};

use snapshot::{Retry, Timeouts, UpstreamKeepAlive};

use crate::settings::Settings;

/// The settings that routes and upstreams are made with.
#[derive(Debug)]
pub(crate) struct Policy {
    pub max_body: Option<NonZeroU64>,
    pub timeouts: Timeouts,
    pub retry: Retry,
    pub keep_alive: UpstreamKeepAlive,
    /// The status of the redirect to https; none: no redirect.
    pub https_redirect: Option<u16>,
    /// Paths that begin with one of these are not redirected.
    pub redirect_exempt: Vec<String>,
    /// Why everything must answer 503.
    pub denied: Option<Arc<str>>,
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
            https_redirect: settings.ssl_redirect.then_some(settings.http_redirect_code),
            redirect_exempt: settings.no_tls_redirect_locations.clone(),
            denied: settings.denied.as_deref().map(Arc::from),
        }
    }
}
