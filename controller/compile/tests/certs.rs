//! Secrets with certificates of each kind, made with `openssl req -x509`: names `A.example` and `*.b.example`, serial
//! number 4660.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::{collections::BTreeMap, fs, path::Path, sync::Arc};

use compile::{Compiled, Memo, NamespacedName, Objects, Options, Reason, compile, expired};
use k8s_openapi::{
    ByteString,
    api::core::v1::{ConfigMap, Secret},
};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, CustomExtension, DnType, IsCa, KeyPair};
use snapshot::{CertId, KeyFormat};

fn file(name: &str) -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/certs").join(name)).unwrap()
}

fn served(chain: Vec<u8>, key: Vec<u8>) -> Compiled {
    served_with(chain, key, &[])
}

fn served_with(chain: Vec<u8>, key: Vec<u8>, settings: &[(&str, &str)]) -> Compiled {
    let data = [("tls.crt", chain), ("tls.key", key)].map(|(name, bytes)| (name.to_owned(), ByteString(bytes)));
    let secret = Secret { data: Some(BTreeMap::from(data)), ..Secret::default() };
    let name = NamespacedName::new("default", "cert");
    let data = settings.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    let config_map = ConfigMap { data: Some(data), ..ConfigMap::default() };
    let objects = Objects {
        secrets: [(name.clone(), Arc::new(secret))].into(),
        config_maps: [(NamespacedName::new("default", "settings"), Arc::new(config_map))].into(),
        ..Objects::default()
    };
    let options = Options {
        default_ssl_certificate: Some(name),
        config_map: Some(NamespacedName::new("default", "settings")),
        ..Options::default()
    };
    compile(&objects, &options, &mut Memo::default())
}

fn id() -> CertId {
    CertId::from("default/cert")
}

#[test]
fn every_kind_of_key() {
    let kinds = [
        ("rsa.crt", "rsa.pkcs8.key", KeyFormat::Pkcs8, "RSA"),
        ("rsa.crt", "rsa.pkcs1.key", KeyFormat::Pkcs1, "RSA"),
        ("ec384.crt", "ec384.pkcs8.key", KeyFormat::Pkcs8, "ECDSA"),
        ("ec384.crt", "ec384.sec1.key", KeyFormat::Sec1, "ECDSA"),
        ("ec521.crt", "ec521.pkcs8.key", KeyFormat::Pkcs8, "ECDSA"),
        ("ed25519.crt", "ed25519.pkcs8.key", KeyFormat::Pkcs8, "Ed25519"),
    ];
    for (chain, key, format, algorithm) in kinds {
        let compiled = served(file(chain), file(key));
        assert_eq!(compiled.problems, [], "{key}");
        assert!(compiled.snapshot.keys.get(&id()).unwrap().format() == format, "{key}");
        let cert = compiled.snapshot.certs.get(&id()).unwrap();
        assert_eq!(&*cert.info.public_key_algorithm, algorithm);
        assert_eq!(&*cert.info.serial_number, "4660");
        assert_eq!(&*cert.info.issuer_common_name, "tests");
        assert_eq!(&*cert.info.issuer_organization, "Tidegate tests");
        assert_eq!(cert.names, ["a.example".into(), "*.b.example".into()] as [Arc<str>; 2]);
    }
}

/// As `openssl x509 -fingerprint -sha256` has it.
#[test]
fn fingerprint_and_chain() {
    let chain = [b"subject=leaf\n".to_vec(), file("rsa.crt"), file("ec384.crt")].concat();
    let compiled = served(chain, file("rsa.pkcs8.key"));
    let cert = compiled.snapshot.certs.get(&id()).unwrap();
    assert_eq!(cert.chain.len(), 2);
    assert_eq!(&*cert.fingerprint, "896971cecfad1e80579de80ebc969c2d6c1e4dd5827a61862ae9741fe6398f24");
}

#[test]
fn keys_that_cannot_be_served() {
    let cases = [
        ("rsa.crt", "rsa.encrypted.key", "no unencrypted private key"),
        ("rsa.crt", "rsa.crt", "no unencrypted private key"),
        ("rsa.crt", "ec384.pkcs8.key", "does not belong"),
        ("ec384.crt", "ec521.pkcs8.key", "does not belong"),
        ("k1.crt", "k1.key", "none of RSA"),
        ("rsa1024.crt", "rsa1024.key", "none of RSA"),
    ];
    for (chain, key, reason) in cases {
        let compiled = served(file(chain), file(key));
        assert!(compiled.snapshot.certs.is_empty() && compiled.snapshot.keys.is_empty());
        let [problem] = compiled.problems.as_slice() else { panic!("one problem for {key}") };
        assert!(problem.message.contains(reason), "{}", problem.message);
    }
}

