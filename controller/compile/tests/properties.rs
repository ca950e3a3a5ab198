//! What holds for every set of objects.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::{
    collections::{BTreeMap, HashSet},
    ops::Range,
    sync::Arc,
};

use compile::{
    Compiled, IngressClassParameters, IngressClassParametersSpec, Memo, NamespacedName, Objects, Options, compile,
    drafted, endpoint_set, status,
};
use k8s_openapi::{
    api::{
        core::v1::{ConfigMap, Secret, Service, ServicePort, ServiceSpec},
        discovery::v1::{Endpoint, EndpointConditions, EndpointPort, EndpointSlice},
        networking::v1::{
            HTTPIngressPath, HTTPIngressRuleValue, Ingress, IngressBackend, IngressClass,
            IngressClassParametersReference, IngressClassSpec, IngressRule, IngressServiceBackend, IngressSpec,
            IngressTLS, ServiceBackendPort,
        },
    },
    apimachinery::pkg::{
        apis::meta::v1::{ObjectMeta, Time},
        util::intstr::IntOrString,
    },
    jiff::Timestamp,
};
use proptest::{collection::vec, option, prelude::*, sample::select};
use serde_json::json;
use snapshot::{Action, Filter, HostPattern, HostTls, PathMatch, RouteTable, Serves, Snapshot, Target};

proptest! {
    /// However the objects arrived, and whatever was compiled meanwhile with the same memo: the result is that of a
    /// fresh compile of them all.
    #[test]
    fn neither_order_nor_memo_matters(
        (objects, order) in vec(object(), 0..24).prop_flat_map(|all| (Just(all.clone()), Just(all).prop_shuffle())),
        options in options(),
    ) {
        let fresh = compile(&gather(&objects), &options, &mut Memo::default());
        let (mut memo, mut arriving) = (Memo::default(), Objects::default());
        for object in last_of_each_name(&objects, &order) {
            object.clone().add(&mut arriving);
            compile(&arriving, &options, &mut memo);
        }
        let warm = compile(&arriving, &options, &mut memo);
        prop_assert!(warm.snapshot == fresh.snapshot);
        prop_assert_eq!(&warm.problems, &fresh.problems);
        prop_assert_eq!(&warm.attached, &fresh.attached);
        prop_assert_eq!(&warm.endpoint_sources, &fresh.endpoint_sources);
    }

    /// A memo made with other options gives nothing away to these.
    #[test]
    fn a_memo_of_other_options_does_not_matter(objects in objects(0..16), before in options(), options in options()) {
        let mut memo = Memo::default();
        compile(&objects, &before, &mut memo);
        let warm = compile(&objects, &options, &mut memo);
        let fresh = compile(&objects, &options, &mut Memo::default());
        prop_assert!(warm.snapshot == fresh.snapshot);
        prop_assert_eq!(&warm.problems, &fresh.problems);
    }

    /// Secrets that nothing names need not be held.
    #[test]
    fn only_secrets_that_are_named_matter(objects in objects(0..24), options in options()) {
        let all = compile(&objects, &options, &mut Memo::default());
        let mut memo = Memo::default();
        let named = drafted(&objects, &options, &mut memo).secrets();
        let mut held = objects.clone();
        held.secrets.retain(|name, _| named.contains(name));
        let some = drafted(&held, &options, &mut memo).compile(&mut memo);
        prop_assert!(some.snapshot == all.snapshot);
        prop_assert_eq!(&some.problems, &all.problems);
    }

    #[test]
    fn compiling_twice_shares_every_arc(objects in objects(0..24), options in options()) {
        let old = compile(&objects, &options, &mut Memo::default()).snapshot;
        let new = compile(&objects, &options, &mut Memo::default()).snapshot.share(&old);
        let Snapshot { listeners, tables, upstreams, certs, keys, .. } = &new;
        prop_assert!(listeners.is(&old.listeners));
        prop_assert!(tables.is(&old.tables));
        prop_assert!(upstreams.is(&old.upstreams));
        prop_assert!(certs.is(&old.certs));
        prop_assert!(keys.is(&old.keys));
    }

    #[test]
    fn a_snapshot_is_whole(objects in objects(0..24), options in options()) {
        let compiled = compile(&objects, &options, &mut Memo::default());
        let snapshot = &compiled.snapshot;
        for table in snapshot.tables.values() {
            check_order(table);
            check_backends(table, &compiled);
        }
        for listener in snapshot.listeners.values() {
            let hosts = listener.serves.hosts().into_iter().flatten();
            prop_assert!(hosts.into_iter().all(|(_, table)| snapshot.tables.contains_key(table)));
            if let Serves::Tls { sni, default_cert, by_host, .. } = &listener.serves {
                prop_assert!(asks_as_it_checks(snapshot, by_host));
                for cert in sni.values().chain(default_cert) {
                    prop_assert!(snapshot.certs.contains_key(cert) && snapshot.keys.contains_key(cert));
                }
            }
        }
        prop_assert!(compiled.problems.is_sorted());
        for patch in status(&objects, &compiled, &[]) {
            prop_assert!(compiled.attached.contains(&patch.ingress));
        }
    }

    #[test]
    fn backends_are_checked_where_that_is_asked_for(objects in tls_backends()) {
        let options = Options { watch_ingress_without_class: true, ..Options::default() };
        let compiled = compile(&objects, &options, &mut Memo::default());
        for table in compiled.snapshot.tables.values() {
            check_identities(table, &objects, &compiled.snapshot);
        }
    }

    /// Any text anywhere, with all of it ours.
    #[test]
    fn no_text_panics(texts in vec(any::<String>(), 12), number in any::<i32>(), bytes in any::<Vec<u8>>()) {
        let objects = junk(&texts, number, bytes);
        let options = Options {
            watch_ingress_without_class: true,
            config_map: Some(NamespacedName::new("default", "junk")),
            default_ssl_certificate: Some(NamespacedName::new("default", "junk")),
            default_backend_service: Some(NamespacedName::new("default", "junk")),
            ..Options::default()
        };
        let compiled = compile(&objects, &options, &mut Memo::default());
        for source in compiled.endpoint_sources.values() {
            let slices: Vec<_> = objects.endpoint_slices.values().cloned().collect();
            endpoint_set(source, &slices);
        }
    }

    #[test]
    fn no_selector_panics(selector in any::<String>(), likely in "[a=!, ()in/]{0,12}") {
        for watch_namespace_selector in [selector, likely] {
            let options = Options { watch_namespace_selector, ..Options::default() };
            let _ = compile::check_options(&options);
        }
    }

    /// Sorted, each address once, and the ready ones alone if there is one.
    #[test]
    fn endpoints_are_a_set(slices in vec(slice(), 0..4)) {
        let service = NamespacedName::new("default", "web");
        let source = compile::EndpointSource { service, port_name: "http".into(), family: None, transport: compile::Transport::Tcp };
        let mut reversed = slices.clone();
        reversed.reverse();
        let set = endpoint_set(&source, &slices);
        prop_assert!(set.endpoints.is_sorted_by(|a, b| a < b));
        prop_assert_eq!(set, endpoint_set(&source, &reversed));
    }
}

