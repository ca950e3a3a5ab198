//! Tidegate, as users have it: `tidegate run` with its defaults, and 1,000 hosts.

use anyhow::Result;
use serde_json::{Value, json};

use super::Ports;
use crate::{
    process::Launch,
    site::{HOSTS, Site, free_port, plain_host, tls_host},
};

pub(super) fn prepare(site: &Site, ports: Ports) -> Result<Launch> {
    site.write("manifests/all.yaml", &manifests(site))?;
    let mut launch = ports.launch(site, "tidegate", site.tidegate.clone());
    let flags = [
        ("--manifests", site.path("manifests")),
        ("--bind-address", "127.0.0.1".to_owned()),
        ("--http-port", ports.plain.port().to_string()),
        ("--https-port", ports.tls.port().to_string()),
        ("--healthz-host", "127.0.0.1".to_owned()),
        ("--healthz-port", free_port()?.port().to_string()),
        ("--access-log", site.path("tidegate.log")),
    ];
    launch.arguments.push("run".to_owned());
    launch.arguments.extend(flags.into_iter().flat_map(|(flag, value)| [flag.to_owned(), value]));
    Ok(launch)
}

/// All objects in one file. JSON is YAML too.
fn manifests(site: &Site) -> String {
    let port = site.backend.address().port();
    let shared = [
        json!({
            "apiVersion": "networking.k8s.io/v1", "kind": "IngressClass",
            "metadata": {
                "name": "tidegate", "annotations": {"ingressclass.kubernetes.io/is-default-class": "true"},
            },
            "spec": {"controller": "tidegate.dev/ingress-controller"},
        }),
        json!({
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": "one"},
            "spec": {"ports": [{"name": "http", "port": 80, "targetPort": port}]},
        }),
        json!({
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
            "metadata": {"name": "one-1", "labels": {"kubernetes.io/service-name": "one"}},
            "addressType": "IPv4",
            "ports": [{"name": "http", "port": port}],
            "endpoints": [{"addresses": ["127.0.0.1"]}],
        }),
        json!({
            "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls", "metadata": {"name": "certificate"},
            "stringData": {"tls.crt": site.certificate, "tls.key": site.key},
        }),
    ];
    let plain = (0..HOSTS).map(|i| ingress(&format!("plain-{i}"), &plain_host(i), json!([])));
    let tls = (0..HOSTS).map(|i| {
        let host = tls_host(i);
        ingress(&format!("tls-{i}"), &host, json!([{"hosts": [&host], "secretName": "certificate"}]))
    });
    let documents: Vec<String> = shared.into_iter().chain(plain).chain(tls).map(|object| object.to_string()).collect();
    documents.join("\n---\n")
}

fn ingress(name: &str, host: &str, tls: Value) -> Value {
    json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": name},
        "spec": {
            "tls": tls,
            "rules": [{"host": host, "http": {"paths": [
                {"path": "/", "pathType": "Prefix", "backend": {"service": {"name": "one", "port": {"number": 80}}}},
            ]}}],
        },
    })
}
