//! The global ConfigMap (`--configmap`) as typed values.

use std::{num::NonZeroU64, time::Duration};

use ipnet::IpNet;
use snapshot::{HeadLimits, Hsts, KeepAlive, UpstreamKeepAlive};

/// The global settings, defaults where the ConfigMap says nothing. Names and defaults are ingress-nginx's.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// `keep-alive`, `keep-alive-requests`.
    pub keep_alive: KeepAlive,
    /// `upstream-keepalive-connections`, `-timeout`, `-requests`, `-time`.
    pub upstream_keep_alive: UpstreamKeepAlive,
    /// `client-header-timeout`.
    pub client_header_timeout: Duration,
    /// `client-body-timeout`.
    pub client_body_timeout: Duration,
    /// `client-body-buffer-size`, bytes.
    pub client_body_buffer_size: u64,
    /// `large-client-header-buffers` and `client-header-buffer-size` as bounds of the head.
    pub head: HeadLimits,
    /// `proxy-connect-timeout`.
    pub proxy_connect_timeout: Duration,
    /// `proxy-read-timeout`.
    pub proxy_read_timeout: Duration,
    /// `proxy-send-timeout`.
    pub proxy_send_timeout: Duration,
    /// `proxy-next-upstream-tries`.
    pub proxy_next_upstream_tries: u32,
    /// `proxy-next-upstream-timeout`.
    pub proxy_next_upstream_timeout: Duration,
    /// `proxy-body-size`; none: any size.
    pub proxy_body_size: Option<NonZeroU64>,
    /// `ssl-redirect`.
    pub ssl_redirect: bool,
    /// `http-redirect-code`.
    pub http_redirect_code: u16,
    /// `no-tls-redirect-locations`: paths of Ingresses that begin with one of these are not redirected.
    pub no_tls_redirect_locations: Vec<String>,
    /// `hsts`, `hsts-max-age`, `hsts-include-subdomains`, `hsts-preload`.
    pub hsts: Option<Hsts>,
    /// `server-tokens`.
    pub server_tokens: bool,
    /// `use-forwarded-headers`.
    pub use_forwarded_headers: bool,
    /// `proxy-real-ip-cidr`.
    pub proxy_real_ip_cidr: Vec<IpNet>,
    /// `worker-shutdown-timeout`.
    pub worker_shutdown_timeout: Duration,
}
