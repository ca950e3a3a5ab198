//! The defaults, those of ingress-nginx v1.15.1.

use std::{
    net::Ipv4Addr,
    num::{NonZeroU32, NonZeroU64},
    time::Duration,
};

use ipnet::{IpNet, Ipv4Net};
use snapshot::{ConnectionLimits, Hsts, HttpOptions, TlsOptions, UpstreamKeepAlive};

use super::{Sessions, Settings, StreamSettings};

/// What `hsts` says where nothing else is said.
const HSTS: Hsts = Hsts { max_age: 31_536_000, include_subdomains: true, preload: false };

/// Where CAs look for the answers to their challenges (RFC 8555 section 8.3).
pub(super) const ACME: &str = "/.well-known/acme-challenge";

impl Default for Settings {
    fn default() -> Self {
        let http = HttpOptions::default();
        Self {
            keep_alive: http.keep_alive,
            upstream_keep_alive: UpstreamKeepAlive {
                connections: 320,
                idle: Duration::from_secs(60),
                requests: 10_000,
                lifetime: Duration::from_secs(3600),
            },
            client_header_timeout: http.header_timeout,
            client_body_timeout: http.body_timeout,
            client_body_buffer_size: http.body_buffer,
            head: http.head,
            http2: http.http2,
            proxy_connect_timeout: Duration::from_secs(5),
            proxy_read_timeout: Duration::from_secs(60),
            proxy_send_timeout: Duration::from_secs(60),
            proxy_next_upstream_tries: 3,
            proxy_next_upstream_timeout: Duration::ZERO,
            proxy_body_size: NonZeroU64::new(1 << 20),
            ssl_redirect: true,
            force_ssl_redirect: false,
            preserve_trailing_slash: false,
            http_redirect_code: 308,
            no_tls_redirect_locations: vec![ACME.to_owned()],
            hsts_on: true,
            hsts: HSTS,
            tls: TlsOptions::default(),
            ocsp: false,
            sessions: Sessions {
                tickets: true,
                cache: true,
                most: NonZeroU32::new(40_000).unwrap_or(NonZeroU32::MIN),
                lifetime: Duration::from_secs(600),
            },
            ticket_key: None,
            server_tokens: http.server_tokens,
            use_forwarded_headers: false,
            // Only IPv4, as ingress-nginx has it: whoever is reached over IPv6 names whom he trusts there.
            proxy_real_ip_cidr: vec![IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::UNSPECIFIED, 0))],
            allow_cross_namespace_resources: false,
            use_proxy_protocol: false,
            proxy_protocol_header_timeout: Duration::from_secs(5),
            stream: StreamSettings::default(),
            connections: ConnectionLimits { per_worker: NonZeroU32::new(16_384), per_client: None },
            worker_shutdown_timeout: Duration::from_secs(240),
            denied: None,
            stream_denied: None,
        }
    }
}
