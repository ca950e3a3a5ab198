//! Objects of the kinds that we read, whatever the source.

use std::{fmt, sync::Arc};

use compile::{IngressClassParameters, NamespacedName};
use k8s_openapi::{
    api::{
        core::v1::{ConfigMap, Namespace, Secret, Service},
        discovery::v1::EndpointSlice,
        networking::v1::{Ingress, IngressClass},
    },
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use snapshot::Origin;

/// Which object: its kind and name. The namespace of a cluster-scoped kind is empty.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) kind: Kind,
    pub(crate) name: NamespacedName,
}

impl Key {
    /// The key of an object with this metadata; one without a namespace counts as in `default`.
    pub(crate) fn new(kind: Kind, meta: &ObjectMeta) -> Self {
        let name = match kind.namespaced() {
            true => NamespacedName::of(meta),
            false => NamespacedName::new("", meta.name.as_deref().unwrap_or_default()),
        };
        Self { kind, name }
    }

    /// The same for problems.
    pub(crate) fn origin(&self) -> Arc<Origin> {
        Arc::new(Origin::new(self.kind.name(), &self.name.namespace, &self.name.name))
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.origin().fmt(f)
    }
}

/// One step from one state of the cluster or the folder to the next.
#[derive(Debug, Clone)]
pub(crate) enum Change {
    Put(Object),
    Remove(Key),
}

impl Change {
    /// Of which object.
    pub(crate) fn key(&self) -> Key {
        match self {
            Self::Put(object) => object.key(),
            Self::Remove(key) => key.clone(),
        }
    }
}

macro_rules! kinds {
    ($($kind:ident $api_version:literal $namespaced:literal,)*) => {
        /// A kind that we read.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub(crate) enum Kind { $($kind),* }

        impl Kind {
            pub(crate) const ALL: &[Self] = &[$(Self::$kind),*];

            /// As `kind` in manifests.
            pub(crate) fn name(self) -> &'static str {
                match self { $(Self::$kind => stringify!($kind)),* }
            }

            /// The `apiVersion` that we read.
            pub(crate) fn api_version(self) -> &'static str {
                match self { $(Self::$kind => $api_version),* }
            }

            fn namespaced(self) -> bool {
                match self { $(Self::$kind => $namespaced),* }
            }
        }

        /// An object, shared.
        #[derive(Debug, Clone)]
        pub(crate) enum Object { $($kind(Arc<$kind>)),* }

        impl Object {
            pub(crate) fn kind(&self) -> Kind {
                match self { $(Self::$kind(_) => Kind::$kind),* }
            }

            pub(crate) fn meta(&self) -> &ObjectMeta {
                match self { $(Self::$kind(object) => &object.metadata),* }
            }

            /// Whether both are one piece of memory.
            pub(crate) fn same(&self, other: &Self) -> bool {
                match (self, other) {
                    $((Self::$kind(a), Self::$kind(b)) => Arc::ptr_eq(a, b),)*
                    _ => false,
                }
            }
        }

        $(impl From<$kind> for Object {
            fn from(object: $kind) -> Self {
                Self::$kind(Arc::new(object))
            }
        })*
    };
}

kinds! {
    Ingress "networking.k8s.io/v1" true,
    IngressClass "networking.k8s.io/v1" false,
    IngressClassParameters "tidegate.dev/v1alpha1" false,
    Service "v1" true,
    EndpointSlice "discovery.k8s.io/v1" true,
    Secret "v1" true,
    ConfigMap "v1" true,
    Namespace "v1" false,
}

impl Object {
    pub(crate) fn key(&self) -> Key {
        Key::new(self.kind(), self.meta())
    }
}
