//! nginx, as ingress-nginx sets it up where it matters: kept upstream connections, the same limits on them.

use anyhow::Result;

use super::Ports;
use crate::{
    process::Launch,
    site::{RSA_HOST, Site},
};

#[derive(Debug, Clone, Copy)]
pub(super) enum Buffers {
    Default,
    Tuned,
}

pub(super) fn prepare(site: &Site, ports: Ports, buffers: Buffers) -> Result<Launch> {
    let (name, buffers) = match buffers {
        Buffers::Default => ("nginx", ""),
        Buffers::Tuned => ("nginx-tuned", "proxy_buffer_size 64k; proxy_buffers 8 64k; proxy_busy_buffers_size 128k;"),
    };
    let config = site.write(&format!("{name}/nginx.conf"), &config(site, ports, name, buffers))?;
    let mut launch = ports.launch(site, name, site.debian("sbin/nginx"));
    launch.arguments = ["-p", &site.path(name), "-c", &config, "-e", &site.path(&format!("{name}/error.log"))]
        .map(str::to_owned)
        .into();
    launch.environment.push(site.libraries());
    Ok(launch)
}

fn config(site: &Site, ports: Ports, name: &str, buffers: &str) -> String {
    let Ports { plain, tls, tcp } = ports;
    let backend = site.backend.address();
    let module = site.debian("lib/nginx/modules/ngx_stream_module.so").to_string_lossy().into_owned();
    let (certificate, key, log) =
        (site.path("certificate.pem"), site.path("key.pem"), site.path(&format!("{name}.log")));
    let rsa = (site.path("rsa-certificate.pem"), site.path("rsa-key.pem"));
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .iter()
        .map(|what| format!("{what}_temp_path {};\n", site.path(&format!("{name}/{what}"))))
        .collect();
    format!(
        "load_module {module};
daemon off;
worker_processes 1;
pid {pid};
events {{ worker_connections 16384; }}
http {{
  {temporary}
  access_log {log} combined;
  tcp_nodelay on;
  keepalive_timeout 75s;
  keepalive_requests 1000;
  {buffers}
  upstream backend {{ server {backend}; keepalive 320; keepalive_requests 10000; }}
  server {{
    listen {plain};
    listen {tls} ssl http2;
    ssl_certificate {certificate};
    ssl_certificate_key {key};
    ssl_protocols TLSv1.2 TLSv1.3;
    {location}
  }}
  server {{
    listen {tls} ssl http2;
    server_name {RSA_HOST};
    ssl_certificate {rsa_certificate};
    ssl_certificate_key {rsa_key};
    ssl_protocols TLSv1.2 TLSv1.3;
    {location}
  }}
}}
stream {{
  log_format sessions '$remote_addr [$time_local] $protocol $status $bytes_sent $bytes_received $session_time';
  access_log {log} sessions;
  server {{
    listen {tcp};
    proxy_pass {backend};
  }}
}}
",
        pid = site.path(&format!("{name}/pid")),
        location = LOCATION,
        rsa_certificate = rsa.0,
        rsa_key = rsa.1,
    )
}

const LOCATION: &str = "location / {
      proxy_pass http://backend;
      proxy_http_version 1.1;
      proxy_set_header Connection \"\";
      proxy_set_header Host $host;
      proxy_set_header X-Forwarded-For $remote_addr;
      proxy_set_header X-Forwarded-Proto $scheme;
    }";
