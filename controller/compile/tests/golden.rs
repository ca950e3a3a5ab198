//! Golden pairs: `tests/golden/FEATURE/CASE.in.yaml` holds objects (and, in a document of its own, `options`,
//! `addresses` and `show`), `CASE.out.yaml` what comes of them. `UPDATE_GOLDEN=1` writes the latter anew.
//!
//! What every case would repeat is left out: whatever equals the value that an empty set of objects gives. `show: all`
//! keeps it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::{
    fs,
    net::IpAddr,
    path::{Path, PathBuf},
    sync::Arc,
};

use compile::{Compiled, EndpointSource, Memo, NamespacedName, Objects, Options, compile, endpoint_set, status};
use k8s_openapi::api::{discovery::v1::EndpointSlice, networking::v1::IngressLoadBalancerIngress};
use serde::Deserialize;
use serde_json::{Map, Value, json};

#[test]
fn golden() {
    let mut cases = cases(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden"));
    cases.sort();
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    let (count, mut wrong) = (cases.len(), Vec::new());
    for input in cases {
        let output = PathBuf::from(input.to_str().unwrap().replace(".in.yaml", ".out.yaml"));
        let actual = run(&fs::read_to_string(&input).unwrap());
        if update {
            fs::write(&output, actual).unwrap();
        } else if fs::read_to_string(&output).unwrap_or_default() != actual {
            wrong.push(format!("{}:\n{actual}", output.display()));
        }
    }
    assert!(count > 20, "the cases are gone");
    assert!(wrong.is_empty(), "UPDATE_GOLDEN=1 would change\n{}", wrong.join("\n"));
}

/// Each output has its input: a case that was renamed leaves nothing behind.
#[test]
fn no_output_without_input() {
    for folder in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")).unwrap() {
        for file in fs::read_dir(folder.unwrap().path()).unwrap() {
            let path = file.unwrap().path().to_str().unwrap().to_owned();
            let input = path.replace(".out.yaml", ".in.yaml");
            assert!(path.ends_with(".yaml") && Path::new(&input).exists(), "{path}");
        }
    }
}

fn cases(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| if path.is_dir() { cases(&path) } else { vec![path] })
        .filter(|path| path.to_str().unwrap().ends_with(".in.yaml"))
        .collect()
}

/// The document that is no object.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Setup {
    options: Flags,
    /// The addresses for the status of Ingresses; none: no statuses are shown.
    addresses: Option<Vec<String>>,
    show: String,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
struct Flags {
    bind_address: Vec<IpAddr>,
    controller_class: Option<String>,
    ingress_class: Option<String>,
    ingress_class_by_name: bool,
    watch_ingress_without_class: bool,
    watch_namespace: Option<String>,
    watch_namespace_selector: String,
    configmap: Option<String>,
    tcp_services_configmap: Option<String>,
    udp_services_configmap: Option<String>,
    enable_ssl_passthrough: bool,
    default_backend_service: Option<String>,
    default_ssl_certificate: Option<String>,
    disable_catch_all: bool,
    disable_svc_external_name: bool,
}

impl From<Flags> for Options {
    fn from(flags: Flags) -> Self {
        let name = |text: Option<String>| {
            text.map(|text| {
                let (namespace, name) = text.split_once('/').expect("NAMESPACE/NAME");
                NamespacedName::new(namespace, name)
            })
        };
        let mut options = Self {
            ingress_class_by_name: flags.ingress_class_by_name,
            watch_ingress_without_class: flags.watch_ingress_without_class,
            watch_namespace: flags.watch_namespace,
            watch_namespace_selector: flags.watch_namespace_selector,
            config_map: name(flags.configmap),
            tcp_services: name(flags.tcp_services_configmap),
            udp_services: name(flags.udp_services_configmap),
            enable_ssl_passthrough: flags.enable_ssl_passthrough,
            default_backend_service: name(flags.default_backend_service),
            default_ssl_certificate: name(flags.default_ssl_certificate),
            disable_catch_all: flags.disable_catch_all,
            disable_svc_external_name: flags.disable_svc_external_name,
            ..Self::default()
        };
        if !flags.bind_address.is_empty() {
            options.bind_addresses = flags.bind_address;
        }
        options.controller_class = flags.controller_class.unwrap_or(options.controller_class);
        options.ingress_class = flags.ingress_class.unwrap_or(options.ingress_class);
        compile::check_options(&options).expect("valid options");
        options
    }
}

fn run(input: &str) -> String {
    let documents: Vec<Value> = serde_saphyr::from_multiple(input).expect("YAML");
    let mut objects = Objects::default();
    let mut setup = Setup::default();
    for document in documents {
        if document.get("kind").is_some() {
            support::add(&mut objects, document);
        } else {
            setup = serde_json::from_value(document).expect("a setup");
        }
    }
    let options = setup.options.into();
    let compiled = compile(&objects, &options, &mut Memo::default());
    let mut view = view(&objects, &compiled);
    if let Some(addresses) = setup.addresses {
        view.insert("statuses".into(), statuses(&objects, &compiled, &addresses));
    }
    let mut view = Value::Object(view);
    tidy(&mut view, setup.show != "all");
    serde_saphyr::to_string(&view).unwrap()
}

