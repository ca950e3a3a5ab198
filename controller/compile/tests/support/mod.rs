//! Objects from YAML, for all tests.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::Arc;

use compile::{NamespacedName, Objects};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Puts an object where its kind belongs.
pub fn add(objects: &mut Objects, value: Value) {
    fn read<K: DeserializeOwned>(value: Value) -> Arc<K> {
        Arc::new(serde_json::from_value(value).expect("an object of its kind"))
    }
    let meta = |key: &str| value.pointer(&format!("/metadata/{key}")).and_then(Value::as_str).map(str::to_owned);
    let (namespace, name) = (meta("namespace").unwrap_or("default".into()), meta("name").unwrap_or_default());
    let (key, plain) = (NamespacedName::new(&namespace, &name), Arc::from(name));
    match value.get("kind").and_then(Value::as_str).unwrap_or_default() {
        "Ingress" => drop(objects.ingresses.insert(key, read(value))),
        "IngressClass" => drop(objects.ingress_classes.insert(plain, read(value))),
        "IngressClassParameters" => drop(objects.parameters.insert(plain, read(value))),
        "Service" => drop(objects.services.insert(key, read(value))),
        "EndpointSlice" => drop(objects.endpoint_slices.insert(key, read(value))),
        "Secret" => drop(objects.secrets.insert(key, read(value))),
        "ConfigMap" => drop(objects.config_maps.insert(key, read(value))),
        "Namespace" => drop(objects.namespaces.insert(plain, read(value))),
        other => panic!("unexpected kind {other:?}"),
    }
}