/// Exact ones first, then the longest, and no path twice.
fn check_order(table: &RouteTable) {
    let rank = |path: &PathMatch| match path {
        PathMatch::Exact(path) => (0, std::cmp::Reverse(path.len())),
        PathMatch::Prefix(path) => (1, std::cmp::Reverse(path.len())),
    };
    assert!(table.routes.is_sorted_by_key(|route| rank(&route.path)));
    let paths: HashSet<_> = table.routes.iter().map(|route| &route.path).collect();
    assert_eq!(paths.len(), table.routes.len());
}

fn check_backends(table: &RouteTable, compiled: &Compiled) {
    for route in &table.routes {
        let Action::Forward(forward) = &route.then else { continue };
        let upstream = compiled.snapshot.upstreams.get(&forward.upstream).expect("an upstream");
        if let Target::Endpoints(id) = &upstream.target {
            assert!(compiled.endpoint_sources.contains_key(id));
        }
    }
}

/// Who wants backends checked has them checked, or gets nothing through; and what backends are shown is there.
fn check_identities(table: &RouteTable, objects: &Objects, snapshot: &Snapshot) {
    for route in &table.routes {
        let Action::Forward(forward) = &route.then else { continue };
        let Some(tls) = &snapshot.upstreams.get(&forward.upstream).unwrap().tls else { continue };
        let owner = NamespacedName::new(&route.origin.namespace, &route.origin.name);
        let owner = if &*route.origin.kind == "Ingress" { objects.ingresses.get(&owner) } else { None };
        let says = |key: &str| {
            let key = format!("nginx.ingress.kubernetes.io/{key}");
            owner.and_then(|owner| owner.metadata.annotations.as_ref()?.get(&key)).map(String::as_str)
        };
        let denied = route.filters.iter().any(|filter| matches!(filter, Filter::Deny(_)));
        if !denied {
            assert_eq!(tls.verify.is_some(), says("proxy-ssl-verify") == Some("on"), "{}", route.origin);
            assert!(says("proxy-ssl-secret").is_some() || (tls.verify.is_none() && tls.identity.is_none()));
        }
        if let Some(identity) = &tls.identity {
            assert!(snapshot.certs.contains_key(identity) && snapshot.keys.contains_key(identity));
            assert!(identity.as_str().starts_with(&format!("{}/", route.origin.namespace)));
        }
    }
}

