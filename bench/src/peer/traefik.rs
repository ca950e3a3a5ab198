//! Traefik, with one thread for Go code; it keeps as many idle upstream connections as there are clients.

use anyhow::Result;
use serde_json::json;

use super::Ports;
use crate::{process::Launch, site::Site};

pub(super) fn prepare(site: &Site, ports: Ports) -> Result<Launch> {
    let routes = site.write("traefik/routes.yaml", &routes(site))?;
    let config = json!({
        "global": {"checkNewVersion": false, "sendAnonymousUsage": false},
        "log": {"level": "ERROR"},
        "accessLog": {"filePath": site.path("traefik.log")},
        "entryPoints": {
            "plain": {"address": ports.plain.to_string()},
            "tls": {"address": ports.tls.to_string()},
        },
        "providers": {"file": {"filename": routes}},
        "serversTransport": {"maxIdleConnsPerHost": 1000},
    });
    let config = site.write("traefik/traefik.yaml", &config.to_string())?;
    let mut launch = ports.launch(site, "traefik", site.peers.join("python/bin/traefik"));
    launch.arguments = vec![format!("--configFile={config}")];
    launch.environment.push(("GOMAXPROCS", "1".to_owned()));
    Ok(launch)
}

fn routes(site: &Site) -> String {
    let router = |entry: &str| json!({"rule": "PathPrefix(`/`)", "service": "one", "entryPoints": [entry]});
    let file = |prefix: &str, name: &str| site.path(&format!("{prefix}{name}.pem"));
    let certificate = |prefix| json!({"certFile": file(prefix, "certificate"), "keyFile": file(prefix, "key")});
    let (plain, mut tls) = (router("plain"), router("tls"));
    tls["tls"] = json!({});
    json!({
        "http": {
            "routers": {"plain": plain, "tls": tls},
            "services": {"one": {"loadBalancer": {
                "servers": [{"url": format!("http://{}", site.backend.address())}],
            }}},
        },
        "tls": {"certificates": [certificate(""), certificate("rsa-")]},
    })
    .to_string()
}