fn view(objects: &Objects, compiled: &Compiled) -> Map<String, Value> {
    let endpoints = compiled.endpoint_sources.iter().map(|(id, source)| {
        let set = endpoint_set(source, &slices(objects, source));
        (id.to_string(), set.endpoints.iter().map(|endpoint| endpoint.address.to_string()).collect())
    });
    let view = json!({
        "attached": compiled.attached.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "problems": compiled.problems,
        "snapshot": compiled.snapshot,
        "endpoints": endpoints.collect::<Map<_, Value>>(),
    });
    match view {
        Value::Object(view) => view,
        _ => panic!("a map"),
    }
}

/// The slices that belong to a Service, as the controller picks them.
fn slices(objects: &Objects, source: &EndpointSource) -> Vec<Arc<EndpointSlice>> {
    let belongs = |slice: &EndpointSlice| {
        let labels = slice.metadata.labels.as_ref();
        labels.and_then(|labels| labels.get("kubernetes.io/service-name")).map(|name| &**name)
            == Some(&*source.service.name)
    };
    let slices = objects.endpoint_slices.iter();
    slices
        .filter(|(name, slice)| name.namespace == source.service.namespace && belongs(slice))
        .map(|(_, slice)| Arc::clone(slice))
        .collect()
}

fn statuses(objects: &Objects, compiled: &Compiled, addresses: &[String]) -> Value {
    let address = |ip: &String| IngressLoadBalancerIngress { ip: Some(ip.clone()), ..Default::default() };
    let addresses: Vec<_> = addresses.iter().map(address).collect();
    let patches = status(objects, compiled, &addresses);
    patches.iter().map(|patch| json!({ "ingress": patch.ingress.to_string(), "addresses": patch.addresses })).collect()
}

/// Writes origins on one line, and leaves out what is the same everywhere.
fn tidy(value: &mut Value, prune: bool) {
    match value {
        Value::Object(map) => {
            if prune {
                let defaults = defaults();
                map.retain(|key, value| defaults.get(key) != Some(value));
            }
            map.values_mut().for_each(|value| tidy(value, prune));
            if let (3, Some(kind), Some(name)) = (map.len(), map.get("kind"), map.get("name"))
                && let Some(namespace) = map.get("namespace")
            {
                let [kind, namespace, name] = [kind, namespace, name].map(|part| part.as_str().unwrap());
                let slash = if namespace.is_empty() { "" } else { "/" };
                *value = format!("{kind} {namespace}{slash}{name}").into();
            }
        }
        Value::Array(values) => values.iter_mut().for_each(|value| tidy(value, prune)),
        _ => {}
    }
}

/// Fields that hardly any case is about, with the values that nobody needs to see.
fn defaults() -> Map<String, Value> {
    let objects = Objects::default();
    let Compiled { snapshot, .. } = compile(&objects, &Options::default(), &mut Memo::default());
    let snapshot = serde_json::to_value(snapshot).unwrap();
    let http = snapshot.pointer("/listeners/http/serves/http/http").unwrap();
    let mut defaults = Map::new();
    defaults.insert("http".into(), http.clone());
    for (key, value) in [("binds", "/listeners/http/binds"), ("certs", "/certs"), ("upstreams", "/upstreams")] {
        defaults.insert(key.into(), snapshot.pointer(value).unwrap().clone());
    }
    defaults.insert("sni".into(), json!({}));
    defaults.insert("default_cert".into(), Value::Null);
    defaults.insert("tls".into(), snapshot.pointer("/listeners/https/serves/tls/tls").unwrap().clone());
    for key in ["id", "drain_timeout", "connections", "endpoints"] {
        defaults.insert(key.into(), snapshot.get(key).unwrap().clone());
    }
    let settings = compile::settings::Settings::default();
    let seconds = |duration: std::time::Duration| json!(duration);
    defaults.insert("max_body".into(), json!(settings.proxy_body_size));
    defaults.insert("keep_alive".into(), json!(settings.upstream_keep_alive));
    defaults.insert("protocol".into(), json!("http1"));
    defaults.insert(
        "timeouts".into(),
        json!({
            "connect": seconds(settings.proxy_connect_timeout),
            "read": seconds(settings.proxy_read_timeout),
            "send": seconds(settings.proxy_send_timeout),
        }),
    );
    defaults.insert(
        "retry".into(),
        json!({
            "tries": settings.proxy_next_upstream_tries,
            "timeout": seconds(settings.proxy_next_upstream_timeout),
        }),
    );
    defaults
}