/// Whether the handshake of each host asks for exactly what its requests are checked for.
fn asks_as_it_checks(snapshot: &Snapshot, by_host: &BTreeMap<HostPattern, Arc<HostTls>>) -> bool {
    let asked = by_host.iter().filter_map(|(host, own)| Some((host.to_string(), own.client_auth.clone()?)));
    let checked = snapshot.tables.iter();
    let checked = checked.filter_map(|(id, table)| Some((id.to_string(), table.client_cert.as_ref()?.auth.clone()?)));
    asked.collect::<BTreeMap<_, _>>() == checked.collect::<BTreeMap<_, _>>()
}

#[derive(Debug, Clone)]
enum Object {
    Ingress(NamespacedName, Arc<Ingress>),
    Service(NamespacedName, Arc<Service>),
    Secret(NamespacedName, Arc<Secret>),
    Class(Arc<str>, Arc<IngressClass>),
    Parameters(Arc<str>, Arc<IngressClassParameters>),
}

impl Object {
    fn add(self, objects: &mut Objects) {
        match self {
            Self::Ingress(name, object) => drop(objects.ingresses.insert(name, object)),
            Self::Service(name, object) => drop(objects.services.insert(name, object)),
            Self::Secret(name, object) => drop(objects.secrets.insert(name, object)),
            Self::Class(name, object) => drop(objects.ingress_classes.insert(name, object)),
            Self::Parameters(name, object) => drop(objects.parameters.insert(name, object)),
        }
    }

    fn key(&self) -> (u8, String) {
        match self {
            Self::Ingress(name, _) => (0, name.to_string()),
            Self::Service(name, _) => (1, name.to_string()),
            Self::Secret(name, _) => (2, name.to_string()),
            Self::Class(name, _) => (3, name.to_string()),
            Self::Parameters(name, _) => (4, name.to_string()),
        }
    }
}

fn gather(all: &[Object]) -> Objects {
    let mut objects = Objects::default();
    all.iter().cloned().for_each(|object| object.add(&mut objects));
    objects
}

/// In another order, ending with the same objects: older ones of the same name first.
fn last_of_each_name(all: &[Object], order: &[Object]) -> Vec<Object> {
    let last: BTreeMap<_, _> = all.iter().map(|object| (object.key(), object.clone())).collect();
    order.iter().cloned().chain(last.into_values()).collect()
}

fn objects(size: Range<usize>) -> impl Strategy<Value = Objects> {
    vec(object(), size).prop_map(|all| gather(&all))
}

fn options() -> impl Strategy<Value = Options> {
    let name = || option::of(name());
    (any::<[bool; 4]>(), name(), name(), select(vec!["", "default"])).prop_map(|(flags, backend, cert, namespace)| {
        let [catch_all, external, by_name, without] = flags;
        Options {
            disable_catch_all: catch_all,
            disable_svc_external_name: external,
            ingress_class_by_name: by_name,
            watch_ingress_without_class: without,
            default_backend_service: backend,
            default_ssl_certificate: cert,
            watch_namespace: Some(namespace.to_owned()),
            ..Options::default()
        }
    })
}

fn object() -> impl Strategy<Value = Object> {
    prop_oneof![
        4 => (name(), ingress()).prop_map(|(name, object)| Object::Ingress(name, Arc::new(object))),
        2 => (name(), service()).prop_map(|(name, object)| Object::Service(name, Arc::new(object))),
        1 => (name(), secret()).prop_map(|(name, object)| Object::Secret(name, Arc::new(object))),
        1 => (text(&["tidegate", "other"]), class()).prop_map(|(name, object)| Object::Class(name.into(), Arc::new(object))),
        1 => (text(&["a", "b"]), parameters()).prop_map(|(name, object)| Object::Parameters(name.into(), Arc::new(object))),
    ]
}

