//! The current state of all objects, and what a change to one of them asks for.

use std::{collections::BTreeMap, sync::Arc};

use compile::{IngressClassParameters, NamespacedName, Objects};
use k8s_openapi::{
    api::{
        core::v1::{ConfigMap, Namespace, Secret, Service},
        networking::v1::{Ingress, IngressClass},
    },
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};

use crate::object::{Change, Key, Kind, Object};

/// All objects but EndpointSlices, which live with the publisher.
///
/// Shared with whoever works on them; a change while somebody does copies the maps, never the objects.
#[derive(Default)]
pub(crate) struct Store {
    objects: Arc<Objects>,
}

/// What a change asks for, the least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Effect {
    /// Nothing: we would do the same as before.
    None,
    /// To look at statuses again.
    Status,
    /// To compile again.
    Compile,
}

impl Store {
    pub(crate) fn objects(&self) -> &Arc<Objects> {
        &self.objects
    }

    /// Takes a change in. An object that says the same as before keeps its `Arc`, and with it what was parsed from it.
    pub(crate) fn apply(&mut self, change: Change) -> Effect {
        match change {
            Change::Put(object) => self.put(object),
            Change::Remove(key) => self.remove(&key),
        }
    }

    fn put(&mut self, object: Object) -> Effect {
        let Key { name, .. } = object.key();
        let Objects {
            ingresses,
            ingress_classes,
            parameters,
            services,
            endpoint_slices: _,
            secrets,
            config_maps,
            namespaces,
        } = Arc::make_mut(&mut self.objects);
        match object {
            Object::Ingress(new) => put_ingress(ingresses, name, new),
            Object::IngressClass(new) => put(ingress_classes, name.name, new, same_class),
            Object::IngressClassParameters(new) => put_parameters(parameters, name.name, new),
            Object::Service(new) => put(services, name, new, same_service),
            Object::Secret(new) => put(secrets, name, new, same_secret),
            Object::ConfigMap(new) => put(config_maps, name, new, same_config_map),
            Object::Namespace(new) => put(namespaces, name.name, new, same_namespace),
            Object::EndpointSlice(_) => Effect::None,
        }
    }

    fn remove(&mut self, key: &Key) -> Effect {
        let Key { kind, name } = key;
        let objects = Arc::make_mut(&mut self.objects);
        let was_there = match kind {
            Kind::Ingress => objects.ingresses.remove(name).is_some(),
            Kind::IngressClass => objects.ingress_classes.remove(&name.name).is_some(),
            Kind::IngressClassParameters => objects.parameters.remove(&name.name).is_some(),
            Kind::Service => objects.services.remove(name).is_some(),
            Kind::Secret => objects.secrets.remove(name).is_some(),
            Kind::ConfigMap => objects.config_maps.remove(name).is_some(),
            Kind::Namespace => objects.namespaces.remove(&name.name).is_some(),
            Kind::EndpointSlice => false,
        };
        if was_there { Effect::Compile } else { Effect::None }
    }
}

fn put<N: Ord, K>(map: &mut BTreeMap<N, Arc<K>>, name: N, new: Arc<K>, same: fn(&K, &K) -> bool) -> Effect {
    if map.get(&name).is_some_and(|old| same(old, &new)) {
        return Effect::None;
    }
    map.insert(name, new);
    Effect::Compile
}

/// A change of the status alone is taken in, because our own status is compared with it, but routes stay as they are.
fn put_ingress(map: &mut BTreeMap<NamespacedName, Arc<Ingress>>, name: NamespacedName, new: Arc<Ingress>) -> Effect {
    let effect = match map.get(&name) {
        Some(old) if !same_meta(&old.metadata, &new.metadata) || old.spec != new.spec => Effect::Compile,
        Some(old) if same_version(&old.metadata, &new.metadata) && old.status == new.status => return Effect::None,
        Some(_) => Effect::Status,
        None => Effect::Compile,
    };
    map.insert(name, new);
    effect
}

