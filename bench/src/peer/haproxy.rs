//! HAProxy, with its own defaults beside one thread; TCP may go through the kernel alone (splice), which it is known for.
//! Its log goes to its standard output, which is a file.

use anyhow::Result;

use super::Ports;
use crate::{process::Launch, site::Site};

pub(super) fn prepare(site: &Site, ports: Ports) -> Result<Launch> {
    let Ports { plain, tls, tcp } = ports;
    let backend = site.backend.address();
    let (certificate, rsa) = (site.path("both.pem"), site.path("rsa-both.pem"));
    let config = site.write(
        "haproxy.cfg",
        &format!(
            "global
  nbthread 1
  maxconn 8000
  maxpipes 64
  log stdout format raw local0 info
defaults
  mode http
  log global
  timeout connect 5s
  timeout client 75s
  timeout server 60s
frontend all
  option httplog
  option forwardfor
  bind {plain}
  bind {tls} ssl crt {certificate} crt {rsa} alpn h2,http/1.1
  http-request set-header X-Forwarded-Proto %[ssl_fc,iif(https,http)]
  default_backend one
backend one
  server s {backend}
listen tcp
  mode tcp
  option tcplog
  option splice-auto
  bind {tcp}
  server s {backend}
"
        ),
    )?;
    let mut launch = ports.launch(site, "haproxy", site.debian("sbin/haproxy"));
    launch.log = launch.output.clone();
    launch.arguments = ["-db", "-f", &config].map(str::to_owned).into();
    launch.environment.push(site.libraries());
    Ok(launch)
}
