//! EndpointSlices → where the pods of a Service's port are.
//! <https://kubernetes.io/docs/concepts/services-networking/endpoint-slices/>

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use k8s_openapi::api::{
    core::v1::Service,
    discovery::v1::{Endpoint as Pod, EndpointSlice},
};
use snapshot::{Endpoint, EndpointSet};

use crate::NamespacedName;

/// Where the endpoints of a Service's port come from: the EndpointSlices in the Service's namespace whose label
/// `kubernetes.io/service-name` is the Service's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointSource {
    /// The Service.
    pub service: NamespacedName,
    /// The name of its port, by which slices name theirs; empty where it has none.
    pub port_name: Arc<str>,
    /// Which addresses count: those of the Service's first family; none: all (it states no family).
    pub family: Option<Family>,
    /// What its port is of.
    pub transport: Transport,
}

/// What a port is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

impl Transport {
    /// Its name, as Kubernetes writes it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Tcp => "TCP",
            Self::Udp => "UDP",
        }
    }

    /// Whether a port of this `protocol` is one. A port that states none is of TCP.
    pub(crate) fn is(self, protocol: Option<&str>) -> bool {
        protocol.filter(|protocol| !protocol.is_empty()).unwrap_or(Self::Tcp.as_str()) == self.as_str()
    }
}

/// An IP family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Family {
    /// The first of a Service's `ipFamilies`.
    pub(crate) fn first_of(service: &Service) -> Option<Self> {
        match service.spec.as_ref()?.ip_families.as_ref()?.first()?.as_str() {
            "IPv4" => Some(Self::V4),
            "IPv6" => Some(Self::V6),
            _ => None,
        }
    }

    fn holds(self, address: IpAddr) -> bool {
        match self {
            Self::V4 => address.is_ipv4(),
            Self::V6 => address.is_ipv6(),
        }
    }
}

/// The endpoints that take new requests: the ready ones, and where none is ready those that are terminating and still
/// serve. `slices` are those of the source's Service; slices of names (`addressType: FQDN`) hold no endpoint.
pub fn endpoint_set(source: &EndpointSource, slices: &[Arc<EndpointSlice>]) -> EndpointSet {
    let mut ready = Vec::new();
    let mut leaving = Vec::new();
    for slice in slices {
        let Some(port) = port(slice, source) else { continue };
        for pod in slice.endpoints.iter().flatten() {
            let into = match Condition::of(pod) {
                Condition::Ready => &mut ready,
                Condition::Leaving => &mut leaving,
                Condition::Out => continue,
            };
            into.extend(addresses(pod, source.family).map(|ip| Endpoint { address: SocketAddr::new(ip, port) }));
        }
    }
    let mut endpoints = if ready.is_empty() { leaving } else { ready };
    endpoints.sort_unstable();
    endpoints.dedup();
    EndpointSet { endpoints }
}

/// The port's number in this slice. A Service's port without a name is its only one: it is the slice's unnamed port, or
/// the only one of a slice that was made by hand.
fn port(slice: &EndpointSlice, source: &EndpointSource) -> Option<u16> {
    let name = &*source.port_name;
    let ports = || slice.ports.iter().flatten().filter(|port| source.transport.is(port.protocol.as_deref()));
    let named = ports().find(|port| port.name.as_deref().unwrap_or_default() == name);
    let only = || ports().next().filter(|_| name.is_empty() && ports().count() == 1);
    let number = named.or_else(only)?.port?;
    u16::try_from(number).ok().filter(|number| *number != 0)
}

/// All addresses of an endpoint are the same pod (fungible, says Kubernetes): the first of the right family is it.
fn addresses(pod: &Pod, family: Option<Family>) -> impl Iterator<Item = IpAddr> {
    let parsed = pod.addresses.iter().filter_map(|address| address.parse::<IpAddr>().ok());
    parsed.filter(move |address| family.is_none_or(|family| family.holds(*address))).take(1)
}

enum Condition {
    Ready,
    /// Terminating, and it still serves.
    Leaving,
    Out,
}

