//! Envoy, with one worker; its circuit breakers are raised, as their defaults would refuse nothing here but are counted.

use anyhow::Result;
use serde_json::{Value, json};

use super::Ports;
use crate::{
    process::Launch,
    site::{RSA_HOST, Site},
};

const MANAGER: &str =
    "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";
const ROUTER: &str = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router";
const FILE_LOG: &str = "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog";
const TLS: &str = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext";

const INSPECTOR: &str = "type.googleapis.com/envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector";

pub(super) fn prepare(site: &Site, ports: Ports) -> Result<Launch> {
    let config = json!({"static_resources": {
        "listeners": [listener(site, "plain", ports.plain.port()), listener(site, "tls", ports.tls.port())],
        "clusters": [cluster(site.backend.address().port())],
    }});
    let config = site.write("envoy.json", &config.to_string())?;
    let mut launch = ports.launch(site, "envoy", site.peers.join("python/envoy/_bin/envoy"));
    launch.arguments =
        ["-c", &config, "--concurrency", "1", "--disable-hot-restart", "--log-level", "warn"].map(str::to_owned).into();
    Ok(launch)
}

fn listener(site: &Site, name: &str, port: u16) -> Value {
    let mut chain = json!({"filters": [{"name": "http", "typed_config": {
        "@type": MANAGER,
        "stat_prefix": name,
        "access_log": [{"name": "file", "typed_config": {"@type": FILE_LOG, "path": site.path("envoy.log")}}],
        "http_filters": [{"name": "router", "typed_config": {"@type": ROUTER}}],
        "route_config": {"virtual_hosts": [{
            "name": "all",
            "domains": ["*"],
            "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "one", "timeout": "60s"}}],
        }]},
    }}]});
    if name != "tls" {
        return json!({"name": name, "address": address(port), "filter_chains": [chain]});
    }
    let mut rsa = chain.clone();
    chain["transport_socket"] = tls(site, "");
    rsa["transport_socket"] = tls(site, "rsa-");
    rsa["filter_chain_match"] = json!({"server_names": [RSA_HOST]});
    let inspector = json!({"name": "names", "typed_config": {"@type": INSPECTOR}});
    json!({
        "name": name, "address": address(port), "filter_chains": [rsa, chain], "listener_filters": [inspector],
    })
}

fn tls(site: &Site, prefix: &str) -> Value {
    let file = |name: &str| json!({"filename": site.path(&format!("{prefix}{name}"))});
    json!({"name": "tls", "typed_config": {
        "@type": TLS,
        "common_tls_context": {
            "alpn_protocols": ["h2", "http/1.1"],
            "tls_certificates": [{"certificate_chain": file("certificate.pem"), "private_key": file("key.pem")}],
        },
    }})
}

fn cluster(port: u16) -> Value {
    let limit = 100_000;
    json!({
        "name": "one",
        "connect_timeout": "5s",
        "type": "STATIC",
        "circuit_breakers": {"thresholds": [
            {"max_connections": limit, "max_pending_requests": limit, "max_requests": limit},
        ]},
        "load_assignment": {"cluster_name": "one", "endpoints": [
            {"lb_endpoints": [{"endpoint": {"address": address(port)}}]},
        ]},
    })
}

fn address(port: u16) -> Value {
    json!({"socket_address": {"address": "127.0.0.1", "port_value": port}})
}
