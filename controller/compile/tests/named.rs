//! Which Secrets are asked for.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use compile::{Memo, NamespacedName, Objects, Options, drafted};
use serde_json::json;

/// With this value of `proxy-ssl-secret` on an Ingress of namespace `shop`.
fn named(secret: &str, allowed: bool) -> Vec<String> {
    let mut objects = Objects::default();
    let annotations = json!({"nginx.ingress.kubernetes.io/proxy-ssl-secret": secret});
    let metadata = json!({"name": "web", "namespace": "shop", "annotations": annotations});
    support::add(&mut objects, json!({"kind": "Ingress", "metadata": metadata}));
    let data = json!({"allow-cross-namespace-resources": allowed.to_string()});
    let metadata = json!({"name": "settings", "namespace": "system"});
    support::add(&mut objects, json!({"kind": "ConfigMap", "metadata": metadata, "data": data}));
    let options = Options {
        watch_ingress_without_class: true,
        config_map: Some(NamespacedName::new("system", "settings")),
        ..Options::default()
    };
    let secrets = drafted(&objects, &options, &mut Memo::default()).secrets();
    secrets.iter().map(ToString::to_string).collect()
}

#[test]
fn one_of_another_namespace_only_where_that_is_allowed() {
    assert_eq!(named("shop/ca", false), ["shop/ca"]);
    assert_eq!(named("other/ca", false), [""; 0]);
    assert_eq!(named("other/ca", true), ["other/ca"]);
}

#[test]
fn none_of_a_name_that_no_object_can_have() {
    for secret in ["shop/x,y=z", "shop/..", "shop/a/b", "Shop/ca"] {
        assert_eq!(named(secret, true), [""; 0], "{secret}");
    }
}
