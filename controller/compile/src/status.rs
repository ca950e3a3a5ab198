//! The status that each Ingress should have.

use std::collections::BTreeSet;

use k8s_openapi::api::networking::v1::IngressLoadBalancerIngress;
use snapshot::Snapshot;

use crate::{Compiled, NamespacedName, Objects};

/// An Ingress whose `status.loadBalancer` is not what it should be.
#[derive(Debug, Clone, PartialEq)]
pub struct StatusPatch {
    /// The Ingress.
    pub ingress: NamespacedName,
    /// What `status.loadBalancer.ingress` should be, in order.
    pub addresses: Vec<IngressLoadBalancerIngress>,
}

/// The Ingresses of ours that have another status than `addresses`. Those of which nothing is served get none, and lose
/// these: an address is a promise that somebody answers there. What others wrote stays.
pub fn status(objects: &Objects, compiled: &Compiled, addresses: &[IngressLoadBalancerIngress]) -> Vec<StatusPatch> {
    let wanted = in_order(addresses);
    let served = served(&compiled.snapshot);
    let patch = |name: &NamespacedName| {
        let current = current(objects, name)?;
        let is_served = served.contains(&(&*name.namespace, &*name.name));
        let addresses = match current == wanted {
            false if is_served => wanted.clone(),
            true if !is_served && !wanted.is_empty() => Vec::new(),
            _ => return None,
        };
        Some(StatusPatch { ingress: name.clone(), addresses })
    };
    compiled.attached.iter().filter_map(patch).collect()
}

/// Namespace and name of each Ingress that has a route.
fn served(snapshot: &Snapshot) -> BTreeSet<(&str, &str)> {
    let origins = snapshot.tables.values().flat_map(|table| &table.routes).map(|route| &*route.origin);
    let ingresses = origins.filter(|origin| &*origin.kind == "Ingress");
    ingresses.map(|origin| (&*origin.namespace, &*origin.name)).collect()
}

/// None: the Ingress is gone.
fn current(objects: &Objects, name: &NamespacedName) -> Option<Vec<IngressLoadBalancerIngress>> {
    let status = objects.ingresses.get(name)?.status.as_ref();
    let addresses = status.and_then(|status| status.load_balancer.as_ref()?.ingress.as_deref());
    Some(in_order(addresses.unwrap_or_default()))
}

fn in_order(addresses: &[IngressLoadBalancerIngress]) -> Vec<IngressLoadBalancerIngress> {
    let mut addresses = addresses.to_vec();
    addresses.sort_by(|a, b| (&a.ip, &a.hostname).cmp(&(&b.ip, &b.hostname)));
    addresses.dedup();
    addresses
}
