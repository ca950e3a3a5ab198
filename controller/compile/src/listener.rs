//! The two listeners of Ingresses.

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc};

use snapshot::{HostPattern, HttpOptions, Listener, ListenerId, Serves, Stapling, TcpService, TlsOptions};

use crate::{Options, assemble::Names, l4, settings::Settings};

/// `http` and `https`, on every `--bind-address`.
pub(crate) fn listeners(
    options: &Options,
    settings: &Settings,
    names: Names,
    passthrough: BTreeMap<HostPattern, Arc<TcpService>>,
) -> BTreeMap<ListenerId, Arc<Listener>> {
    let Names { hosts, sni, default_cert, by_host } = names;
    let binds = |port| options.bind_addresses.iter().map(|address| SocketAddr::new(*address, port)).collect();
    let http = Arc::new(http_options(options, settings));
    let clear = Serves::Http { hosts: hosts.clone(), http: Arc::clone(&http) };
    let stapling = settings.ocsp.then_some(Stapling { allow_local: options.allow_local_external_names });
    let tls = TlsOptions { resumption: settings.sessions.resumption(), stapling, ..settings.tls.clone() };
    let tls = Arc::new(tls);
    let tls = Serves::Tls { sni, default_cert, hosts, http, tls, by_host, passthrough };
    let listener = |port, serves| {
        let proxy_protocol = settings.use_proxy_protocol.then(|| l4::proxy_protocol(settings));
        Arc::new(Listener { binds: binds(port), proxy_protocol, serves })
    };
    [
        (ListenerId::from("http"), listener(options.http_port, clear)),
        (ListenerId::from("https"), listener(options.https_port, tls)),
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
        hsts: settings.hsts(),
        trusted_proxies: if settings.use_forwarded_headers { settings.proxy_real_ip_cidr.clone() } else { Vec::new() },
        health_check_path: options.health_check_path.as_str().into(),
    }
}