/// Few, so that they meet.
fn name() -> impl Strategy<Value = NamespacedName> {
    (select(vec!["default", "team", "team-a"]), select(vec!["a", "b", "web"]))
        .prop_map(|(namespace, name)| NamespacedName::new(namespace, name))
}

fn text(likely: &'static [&'static str]) -> impl Strategy<Value = String> {
    prop_oneof![20 => select(likely).prop_map(str::to_owned), 1 => any::<String>()]
}

fn host() -> impl Strategy<Value = String> {
    text(&["a.example", "A.example", "b.example", "*.example", "", "*", "10.0.0.1", "a..b"])
}

fn meta() -> impl Strategy<Value = ObjectMeta> {
    let annotation = (
        text(&[
            "kubernetes.io/ingress.class",
            "nginx.ingress.kubernetes.io/auth-url",
            "nginx.ingress.kubernetes.io/canary",
            "nginx.ingress.kubernetes.io/auth-tls-secret",
            "nginx.ingress.kubernetes.io/auth-tls-secret",
            "nginx.ingress.kubernetes.io/auth-tls-verify-client",
            "nginx.ingress.kubernetes.io/ssl-ciphers",
            "nginx.ingress.kubernetes.io/force-ssl-redirect",
            "nginx.ingress.kubernetes.io/rewrite-target",
            "nginx.ingress.kubernetes.io/use-regex",
        ]),
        text(&[
            "tidegate",
            "true",
            "other",
            "",
            "/",
            "/a",
            "default/a",
            "team/a",
            "team-a/web",
            "optional",
            "off",
            "CHACHA20",
        ]),
    );
    let annotations = prop_oneof![
        4 => option::weighted(0.3, vec(annotation, 1..4)).prop_map(|some| some.into_iter().flatten().collect()),
        1 => backend_tls(),
    ];
    (option::of(0_i64..3), annotations).prop_map(|(created, annotations)| ObjectMeta {
        creation_timestamp: created.map(|created| Time(Timestamp::from_second(created).unwrap())),
        annotations: Some(annotations),
        ..ObjectMeta::default()
    })
}

/// Ingresses with a path each, of a Service that is there; Secrets with whatever they hold.
fn tls_backends() -> impl Strategy<Value = Objects> {
    (vec(backend_tls(), 1..4), vec(secret(), 3)).prop_map(|(all, secrets)| {
        let ingress = |(at, annotations): (usize, BTreeMap<String, String>)| {
            let port = ServiceBackendPort { name: None, number: Some(80) };
            let service = Some(IngressServiceBackend { name: "web".into(), port: Some(port) });
            let backend = IngressBackend { service, resource: None };
            let path = HTTPIngressPath { backend, path: Some(format!("/{at}")), path_type: "Prefix".into() };
            let http = Some(HTTPIngressRuleValue { paths: vec![path] });
            let rules = Some(vec![IngressRule { host: Some("a.example".into()), http }]);
            let metadata = ObjectMeta { annotations: Some(annotations), ..ObjectMeta::default() };
            let spec = Some(IngressSpec { rules, ..IngressSpec::default() });
            (NamespacedName::new("default", &format!("i{at}")), Arc::new(Ingress { metadata, spec, status: None }))
        };
        let port = ServicePort { port: 80, ..ServicePort::default() };
        let spec = ServiceSpec { ports: Some(vec![port]), ..ServiceSpec::default() };
        let web = Service { spec: Some(spec), ..Service::default() };
        let named = [("default", "a"), ("default", "b"), ("team", "a")].map(|(at, name)| NamespacedName::new(at, name));
        Objects {
            ingresses: all.into_iter().enumerate().map(ingress).collect(),
            services: [(NamespacedName::new("default", "web"), Arc::new(web))].into(),
            secrets: named.into_iter().zip(secrets.into_iter().map(Arc::new)).collect(),
            ..Objects::default()
        }
    })
}

fn backend_tls() -> impl Strategy<Value = BTreeMap<String, String>> {
    let keys = (
        option::of(text(&["HTTPS", "GRPCS", "AUTO_HTTP", "HTTP", "FCGI"])),
        option::of(text(&["default/a", "team/a", "default/b", "default/web", "a"])),
        option::of(text(&["on", "off", "true"])),
    );
    keys.prop_map(|(protocol, secret, verify)| {
        let keys =
            [("backend-protocol", protocol), ("proxy-ssl-secret", secret), ("proxy-ssl-verify", verify)].into_iter();
        keys.filter_map(|(key, value)| Some((format!("nginx.ingress.kubernetes.io/{key}"), value?))).collect()
    })
}