/// As an Ingress: of the status nothing is made but itself.
fn put_parameters(
    map: &mut BTreeMap<Arc<str>, Arc<IngressClassParameters>>,
    name: Arc<str>,
    new: Arc<IngressClassParameters>,
) -> Effect {
    let effect = match map.get(&name) {
        Some(old) if !same_meta(&old.metadata, &new.metadata) || old.spec != new.spec => Effect::Compile,
        Some(old) if same_version(&old.metadata, &new.metadata) && old.status == new.status => return Effect::None,
        Some(_) => Effect::Status,
        None => Effect::Compile,
    };
    map.insert(name, new);
    effect
}

// `resourceVersion` and `managedFields` are left out: they change with every write, whatever was written.
/// Else a status may have come and gone between the two, as a list tells only the last one: ours is to be written again.
fn same_version(a: &ObjectMeta, b: &ObjectMeta) -> bool {
    a.resource_version == b.resource_version
}

fn same_meta(a: &ObjectMeta, b: &ObjectMeta) -> bool {
    a.uid == b.uid
        && a.creation_timestamp == b.creation_timestamp
        && a.labels == b.labels
        && a.annotations == b.annotations
}

fn same_class(a: &IngressClass, b: &IngressClass) -> bool {
    same_meta(&a.metadata, &b.metadata) && a.spec == b.spec
}

fn same_service(a: &Service, b: &Service) -> bool {
    same_meta(&a.metadata, &b.metadata) && a.spec == b.spec
}

fn same_secret(a: &Secret, b: &Secret) -> bool {
    same_meta(&a.metadata, &b.metadata) && a.data == b.data && a.type_ == b.type_
}

fn same_config_map(a: &ConfigMap, b: &ConfigMap) -> bool {
    same_meta(&a.metadata, &b.metadata) && a.data == b.data && a.binary_data == b.binary_data
}

fn same_namespace(a: &Namespace, b: &Namespace) -> bool {
    same_meta(&a.metadata, &b.metadata)
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::networking::v1::{IngressLoadBalancerIngress, IngressLoadBalancerStatus, IngressStatus};

    use super::*;

    fn ingress(version: &str) -> Ingress {
        Ingress {
            metadata: ObjectMeta {
                name: Some("a".into()),
                resource_version: Some(version.into()),
                ..ObjectMeta::default()
            },
            ..Ingress::default()
        }
    }

    #[test]
    fn the_same_object_changes_nothing_and_keeps_its_arc() {
        let mut store = Store::default();
        assert_eq!(store.apply(Change::Put(ingress("1").into())), Effect::Compile);
        let first = Arc::clone(store.objects().ingresses.first_key_value().unwrap().1);
        assert_eq!(store.apply(Change::Put(ingress("1").into())), Effect::None);
        assert!(Arc::ptr_eq(&first, store.objects().ingresses.first_key_value().unwrap().1));
    }

    #[test]
    fn a_status_does_not_compile() {
        let mut store = Store::default();
        store.apply(Change::Put(ingress("1").into()));
        let address = IngressLoadBalancerIngress { ip: Some("192.0.2.1".into()), ..Default::default() };
        let status = IngressStatus { load_balancer: Some(IngressLoadBalancerStatus { ingress: Some(vec![address]) }) };
        let changed = Ingress { status: Some(status), ..ingress("2") };
        assert_eq!(store.apply(Change::Put(changed.into())), Effect::Status);
        assert!(store.objects().ingresses.first_key_value().unwrap().1.status.is_some());
    }

    #[test]
    fn another_version_is_looked_at_also_where_it_says_the_same() {
        let mut store = Store::default();
        store.apply(Change::Put(ingress("1").into()));
        assert_eq!(store.apply(Change::Put(ingress("2").into())), Effect::Status);
        let version = store.objects().ingresses.first_key_value().unwrap().1.metadata.resource_version.clone();
        assert_eq!(version.as_deref(), Some("2"));
    }

    #[test]
    fn a_removal_compiles_once() {
        let mut store = Store::default();
        store.apply(Change::Put(ingress("1").into()));
        let key = Object::from(ingress("1")).key();
        assert_eq!(store.apply(Change::Remove(key.clone())), Effect::Compile);
        assert_eq!(store.apply(Change::Remove(key)), Effect::None);
    }
}