impl Condition {
    /// `ready` absent means true; `serving` absent means what `ready` says; `terminating` absent means false.
    fn of(pod: &Pod) -> Self {
        let conditions = pod.conditions.as_ref();
        let ready = conditions.and_then(|conditions| conditions.ready);
        let serving = conditions.and_then(|conditions| conditions.serving).or(ready).unwrap_or(true);
        let terminating = conditions.and_then(|conditions| conditions.terminating).unwrap_or(false);
        match (ready.unwrap_or(true), serving && terminating) {
            (true, _) => Self::Ready,
            (false, true) => Self::Leaving,
            (false, false) => Self::Out,
        }
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::discovery::v1::{EndpointConditions, EndpointPort};

    use super::*;

    fn pod(address: &str, ready: Option<bool>, serving: Option<bool>, terminating: Option<bool>) -> Pod {
        let conditions = Some(EndpointConditions { ready, serving, terminating });
        Pod { addresses: vec![address.to_owned()], conditions, ..Pod::default() }
    }

    fn slice(ports: &[(&str, i32)], pods: Vec<Pod>) -> Arc<EndpointSlice> {
        let port = |(name, port): &(&str, i32)| EndpointPort {
            name: Some((*name).to_owned()),
            port: Some(*port),
            ..EndpointPort::default()
        };
        let ports = Some(ports.iter().map(port).collect());
        Arc::new(EndpointSlice { ports, endpoints: Some(pods), ..EndpointSlice::default() })
    }

    fn set(port_name: &str, family: Option<Family>, slices: &[Arc<EndpointSlice>]) -> Vec<String> {
        let service = NamespacedName::new("default", "web");
        let source = EndpointSource { service, port_name: port_name.into(), family, transport: Transport::Tcp };
        endpoint_set(&source, slices).endpoints.iter().map(|endpoint| endpoint.address.to_string()).collect()
    }

    #[test]
    fn ready_absent_is_true_and_leaving_ones_wait_for_need() {
        let pods = vec![
            pod("10.0.0.2", None, None, None),
            pod("10.0.0.1", Some(true), Some(true), Some(false)),
            pod("10.0.0.3", Some(false), Some(true), Some(true)),
            pod("10.0.0.4", Some(false), Some(false), Some(false)),
        ];
        assert_eq!(set("", None, &[slice(&[("", 80)], pods)]), ["10.0.0.1:80", "10.0.0.2:80"]);
        let pods = vec![
            pod("10.0.0.3", Some(false), Some(true), Some(true)),
            pod("10.0.0.4", Some(false), Some(false), Some(true)),
            pod("10.0.0.5", Some(false), Some(true), None),
        ];
        assert_eq!(set("", None, &[slice(&[("", 80)], pods)]), ["10.0.0.3:80"]);
    }

    #[test]
    fn slices_may_number_a_port_differently_and_repeat_an_address() {
        let slices = [
            slice(&[("http", 8080), ("admin", 9000)], vec![pod("10.0.0.1", None, None, None)]),
            slice(&[("http", 8081)], vec![pod("10.0.0.2", None, None, None), pod("10.0.0.2", None, None, None)]),
            slice(&[("http", 8080)], vec![pod("10.0.0.1", None, None, None)]),
        ];
        assert_eq!(set("http", None, &slices), ["10.0.0.1:8080", "10.0.0.2:8081"]);
        assert_eq!(set("admin", None, &slices), ["10.0.0.1:9000"]);
        assert!(set("other", None, &slices).is_empty());
    }

    #[test]
    fn an_unnamed_port_takes_the_only_one() {
        let pods = || vec![pod("10.0.0.1", None, None, None)];
        assert_eq!(set("", None, &[slice(&[("web", 80)], pods())]), ["10.0.0.1:80"]);
        assert!(set("", None, &[slice(&[("web", 80), ("admin", 81)], pods())]).is_empty());
        assert!(set("", None, &[slice(&[], pods())]).is_empty());
        assert!(set("", None, &[slice(&[("", 0)], pods())]).is_empty());
        assert!(set("", None, &[slice(&[("", 70_000)], pods())]).is_empty());
    }

    #[test]
    fn one_family_and_no_names() {
        let slices = [
            slice(&[("", 80)], vec![pod("10.0.0.1", None, None, None)]),
            slice(&[("", 80)], vec![pod("fd00::1", None, None, None)]),
            slice(&[("", 80)], vec![pod("pod.example", None, None, None)]),
        ];
        assert_eq!(set("", Some(Family::V4), &slices), ["10.0.0.1:80"]);
        assert_eq!(set("", Some(Family::V6), &slices), ["[fd00::1]:80"]);
        assert_eq!(set("", None, &slices), ["10.0.0.1:80", "[fd00::1]:80"]);
    }

    #[test]
    fn only_tcp_ports_count() {
        let mut udp = (*slice(&[("dns", 53)], vec![pod("10.0.0.1", None, None, None)])).clone();
        udp.ports.iter_mut().flatten().for_each(|port| port.protocol = Some("UDP".to_owned()));
        assert!(set("dns", None, &[Arc::new(udp)]).is_empty());
    }
}