/// A file that was cut off in the middle of a block says so, and is no shorter chain.
#[test]
fn half_a_chain_is_no_chain() {
    let mut chain = [file("rsa.crt"), file("ec384.crt")].concat();
    chain.truncate(chain.len() - 40);
    let compiled = served(chain, file("rsa.pkcs8.key"));
    assert!(compiled.snapshot.certs.is_empty());
    assert!(compiled.problems[0].message.contains("not valid PEM"), "{}", compiled.problems[0].message);
}

/// Of a chain nothing but the leaf is read here: an empty block would be sent as it is, and no client takes that.
#[test]
fn a_chain_holds_no_empty_certificate() {
    let empty = b"-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n".to_vec();
    for chain in [[file("rsa.crt"), empty.clone(), file("ec384.crt")], [file("rsa.crt"), file("ec384.crt"), empty]] {
        let compiled = served(chain.concat(), file("rsa.pkcs8.key"));
        assert!(compiled.snapshot.certs.is_empty());
        assert!(compiled.problems[0].message.contains("nothing in it"), "{}", compiled.problems[0].message);
    }
}

#[test]
fn expired_is_served_and_told() {
    let snapshot = served(file("rsa.crt"), file("rsa.pkcs8.key")).snapshot;
    let end = snapshot.certs.get(&id()).unwrap().not_after;
    assert_eq!(expired(&snapshot, end), []);
    let problems = expired(&snapshot, end + 1);
    assert_eq!(problems.iter().map(|problem| problem.reason).collect::<Vec<_>>(), [Reason::CertificateExpired]);
    assert_eq!(problems[0].object.to_string(), "Secret default/cert");
}

/// One label is what a wildcard stands for: a host two labels deeper has the default certificate, and a problem.
#[test]
fn a_wildcard_does_not_reach_two_labels_deep() {
    let name = NamespacedName::new("default", "web");
    let mut objects = Objects::default();
    support::add(
        &mut objects,
        serde_json::json!({
            "kind": "Ingress",
            "metadata": {"name": "web"},
            "spec": {
                "tls": [{"hosts": ["x.b.example", "x.y.b.example"], "secretName": "cert"}],
                "rules": [{"host": "x.b.example"}, {"host": "x.y.b.example"}],
            },
        }),
    );
    let data = [("tls.crt", file("rsa.crt")), ("tls.key", file("rsa.pkcs8.key"))];
    let data = data.map(|(name, bytes)| (name.to_owned(), ByteString(bytes)));
    let secret = Secret { data: Some(BTreeMap::from(data)), ..Secret::default() };
    objects.secrets.insert(NamespacedName::new("default", "cert"), Arc::new(secret));
    let options = Options { watch_ingress_without_class: true, ..Options::default() };
    let compiled = compile(&objects, &options, &mut Memo::default());
    let problems: Vec<_> =
        compiled.problems.iter().filter(|problem| problem.reason == Reason::CertificateNotForHost).collect();
    let [problem] = problems.as_slice() else { panic!("{problems:?}") };
    assert_eq!(problem.object.to_string(), format!("Ingress {name}"));
    assert!(problem.message.contains("does not cover host x.y.b.example"), "{}", problem.message);
    let snapshot::Serves::Tls { sni, .. } = &compiled.snapshot.listeners.get("https").unwrap().serves else {
        panic!("no TLS")
    };
    assert_eq!(sni.keys().map(ToString::to_string).collect::<Vec<_>>(), ["x.b.example"]);
}

