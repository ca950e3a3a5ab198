//! Tidegate, as users have it: `tidegate run` with its defaults, and 1,000 hosts.

use std::path::Path;

use anyhow::Result;
use serde_json::{Value, json};

use super::Ports;
use crate::{
    process::Launch,
    site::{HOSTS, RSA_HOST, Site, free_port, plain_host, tls_host},
};

/// The paths of each host of a larger table; the last one is what is asked for.
const PATHS: [(&str, &str); 5] =
    [("/login", "Exact"), ("/api/v1/users", "Prefix"), ("/api/v1", "Prefix"), ("/static", "Prefix"), ("/", "Prefix")];

/// The most documents in a file; Tidegate reads no file of more than a thousand or so.
const DOCUMENTS: usize = 500;
/// The paths of each host of the usual table.
const WHOLE: [(&str, &str); 1] = [("/", "Prefix")];

pub(super) fn prepare(site: &Site, ports: Ports, name: &str, program: &Path) -> Result<Launch> {
    let plain = (0..HOSTS).map(|i| ingress(&format!("plain-{i}"), &plain_host(i), &WHOLE, json!([])));
    let tls = (0..HOSTS).map(|i| {
        let host = tls_host(i);
        ingress(&format!("tls-{i}"), &host, &WHOLE, json!([{"hosts": [&host], "secretName": "certificate"}]))
    });
    let secret = json!([{"hosts": [RSA_HOST], "secretName": "rsa"}]);
    let rsa = std::iter::once(ingress("rsa", RSA_HOST, &WHOLE, secret));
    let tcp = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "tcp"},
        "data": {ports.tcp.port().to_string(): "default/one:80"},
    });
    let mut launch = launch(site, ports, name, program, plain.chain(tls).chain(rsa).chain([tcp]))?;
    launch.arguments.extend(["--tcp-services-configmap", "default/tcp"].map(str::to_owned));
    Ok(launch)
}

/// With other hosts than usual, all of them plain, each with five paths.
///
/// # Errors
/// Where the configuration cannot be written.
pub fn with_table(site: &Site, hosts: std::ops::Range<usize>) -> Result<Launch> {
    let name = format!("tidegate-{}", hosts.len());
    let ingresses = hosts.map(|i| ingress(&format!("plain-{i}"), &plain_host(i), &PATHS, json!([])));
    launch(site, Ports::free()?, &name, &site.tidegate, ingresses)
}

fn launch(
    site: &Site,
    ports: Ports,
    name: &str,
    program: &Path,
    ingresses: impl Iterator<Item = Value>,
) -> Result<Launch> {
    let folder = format!("{name}-manifests");
    let objects: Vec<Value> = shared(site).into_iter().chain(ingresses).collect();
    for (number, objects) in objects.chunks(DOCUMENTS).enumerate() {
        // JSON is YAML too.
        let documents: Vec<String> = objects.iter().map(Value::to_string).collect();
        site.write(&format!("{folder}/{number}.yaml"), &documents.join("\n---\n"))?;
    }
    let mut launch = ports.launch(site, name, program.to_owned());
    let flags = [
        ("--manifests", site.path(&folder)),
        ("--bind-address", "127.0.0.1".to_owned()),
        ("--http-port", ports.plain.port().to_string()),
        ("--https-port", ports.tls.port().to_string()),
        ("--healthz-host", "127.0.0.1".to_owned()),
        ("--healthz-port", free_port()?.port().to_string()),
        ("--access-log", site.path(&format!("{name}.log"))),
    ];
    launch.arguments.push("run".to_owned());
    launch.arguments.extend(flags.into_iter().flat_map(|(flag, value)| [flag.to_owned(), value]));
    Ok(launch)
}

/// What all Ingresses need.
fn shared(site: &Site) -> [Value; 5] {
    let port = site.backend.address().port();
    [
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
        secret("certificate", &site.certificate, &site.key),
        secret("rsa", &site.rsa.0, &site.rsa.1),
    ]
}

fn secret(name: &str, certificate: &str, key: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls", "metadata": {"name": name},
        "stringData": {"tls.crt": certificate, "tls.key": key},
    })
}

fn ingress(name: &str, host: &str, paths: &[(&str, &str)], tls: Value) -> Value {
    let path = |(path, kind): &(&str, &str)| json!({"path": path, "pathType": kind, "backend": {"service": {"name": "one", "port": {"number": 80}}}});
    let paths: Vec<Value> = paths.iter().map(path).collect();
    json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": name},
        "spec": {
            "tls": tls,
            "rules": [{"host": host, "http": {"paths": paths}}],
        },
    })
}