fn ingress() -> impl Strategy<Value = Ingress> {
    let tls = (option::of(vec(host(), 0..3)), option::of(text(&["a", "b", "web"])))
        .prop_map(|(hosts, secret_name)| IngressTLS { hosts, secret_name });
    let spec = (
        option::of(backend()),
        option::weighted(0.8, text(&["tidegate", "tidegate", "other"])),
        option::weighted(0.9, vec(rule(), 0..4)),
        option::of(vec(tls, 0..3)),
    );
    let spec = spec.prop_map(|(default_backend, ingress_class_name, rules, tls)| IngressSpec {
        default_backend,
        ingress_class_name,
        rules,
        tls,
    });
    (meta(), option::weighted(0.95, spec)).prop_map(|(metadata, spec)| Ingress { metadata, spec, status: None })
}

fn rule() -> impl Strategy<Value = IngressRule> {
    let path = (
        backend(),
        option::of(text(&["/", "/a", "/a/", "/a/b", "/a//b", "", "a"])),
        text(&["Exact", "Prefix", "ImplementationSpecific", ""]),
    )
        .prop_map(|(backend, path, path_type)| HTTPIngressPath { backend, path, path_type });
    let http = vec(path, 0..4).prop_map(|paths| HTTPIngressRuleValue { paths });
    (option::of(host()), option::weighted(0.9, http)).prop_map(|(host, http)| IngressRule { host, http })
}

fn backend() -> impl Strategy<Value = IngressBackend> {
    let name = option::weighted(0.3, text(&["http", "metrics", ""]));
    let number = option::weighted(0.8, prop_oneof![10 => Just(80), 5 => Just(8080), 1 => any::<i32>()]);
    let port = (name, number).prop_map(|(name, number)| ServiceBackendPort { name, number });
    let service = (text(&["a", "b", "web"]), option::weighted(0.9, port))
        .prop_map(|(name, port)| IngressServiceBackend { name, port });
    option::weighted(0.95, service).prop_map(|service| IngressBackend { service, resource: None })
}

fn service() -> impl Strategy<Value = Service> {
    let port = (option::of(text(&["http", "admin"])), prop_oneof![Just(80), Just(81), any::<i32>()], any::<bool>());
    let port = port.prop_map(|(name, port, named)| ServicePort {
        name,
        port,
        target_port: Some(if named { IntOrString::String("metrics".into()) } else { IntOrString::Int(8080) }),
        ..ServicePort::default()
    });
    let spec =
        (option::of(vec(port, 0..3)), option::of(text(&["ExternalName", "ClusterIP"])), text(&["ext.example", ""]));
    let spec = spec.prop_map(|(ports, type_, name)| ServiceSpec {
        ports,
        type_,
        external_name: Some(name),
        ..ServiceSpec::default()
    });
    option::weighted(0.95, spec).prop_map(|spec| Service { spec, ..Service::default() })
}

fn secret() -> impl Strategy<Value = Secret> {
    let pair = rcgen::generate_simple_self_signed(["a.example".to_owned(), "*.example".to_owned()]).unwrap();
    let (cert, key) = (pair.cert.pem(), pair.signing_key.serialize_pem());
    any::<[bool; 3]>().prop_map(move |[with_cert, with_key, with_ca]| {
        let mut data = BTreeMap::new();
        if with_ca {
            data.insert("ca.crt".to_owned(), cert.clone());
        }
        if with_cert {
            data.insert("tls.crt".to_owned(), cert.clone());
        }
        if with_key {
            data.insert("tls.key".to_owned(), key.clone());
        }
        if with_ca {
            data.insert("ca.crt".to_owned(), cert.clone());
        }
        Secret { string_data: Some(data), ..Secret::default() }
    })
}

fn class() -> impl Strategy<Value = IngressClass> {
    let names = (text(&["tidegate.dev/ingress-controller", "other"]), option::of(text(&["a", "b"])), any::<bool>());
    names.prop_map(|(controller, parameters, default)| {
        let parameters = parameters.map(|name| IngressClassParametersReference {
            api_group: Some("tidegate.dev".to_owned()),
            kind: "IngressClassParameters".to_owned(),
            name,
            ..IngressClassParametersReference::default()
        });
        let default = ("ingressclass.kubernetes.io/is-default-class".to_owned(), default.to_string());
        IngressClass {
            metadata: ObjectMeta { annotations: Some([default].into()), ..ObjectMeta::default() },
            spec: Some(IngressClassSpec { controller: Some(controller), parameters }),
        }
    })
}

