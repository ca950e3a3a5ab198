//! The one place that publishes: latest routes and latest endpoints, joined at that moment.
//!
//! Endpoints are no part of a compile's result, so a compile that began before an endpoint change can never put old
//! endpoints back, and an endpoint change waits for no compile.

use std::{
    collections::{BTreeMap, BTreeSet, hash_map::RandomState},
    hash::BuildHasher,
    sync::Arc,
};

use compile::{EndpointSource, NamespacedName, endpoint_set};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use snapshot::{EndpointSet, ServicePort, Snapshot, SnapshotId};
use tokio::sync::watch;

use crate::slices::Slices;

/// Where the data plane gets its snapshots from; none before the first.
pub type Snapshots = watch::Sender<Option<Arc<Snapshot>>>;

/// Owns what was published last.
pub(crate) struct Publisher {
    snapshots: Snapshots,
    id: SnapshotId,
    current: Option<Arc<Snapshot>>,
    slices: Slices,
    sources: BTreeMap<ServicePort, EndpointSource>,
    /// The ports of each Service that something routes to.
    ports: BTreeMap<NamespacedName, Vec<ServicePort>>,
}

impl Publisher {
    pub(crate) fn new(snapshots: Snapshots) -> Self {
        // The standard library seeds each hasher state from the system's randomness.
        let instance = RandomState::new().hash_one(std::process::id());
        Self {
            snapshots,
            id: SnapshotId { instance, sequence: 0 },
            current: None,
            slices: Slices::default(),
            sources: BTreeMap::new(),
            ports: BTreeMap::new(),
        }
    }

    /// Takes a slice in, without publishing. Returns the Services whose endpoints it may change.
    pub(crate) fn put_slice(&mut self, slice: Arc<EndpointSlice>) -> Vec<NamespacedName> {
        self.slices.put(slice)
    }

    /// Takes a slice out, without publishing. Returns the Service whose endpoints it may change.
    pub(crate) fn remove_slice(&mut self, name: &NamespacedName) -> Option<NamespacedName> {
        self.slices.remove(name)
    }

    /// Publishes new routes with the endpoints of now, unless nothing differs. Returns the id of what holds them.
    pub(crate) fn routes(&mut self, routes: &Snapshot, sources: &BTreeMap<ServicePort, EndpointSource>) -> SnapshotId {
        self.sources.clone_from(sources);
        self.ports = ports_of_services(sources);
        let mut next = routes.clone();
        next.endpoints = sources.iter().map(|(port, source)| (port.clone(), Arc::new(self.set(source)))).collect();
        match &self.current {
            Some(current) => {
                let next = next.share(current);
                if !next.same_content(current) {
                    self.publish(next);
                }
            }
            None => self.publish(next),
        }
        self.id
    }

    /// Publishes the endpoints of these Services, if they differ from what was published.
    pub(crate) fn endpoints(&mut self, services: &BTreeSet<NamespacedName>) {
        let Some(current) = &self.current else { return };
        let changed: Vec<(ServicePort, Arc<EndpointSet>)> = services
            .iter()
            .filter_map(|service| self.ports.get(service))
            .flatten()
            .filter_map(|port| Some((port, self.set(self.sources.get(port)?))))
            .filter(|(port, set)| current.endpoints.get(*port).is_none_or(|old| **old != *set))
            .map(|(port, set)| (port.clone(), Arc::new(set)))
            .collect();
        if changed.is_empty() {
            return;
        }
        let mut next = Snapshot::clone(current);
        next.endpoints.extend(changed);
        self.publish(next);
    }

    fn set(&self, source: &EndpointSource) -> EndpointSet {
        endpoint_set(source, &self.slices.of(&source.service))
    }

    fn publish(&mut self, mut next: Snapshot) {
        self.id.sequence += 1;
        next.id = self.id;
        let next = Arc::new(next);
        self.current = Some(Arc::clone(&next));
        self.snapshots.send_replace(Some(next));
        tracing::debug!(id = %self.id, "published");
    }
}

fn ports_of_services(sources: &BTreeMap<ServicePort, EndpointSource>) -> BTreeMap<NamespacedName, Vec<ServicePort>> {
    let mut ports: BTreeMap<NamespacedName, Vec<ServicePort>> = BTreeMap::new();
    for (port, source) in sources {
        ports.entry(source.service.clone()).or_default().push(port.clone());
    }
    ports
}

#[cfg(test)]
mod tests;
