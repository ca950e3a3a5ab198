//! EndpointSlices by the Service that they belong to.

use std::{collections::BTreeMap, sync::Arc};

use compile::NamespacedName;
use k8s_openapi::api::discovery::v1::EndpointSlice;

/// The label that names a slice's Service.
/// <https://kubernetes.io/docs/concepts/services-networking/endpoint-slices/#ownership>
pub(crate) const SERVICE_LABEL: &str = "kubernetes.io/service-name";

/// All slices.
#[derive(Default)]
pub(crate) struct Slices {
    by_service: BTreeMap<NamespacedName, BTreeMap<NamespacedName, Arc<EndpointSlice>>>,
    /// The Service of each slice, to find it again when only the slice's name is told.
    service_of: BTreeMap<NamespacedName, NamespacedName>,
}

impl Slices {
    /// Takes a slice in. Returns the Services concerned: two where it moved, none where it belongs to none or says
    /// what it said before.
    pub(crate) fn put(&mut self, slice: Arc<EndpointSlice>) -> Vec<NamespacedName> {
        let name = NamespacedName::of(&slice.metadata);
        let Some(service) = service(&slice) else { return self.remove(&name).into_iter().collect() };
        let mut concerned = Vec::new();
        if self.service_of.get(&name).is_some_and(|before| *before != service) {
            concerned.extend(self.remove(&name));
        }
        let slices = self.by_service.entry(service.clone()).or_default();
        if slices.get(&name).is_none_or(|before| !same(before, &slice)) {
            slices.insert(name.clone(), slice);
            self.service_of.insert(name, service.clone());
            concerned.push(service);
        }
        concerned
    }

    /// Takes a slice out. Returns its Service.
    pub(crate) fn remove(&mut self, name: &NamespacedName) -> Option<NamespacedName> {
        let service = self.service_of.remove(name)?;
        if let Some(slices) = self.by_service.get_mut(&service) {
            slices.remove(name);
            if slices.is_empty() {
                self.by_service.remove(&service);
            }
        }
        Some(service)
    }

    /// The slices of a Service, in the order of their names.
    pub(crate) fn of(&self, service: &NamespacedName) -> Vec<Arc<EndpointSlice>> {
        self.by_service.get(service).into_iter().flat_map(BTreeMap::values).cloned().collect()
    }
}

/// The Service that a slice belongs to.
pub(crate) fn service(slice: &EndpointSlice) -> Option<NamespacedName> {
    let name = slice.metadata.labels.as_ref()?.get(SERVICE_LABEL)?;
    let namespace = slice.metadata.namespace.as_deref().unwrap_or("default");
    (!name.is_empty()).then(|| NamespacedName::new(namespace, name))
}

fn same(a: &EndpointSlice, b: &EndpointSlice) -> bool {
    a.address_type == b.address_type && a.ports == b.ports && a.endpoints == b.endpoints
}

#[cfg(test)]
mod tests {
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

    use super::*;

    fn slice(name: &str, service: &str) -> Arc<EndpointSlice> {
        Arc::new(EndpointSlice {
            metadata: ObjectMeta {
                name: Some(name.into()),
                labels: Some([(SERVICE_LABEL.to_owned(), service.to_owned())].into()),
                ..ObjectMeta::default()
            },
            ..EndpointSlice::default()
        })
    }

    fn name(name: &str) -> NamespacedName {
        NamespacedName::new("default", name)
    }

    #[test]
    fn a_slice_that_moves_concerns_both_services() {
        let mut slices = Slices::default();
        assert_eq!(slices.put(slice("s", "a")), [name("a")]);
        assert_eq!(slices.put(slice("s", "a")), []);
        assert_eq!(slices.put(slice("s", "b")), [name("a"), name("b")]);
        assert!(slices.of(&name("a")).is_empty());
        assert_eq!(slices.of(&name("b")).len(), 1);
    }

    #[test]
    fn a_removed_slice_is_gone() {
        let mut slices = Slices::default();
        slices.put(slice("s", "a"));
        assert_eq!(slices.remove(&name("s")), Some(name("a")));
        assert_eq!(slices.remove(&name("s")), None);
        assert!(slices.of(&name("a")).is_empty());
    }
}