fn parameters() -> impl Strategy<Value = IngressClassParameters> {
    let field = (
        text(&[
            "proxyBodySize",
            "forceSslRedirect",
            "allowCrossNamespaceResources",
            "sslCiphers",
            "whitelistSourceRange",
        ]),
        select(vec![json!("1m"), json!(true), json!(false), json!(["ECDHE-RSA-AES128-GCM-SHA256"]), json!(null)]),
    );
    vec(field, 0..4).prop_map(|fields| {
        let spec = IngressClassParametersSpec { fields: fields.into_iter().collect() };
        IngressClassParameters { spec, ..IngressClassParameters::default() }
    })
}

fn slice() -> impl Strategy<Value = Arc<EndpointSlice>> {
    let conditions = (any::<Option<bool>>(), any::<Option<bool>>(), any::<Option<bool>>())
        .prop_map(|(ready, serving, terminating)| EndpointConditions { ready, serving, terminating });
    let address = text(&["10.0.0.1", "10.0.0.2", "fd00::1"]);
    let endpoint = (vec(address, 0..3), option::of(conditions)).prop_map(|(addresses, conditions)| Endpoint {
        addresses,
        conditions,
        ..Endpoint::default()
    });
    let port = (option::of(text(&["http", ""])), any::<Option<i32>>()).prop_map(|(name, port)| EndpointPort {
        name,
        port,
        ..EndpointPort::default()
    });
    (option::of(vec(port, 0..3)), option::of(vec(endpoint, 0..4)))
        .prop_map(|(ports, endpoints)| Arc::new(EndpointSlice { ports, endpoints, ..EndpointSlice::default() }))
}

/// One object of each kind, made of these texts.
fn junk(texts: &[String], number: i32, bytes: Vec<u8>) -> Objects {
    let text = |index: usize| texts.get(index).cloned().unwrap_or_default();
    let service = Some(IngressServiceBackend {
        name: "junk".to_owned(),
        port: Some(ServiceBackendPort { name: None, number: Some(number) }),
    });
    let backend = IngressBackend { service, resource: None };
    let path = HTTPIngressPath {
        backend: backend.clone(),
        path: Some(format!("/{}", text(0))),
        path_type: "Prefix".to_owned(),
    };
    let rule =
        |host: String| IngressRule { host: Some(host), http: Some(HTTPIngressRuleValue { paths: vec![path.clone()] }) };
    let ingress = Ingress {
        metadata: ObjectMeta {
            annotations: Some([(format!("nginx.ingress.kubernetes.io/{}", text(1)), text(2))].into()),
            ..ObjectMeta::default()
        },
        spec: Some(IngressSpec {
            default_backend: Some(backend),
            rules: Some(vec![rule(text(3)), rule(String::new())]),
            tls: Some(vec![IngressTLS { hosts: Some(vec![text(4)]), secret_name: Some("junk".to_owned()) }]),
            ..IngressSpec::default()
        }),
        status: None,
    };
    let port = ServicePort { name: Some(text(5)), port: number, ..ServicePort::default() };
    let spec = ServiceSpec { ports: Some(vec![port]), ip_families: Some(vec![text(6)]), ..ServiceSpec::default() };
    let secret = Secret {
        data: Some([("tls.crt".to_owned(), k8s_openapi::ByteString(bytes.clone()))].into()),
        string_data: Some([("tls.key".to_owned(), text(7))].into()),
        ..Secret::default()
    };
    let config_map = ConfigMap { data: Some([(text(8), text(9))].into()), ..ConfigMap::default() };
    let slice = EndpointSlice {
        address_type: text(10),
        endpoints: Some(vec![Endpoint { addresses: vec![text(11)], ..Endpoint::default() }]),
        ports: Some(vec![EndpointPort { port: Some(number), ..EndpointPort::default() }]),
        ..EndpointSlice::default()
    };
    let name = NamespacedName::new("default", "junk");
    Objects {
        ingresses: [(name.clone(), Arc::new(ingress))].into(),
        services: [(name.clone(), Arc::new(Service { spec: Some(spec), ..Service::default() }))].into(),
        secrets: [(name.clone(), Arc::new(secret))].into(),
        config_maps: [(name.clone(), Arc::new(config_map))].into(),
        endpoint_slices: [(name, Arc::new(slice))].into(),
        ..Objects::default()
    }
}
