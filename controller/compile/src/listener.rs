//! The two listeners of HTTP.

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc};

use snapshot::{HttpOptions, Listener, ListenerId, Serves, TlsOptions};

use crate::{Options, assemble::Names, settings::Settings};

/// `http` and `https`, on every `--bind-address`.
pub(crate) fn listeners(options: &Options, settings: &Settings, names: Names) -> BTreeMap<ListenerId, Arc<Listener>> {
    let Names { hosts, sni, default_cert, by_host } = names;
    let binds = |port| options.bind_addresses.iter().map(|address| SocketAddr::new(*address, port)).collect();
    let http = Arc::new(http_options(options, settings));
    let clear = Serves::Http { hosts: hosts.clone(), http: Arc::clone(&http) };
    let tls = Arc::new(TlsOptions { resumption: settings.sessions.resumption(), ..settings.tls.clone() });
    let tls = Serves::Tls { sni, default_cert, hosts, http, tls, by_host };
    [
        (ListenerId::from("http"), Arc::new(Listener { binds: binds(options.http_port), serves: clear })),
        (ListenerId::from("https"), Arc::new(Listener { binds: binds(options.https_port), serves: tls })),
    ]
    .into()
}

fn http_options(options: &Options, settings: &Settings) -> HttpOptions {
    HttpOptions {
        keep_alive: settings.keep_alive,
        header_timeout: settings.client_header_timeout,
        body_timeout: settings.client_body_timeout,
        send_timeout: HttpOptions::default().send_timeout,
        head: settings.head,
        http2: settings.http2,
        body_buffer: settings.client_body_buffer_size,
        server_tokens: settings.server_tokens,
        hsts: settings.hsts,
        trusted_proxies: if settings.use_forwarded_headers { settings.proxy_real_ip_cidr.clone() } else { Vec::new() },
        health_check_path: options.health_check_path.as_str().into(),
    }
}