/// So many CAs that their names fill a handshake: told, and served without the names.
#[test]
fn five_hundred_cas_are_told_of_and_served() {
    let ca = |number: usize| {
        let mut params = rcgen::CertificateParams::default();
        params.distinguished_name.push(rcgen::DnType::CommonName, format!("ca-{number}"));
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        params.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap().pem()
    };
    let of = |count: usize| {
        let mut objects = Objects::default();
        support::add(
            &mut objects,
            serde_json::json!({
                "kind": "Ingress",
                "metadata": {
                    "name": "web",
                    "annotations": {"nginx.ingress.kubernetes.io/auth-tls-secret": "default/cas"},
                },
                "spec": {"tls": [{"hosts": ["a.example"]}], "rules": [{"host": "a.example"}]},
            }),
        );
        let pem: String = (0..count).map(ca).collect();
        let data = BTreeMap::from([("ca.crt".to_owned(), ByteString(pem.into_bytes()))]);
        let secret = Secret { data: Some(data), ..Secret::default() };
        objects.secrets.insert(NamespacedName::new("default", "cas"), Arc::new(secret));
        let options = Options { watch_ingress_without_class: true, ..Options::default() };
        compile(&objects, &options, &mut Memo::default())
    };
    for (count, told) in [(20, false), (500, true)] {
        let compiled = of(count);
        let problem = compiled.problems.iter().find(|problem| problem.reason == Reason::ClientCaTooLarge);
        assert_eq!(problem.is_some(), told, "{:?}", compiled.problems);
        if let Some(problem) = problem {
            assert_eq!(problem.object.to_string(), "Secret default/cas");
            assert!(problem.message.starts_with("holds 500 certificates"), "{}", problem.message);
        }
        let rule = compiled.snapshot.tables.get("a.example").unwrap().client_cert.as_ref().unwrap();
        let ca = &rule.auth.as_ref().unwrap().ca;
        assert_eq!((ca.certs.len(), ca.tell_names), (count, !told));
    }
}

/// What was parsed is kept by its Secret: one that changed among 1,000 is one that is parsed.
#[test]
fn one_changed_secret_parses_one_certificate() {
    let name = |number: usize| NamespacedName::new("default", &format!("c{number}"));
    let secret = |number: usize| {
        let pair = rcgen::generate_simple_self_signed([format!("h{number}.example")]).unwrap();
        let data = [("tls.crt", pair.cert.pem()), ("tls.key", pair.signing_key.serialize_pem())];
        let data = data.map(|(name, text)| (name.to_owned(), ByteString(text.into_bytes())));
        Arc::new(Secret { data: Some(BTreeMap::from(data)), ..Secret::default() })
    };
    let mut objects = Objects::default();
    for number in 0..1000 {
        let (cert, host) = (format!("c{number}"), format!("h{number}.example"));
        let spec = serde_json::json!({"tls": [{"hosts": [host], "secretName": cert}], "rules": [{"host": host}]});
        support::add(&mut objects, serde_json::json!({"kind": "Ingress", "metadata": {"name": cert}, "spec": spec}));
        objects.secrets.insert(name(number), secret(number));
    }
    let options = Options { watch_ingress_without_class: true, ..Options::default() };
    let mut memo = Memo::default();
    let before = compile(&objects, &options, &mut memo).snapshot;
    objects.secrets.insert(name(7), secret(7));
    let after = compile(&objects, &options, &mut memo).snapshot;
    assert_eq!((before.certs.len(), after.certs.len()), (1000, 1000));
    let parsed: Vec<_> =
        after.certs.iter().filter(|(id, cert)| !Arc::ptr_eq(before.certs.get(*id).unwrap(), cert)).collect();
    assert_eq!(parsed.iter().map(|(id, _)| id.to_string()).collect::<Vec<_>>(), ["default/c7"]);
}

/// An element of DER that has less than 128 bytes.
fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    [&[tag, u8::try_from(content.len()).unwrap()], content].concat()
}

#[test]
fn a_certificate_about_which_no_ca_can_be_asked_is_told() {
    let ca = |name: &str| {
        let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
    };
    let (issuer, other) = (ca("issuer"), ca("other"));
    // `id-ad-ocsp` and a place to ask (RFC 5280 section 4.2.2.1).
    let place = [&[6, 8, 0x2b, 6, 1, 5, 5, 7, 0x30, 1], &*der(0x86, b"http://ocsp.example")].concat();
    let access = CustomExtension::from_oid_content(&[1, 3, 6, 1, 5, 5, 7, 1, 1], der(0x30, &der(0x30, &place)));
    let told = |extensions: Vec<CustomExtension>, rest: &[String], ocsp: &str| {
        let mut params = CertificateParams::new(vec!["a.example".to_owned()]).unwrap();
        params.custom_extensions = extensions;
        let key = KeyPair::generate().unwrap();
        let chain = [params.signed_by(&key, &issuer).unwrap().pem(), rest.concat()].concat();
        let compiled = served_with(chain.into_bytes(), key.serialize_pem().into_bytes(), &[("enable-ocsp", ocsp)]);
        compiled
            .problems
            .into_iter()
            .map(|problem| (problem.reason, problem.object.to_string(), problem.message))
            .collect::<Vec<_>>()
    };
    let asked = || vec![access.clone()];
    for (rest, why) in [(vec![], "is not in tls.crt"), (vec![other.pem()], "is not that of who issued")] {
        let problems = told(asked(), &rest, "true");
        let [(reason, object, message)] = problems.as_slice() else { panic!("{problems:?}") };
        assert_eq!((*reason, object.as_str()), (Reason::IssuerMissing, "Secret default/cert"));
        assert!(message.contains(why), "{message}");
        assert_eq!(told(asked(), &rest, "false"), [], "nobody wants to ask");
        assert_eq!(told(vec![], &rest, "true"), [], "nobody is named");
    }
    assert_eq!(told(asked(), &[issuer.pem(), other.pem()], "true"), []);
}

