//! The addresses at which Ingresses are reached.

use std::{net::IpAddr, sync::Arc};

use compile::{NamespacedName, Problem, Reason, Severity};
use k8s_openapi::api::{core::v1::Service, networking::v1::IngressLoadBalancerIngress};
use snapshot::Origin;
use tokio::sync::{mpsc, watch};

use crate::{
    Error,
    board::Board,
    cycle::Update,
    object::{Change, Object},
};

/// Reads `--publish-status-address`.
///
/// # Errors
/// One of them is neither an IP address nor a host name.
pub(crate) fn fixed(addresses: &[String]) -> Result<Vec<IngressLoadBalancerIngress>, Error> {
    let addresses = addresses.iter().map(|address| address.trim()).filter(|address| !address.is_empty());
    addresses.map(|address| parse(address).ok_or_else(|| invalid(address))).collect()
}

fn invalid(address: &str) -> Error {
    Error::Options(format!("--publish-status-address: {address:?} is neither an IP address nor a host name"))
}

/// An address that is known to be one: where it is no IP address, it is a name.
pub(super) fn either(address: &str) -> IngressLoadBalancerIngress {
    if address.parse::<IpAddr>().is_ok() { ip(address) } else { hostname(address) }
}

fn parse(address: &str) -> Option<IngressLoadBalancerIngress> {
    if address.parse::<IpAddr>().is_ok() {
        return Some(ip(address));
    }
    match address.parse() {
        Ok(snapshot::HostPattern::Exact(name)) => Some(hostname(&name)),
        _ => None,
    }
}

/// Follows the Service of `--publish-service` by the updates of its watch.
pub(crate) async fn follow(
    name: NamespacedName,
    mut updates: mpsc::Receiver<Update>,
    addresses: watch::Sender<Option<Vec<IngressLoadBalancerIngress>>>,
    board: Arc<Board>,
) {
    while let Some(Update { changes, .. }) = updates.recv().await {
        // The watch is of one object: its last change counts, and an empty list says that it does not exist.
        let service = match changes.into_iter().next_back() {
            Some(Change::Put(Object::Service(service))) => Some(service),
            _ => None,
        };
        let problem = service.is_none().then(|| missing(&name));
        board.find("publish-service", problem.into_iter().collect());
        addresses.send_replace(service.map(|service| of_service(&service)));
    }
}

fn missing(name: &NamespacedName) -> Problem {
    Problem {
        object: Arc::new(Origin::new("Service", &name.namespace, &name.name)),
        severity: Severity::Error,
        field: "metadata.name".to_owned(),
        message: "does not exist, though --publish-service names it; statuses are left as they are".to_owned(),
        reason: Reason::PublishServiceNotFound,
    }
}

/// The addresses of a Service by its type, as ingress-nginx has them.
fn of_service(service: &Service) -> Vec<IngressLoadBalancerIngress> {
    let Some(spec) = &service.spec else { return Vec::new() };
    let external = || spec.external_ips.iter().flatten().map(|address| ip(address));
    let cluster = || spec.cluster_ip.iter().filter(|address| *address != "None").map(|address| ip(address));
    match spec.type_.as_deref() {
        Some("ExternalName") => spec.external_name.iter().map(|name| hostname(name)).collect(),
        Some("NodePort") if spec.external_ips.iter().flatten().next().is_some() => external().collect(),
        Some("LoadBalancer") => {
            let mut addresses = balanced(service);
            let more: Vec<_> = external().filter(|address| !addresses.contains(address)).collect();
            addresses.extend(more);
            addresses
        }
        _ => cluster().collect(),
    }
}

fn balanced(service: &Service) -> Vec<IngressLoadBalancerIngress> {
    let status = service.status.as_ref().and_then(|status| status.load_balancer.as_ref());
    let addresses = status.and_then(|status| status.ingress.as_deref()).unwrap_or_default();
    let address = |address: &k8s_openapi::api::core::v1::LoadBalancerIngress| IngressLoadBalancerIngress {
        hostname: address.hostname.clone().filter(|name| !name.is_empty()),
        ip: address.ip.clone().filter(|ip| !ip.is_empty()),
        ports: None,
    };
    addresses.iter().map(address).filter(|address| address.ip.is_some() || address.hostname.is_some()).collect()
}

fn ip(address: &str) -> IngressLoadBalancerIngress {
    IngressLoadBalancerIngress { ip: Some(address.to_owned()), ..IngressLoadBalancerIngress::default() }
}

fn hostname(name: &str) -> IngressLoadBalancerIngress {
    IngressLoadBalancerIngress { hostname: Some(name.to_owned()), ..IngressLoadBalancerIngress::default() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn service(value: serde_json::Value) -> Vec<String> {
        let service: Service = serde_json::from_value(value).unwrap();
        of_service(&service).into_iter().map(|address| address.ip.or(address.hostname).unwrap()).collect()
    }

    #[test]
    fn each_type_of_service_has_its_addresses() {
        let balancer = json!({"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}, {"hostname": "lb.example"}]}});
        let spec = json!({"type": "LoadBalancer", "externalIPs": ["192.0.2.1", "192.0.2.2"], "clusterIP": "10.0.0.1"});
        assert_eq!(service(json!({"spec": spec, "status": balancer})), ["192.0.2.1", "lb.example", "192.0.2.2"]);
        assert_eq!(service(json!({"spec": {"type": "LoadBalancer", "clusterIP": "10.0.0.1"}})), [""; 0]);
        assert_eq!(service(json!({"spec": {"type": "ClusterIP", "clusterIP": "10.0.0.1"}})), ["10.0.0.1"]);
        assert_eq!(service(json!({"spec": {"type": "NodePort", "clusterIP": "10.0.0.1"}})), ["10.0.0.1"]);
        let spec = json!({"type": "NodePort", "clusterIP": "10.0.0.1", "externalIPs": ["192.0.2.1"]});
        assert_eq!(service(json!({"spec": spec})), ["192.0.2.1"]);
        assert_eq!(service(json!({"spec": {"type": "ExternalName", "externalName": "x.example"}})), ["x.example"]);
    }

    #[test]
    fn fixed_addresses_are_checked() {
        let texts = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        let read = fixed(&texts(&["192.0.2.1", " fd00::1 ", "lb.example", ""])).unwrap();
        assert_eq!(read, [ip("192.0.2.1"), ip("fd00::1"), hostname("lb.example")]);
        for bad in ["*.example", "a b", "192.0.2.1:80"] {
            assert!(fixed(&texts(&[bad])).is_err(), "{bad}");
        }
    }
}
