//! A cluster of so many Ingresses: for each a headless Service, a slice of five endpoints that nobody but us looks after,
//! and for each tenth a Secret with a certificate.

use std::{
    net::Ipv4Addr,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    thread,
};

use anyhow::{Context, Result, anyhow};
use serde_json::{Value, json};

use super::api::{Access, Api};

/// Ingresses in one namespace.
const IN_NAMESPACE: usize = 100;
/// Endpoints of a Service.
pub const ENDPOINTS: usize = 5;
/// One Ingress of so many has a certificate of its own.
const PER_CERTIFICATE: usize = 10;
/// Connections to the API server while it is filled.
const HANDS: usize = 16;
/// The port of all endpoints.
pub const PORT: u16 = 3000;

/// The address of an endpoint of service `i`; each generation has others. All are in 10.128.0.0/9, which the machine takes
/// for its own.
pub fn address(i: usize, endpoint: usize, generation: usize) -> Ipv4Addr {
    let host = (i * ENDPOINTS + endpoint) % (1 << 20);
    let number = 0x0A80_0000_u32 | u32::try_from((generation % 8) << 20 | host).unwrap_or_default();
    Ipv4Addr::from(number)
}

/// One near `i` that has no certificate: the hosts of those are redirected, or not served in the clear at all.
pub fn plain(i: usize) -> usize {
    if i.is_multiple_of(PER_CERTIFICATE) { i + 1 } else { i }
}

/// The host that Ingress `i` serves.
pub fn host(i: usize) -> String {
    format!("host-{i}.scale.example")
}

/// The host of the Ingress that is added as number `i`.
pub fn new_host(i: usize) -> String {
    format!("new-{i}.scale.example")
}

fn namespace(i: usize) -> String {
    format!("scale-{}", i / IN_NAMESPACE)
}

/// The collection of the Ingresses beside Ingress `i`.
pub fn ingresses(i: usize) -> String {
    format!("/apis/networking.k8s.io/v1/namespaces/{}/ingresses", namespace(i))
}

/// The collection of ConfigMaps beside Ingress 0.
pub fn config_maps() -> String {
    format!("/api/v1/namespaces/{}/configmaps", namespace(0))
}

fn slices(i: usize) -> String {
    format!("/apis/discovery.k8s.io/v1/namespaces/{}/endpointslices", namespace(i))
}

/// The slice of service `i`.
pub fn slice_path(i: usize) -> String {
    format!("{}/service-{i}", slices(i))
}

/// An Ingress of three paths, all to service `to`, in the namespace of that.
fn ingress(name: &str, host: &str, to: usize) -> Value {
    let backend = json!({"service": {"name": format!("service-{to}"), "port": {"number": 80}}});
    let paths = ["/", "/api", "/static"].map(|path| json!({"path": path, "pathType": "Prefix", "backend": backend}));
    json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": name},
        "spec": {"ingressClassName": "scale", "rules": [{"host": host, "http": {"paths": paths}}]},
    })
}

/// The Ingress that is added as number `i`; it goes into the namespace of service 0.
pub fn new_ingress(i: usize) -> Value {
    ingress(&format!("new-{i}"), &new_host(i), i % IN_NAMESPACE)
}

/// The slice of service `i`, with the endpoints of that generation.
pub fn slice(i: usize, generation: usize) -> Value {
    let endpoints: Vec<Value> = (0..ENDPOINTS)
        .map(|endpoint| {
            json!({
                "addresses": [address(i, endpoint, generation)],
                "conditions": {"ready": true, "serving": true, "terminating": false},
                "nodeName": format!("node-{}", endpoint),
                "targetRef": {"kind": "Pod", "name": format!("pod-{i}-{endpoint}-{generation}"), "namespace": namespace(i)},
            })
        })
        .collect();
    json!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
        "metadata": {"name": format!("service-{i}"), "labels": {"kubernetes.io/service-name": format!("service-{i}")}},
        "ports": [{"name": "", "port": PORT, "protocol": "TCP"}],
        "endpoints": endpoints,
    })
}

fn service(i: usize) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": format!("service-{i}")},
        "spec": {"clusterIP": "None", "ports": [{"port": 80, "targetPort": PORT}]},
    })
}

/// All have the same key pair: the names inside are looked at by nobody here, and making 1,000 keys proves nothing.
fn secret(i: usize, certificate: &str, key: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls",
        "metadata": {"name": format!("certificate-{i}")},
        "stringData": {"tls.crt": certificate, "tls.key": key},
    })
}

/// Makes what is missing of so many Ingresses.
///
/// # Errors
/// The API server refuses something.
pub fn fill(access: &Access, ingresses_wanted: usize) -> Result<()> {
    let mut api = access.connect()?;
    let class = |name: &str, controller: &str| {
        json!({
            "apiVersion": "networking.k8s.io/v1", "kind": "IngressClass",
            "metadata": {"name": name}, "spec": {"controller": controller},
        })
    };
    api.create("/apis/networking.k8s.io/v1/ingressclasses", &class("scale", super::CONTROLLER))?;
    for number in 0..=ingresses_wanted / IN_NAMESPACE {
        let name = format!("scale-{number}");
        api.create(
            "/api/v1/namespaces",
            &json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}),
        )?;
    }
    let pair = rcgen::generate_simple_self_signed(vec!["*.scale.example".to_owned()])?;
    let (certificate, key) = (pair.cert.pem(), pair.signing_key.serialize_pem());
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        let hands: Vec<_> = (0..HANDS)
            .map(|_| {
                scope.spawn(|| -> Result<()> {
                    let mut api = access.connect()?;
                    loop {
                        let i = next.fetch_add(1, Relaxed);
                        if i >= ingresses_wanted {
                            return Ok(());
                        }
                        one(&mut api, i, &certificate, &key).with_context(|| format!("Ingress {i}"))?;
                    }
                })
            })
            .collect();
        hands.into_iter().try_for_each(|hand| hand.join().map_err(|_| anyhow!("a thread ended"))?)
    })
}

fn one(api: &mut Api, i: usize, certificate: &str, key: &str) -> Result<()> {
    let namespace = namespace(i);
    if i.is_multiple_of(PER_CERTIFICATE) {
        api.create(&format!("/api/v1/namespaces/{namespace}/secrets"), &secret(i, certificate, key))?;
    }
    api.create(&format!("/api/v1/namespaces/{namespace}/services"), &service(i))?;
    api.create(&slices(i), &slice(i, 0))?;
    let mut ingress = ingress(&format!("ingress-{i}"), &host(i), i);
    if i.is_multiple_of(PER_CERTIFICATE) {
        ingress["spec"]["tls"] = json!([{"hosts": [host(i)], "secretName": format!("certificate-{i}")}]);
    }
    api.create(&ingresses(i), &ingress)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_endpoints_share_an_address() {
        let mut all = std::collections::BTreeSet::new();
        for (i, endpoint, generation) in [(0, 0, 0), (0, 1, 0), (1, 0, 0), (9_999, 4, 0), (0, 0, 1), (9_999, 4, 7)] {
            let address = address(i, endpoint, generation);
            assert!(address.octets()[0] == 10 && address.octets()[1] >= 128 && all.insert(address), "{address}");
        }
    }
}
