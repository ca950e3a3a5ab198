//! The input: every object that a compile may look at.

use std::{collections::BTreeMap, fmt, sync::Arc};

use k8s_openapi::{
    api::{
        core::v1::{ConfigMap, Namespace, Secret, Service},
        discovery::v1::EndpointSlice,
        networking::v1::{Ingress, IngressClass},
    },
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};

use crate::IngressClassParameters;

/// The name of a namespaced object. Ordered by namespace, then name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NamespacedName {
    /// The namespace.
    pub namespace: Arc<str>,
    /// The name.
    pub name: Arc<str>,
}

impl NamespacedName {
    /// `namespace/name`.
    pub fn new(namespace: &str, name: &str) -> Self {
        Self { namespace: namespace.into(), name: name.into() }
    }

    /// The name of an object; one without a namespace counts as in `default`.
    pub fn of(meta: &ObjectMeta) -> Self {
        Self::new(meta.namespace.as_deref().unwrap_or("default"), meta.name.as_deref().unwrap_or_default())
    }
}

impl fmt::Display for NamespacedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// All objects by kind and name. Cheap to clone: the maps are copied, the objects are shared.
///
/// An object keeps its `Arc` for as long as it does not change, so that what was parsed from it can be kept too.
#[derive(Debug, Clone, Default)]
pub struct Objects {
    /// Ingresses.
    pub ingresses: BTreeMap<NamespacedName, Arc<Ingress>>,
    /// IngressClasses, by name (they have no namespace).
    pub ingress_classes: BTreeMap<Arc<str>, Arc<IngressClass>>,
    /// IngressClassParameters, by name (they have no namespace).
    pub parameters: BTreeMap<Arc<str>, Arc<IngressClassParameters>>,
    /// Services.
    pub services: BTreeMap<NamespacedName, Arc<Service>>,
    /// EndpointSlices. Compile does not look at them: they have a path of their own, see [`crate::endpoint_set`].
    pub endpoint_slices: BTreeMap<NamespacedName, Arc<EndpointSlice>>,
    /// Secrets, those that something names.
    pub secrets: BTreeMap<NamespacedName, Arc<Secret>>,
    /// ConfigMaps, those that a flag names.
    pub config_maps: BTreeMap<NamespacedName, Arc<ConfigMap>>,
    /// Namespaces, by name, where `--watch-namespace-selector` asks for them.
    pub namespaces: BTreeMap<Arc<str>, Arc<Namespace>>,
}