/// PEM whose lines were joined, which is what becomes of it in many a shell and template: with spaces, without the first
/// break, without any.
fn joined(pem: &str) -> [Vec<u8>; 3] {
    [pem.trim().replace('\n', " "), pem.replacen('\n', "", 1), pem.replace('\n', "")].map(String::into_bytes)
}

/// Whether a text holds a piece of what stands between the first and the last line of PEM, as it is or as a list of bytes.
fn quotes(text: &str, pem: &str) -> bool {
    let body: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    let list = |piece: &[u8]| format!("{piece:?}").trim_matches(['[', ']']).to_owned();
    body.as_bytes()
        .windows(8)
        .any(|piece| text.contains(std::str::from_utf8(piece).unwrap()) || text.contains(&list(piece)))
        || text.contains("45, 45, 45")
}

/// Problems are shown to whoever may read Events, and whoever reads the log.
#[test]
fn no_problem_quotes_a_key() {
    let pair = rcgen::generate_simple_self_signed(["a.example".to_owned()]).unwrap();
    let (chain, key) = (pair.cert.pem(), pair.signing_key.serialize_pem());
    let begun = "-----BEGIN ".to_owned() + &key.repeat(100).replace('\n', "");
    for broken in joined(&key).into_iter().chain([begun.into_bytes()]) {
        for (chain, key_file) in
            [(chain.clone().into_bytes(), broken.clone()), (broken.clone(), key.clone().into_bytes())]
        {
            let compiled = served(chain, key_file);
            let [problem] = compiled.problems.as_slice() else { panic!("{:?}", compiled.problems) };
            assert!(!quotes(&problem.message, &key) && problem.message.len() < 300, "{}", problem.message);
        }
        for data in [&["ca.crt"] as &[_], &["ca.crt", "ca.crl"]] {
            let text = |name: &&str| {
                if data.len() == 2 && *name == "ca.crt" { chain.clone().into_bytes() } else { broken.clone() }
            };
            for annotation in ["auth-tls-secret", "proxy-ssl-secret"] {
                let compiled = named_by(annotation, data.iter().map(|name| (*name, text(name))));
                let told = compiled.problems.iter().any(|problem| problem.message.contains("not valid PEM"));
                assert_eq!(told, annotation == "auth-tls-secret" || data.len() == 1, "{:?}", compiled.problems);
                let all =
                    format!("{:?}", compiled.problems) + &serde_json::to_string(&compiled.snapshot.tables).unwrap();
                assert!(!quotes(&all, &key), "{all}");
            }
        }
    }
}

/// What becomes of an Ingress with an annotation that names a Secret.
fn named_by<'a>(annotation: &str, data: impl Iterator<Item = (&'a str, Vec<u8>)>) -> Compiled {
    let mut objects = Objects::default();
    let annotations = serde_json::json!({format!("nginx.ingress.kubernetes.io/{annotation}"): "default/ca"});
    let backend = serde_json::json!({"service": {"name": "s", "port": {"number": 80}}});
    let rule = serde_json::json!({"host": "a.example", "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}});
    let spec = serde_json::json!({"tls": [{"hosts": ["a.example"]}], "rules": [rule]});
    support::add(
        &mut objects,
        serde_json::json!({"kind": "Ingress", "metadata": {"name": "web", "annotations": annotations}, "spec": spec}),
    );
    support::add(
        &mut objects,
        serde_json::json!({"kind": "Service", "metadata": {"name": "s"}, "spec": {"ports": [{"port": 80}]}}),
    );
    let data = data.map(|(name, bytes)| (name.to_owned(), ByteString(bytes))).collect();
    let secret = Secret { data: Some(data), ..Secret::default() };
    objects.secrets.insert(NamespacedName::new("default", "ca"), Arc::new(secret));
    let options = Options { watch_ingress_without_class: true, ..Options::default() };
    compile(&objects, &options, &mut Memo::default())
}
