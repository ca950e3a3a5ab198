//! What the annotations of an Ingress do to it.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::{collections::BTreeMap, sync::Arc};

use compile::{
    Memo, Objects, Options, Reason, Severity,
    annotation::{self, Annotations, passthrough},
    compile,
    settings::Settings,
};
use proptest::prelude::*;
use serde_json::json;
use snapshot::Origin;

const PREFIX: &str = "nginx.ingress.kubernetes.io";

fn read_full(annotations: &[(&str, &str)], settings: &Settings) -> Annotations {
    let map: BTreeMap<String, String> =
        annotations.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    annotation::read(&Arc::new(Origin::new("Ingress", "shop", "web")), Some(&map), PREFIX, settings)
}

fn read(annotations: &[(&str, &str)]) -> Annotations {
    let full: Vec<(String, &str)> =
        annotations.iter().map(|(key, value)| (format!("{PREFIX}/{key}"), *value)).collect();
    let full: Vec<(&str, &str)> = full.iter().map(|(key, value)| (key.as_str(), *value)).collect();
    read_full(&full, &Settings::default())
}

/// What follows of a set of annotations, in a word.
fn outcome(annotations: &[(&str, &str)]) -> &'static str {
    let read = read(annotations);
    let worst = read.problems.iter().map(|problem| problem.severity).min();
    if read.left_out.is_some() {
        "left out"
    } else if read.host_denied.is_some() {
        assert!(read.denied.is_some());
        "hosts denied"
    } else if read.denied.is_some() {
        "denied"
    } else {
        match worst {
            Some(Severity::Error) => "error",
            Some(Severity::Warning) => "warning",
            None => "exact",
        }
    }
}

#[test]
fn no_annotations_say_nothing() {
    let origin = Arc::new(Origin::new("Ingress", "shop", "web"));
    assert_eq!(annotation::read(&origin, None, PREFIX, &Settings::default()), Annotations::default());
    assert_eq!(outcome(&[]), "exact");
}

#[test]
fn other_peoples_annotations_are_not_looked_at() {
    let others = [
        ("kubernetes.io/ingress.class", "nginx"),
        ("cert-manager.io/cluster-issuer", "x"),
        ("nginx.ingress.kubernetes.io", "x"),
        ("nginx.ingress.kubernetes.io.example/auth-url", "x"),
        ("nginx.org/auth-url", "x"),
        ("auth-url", "x"),
    ];
    assert_eq!(read_full(&others, &Settings::default()), Annotations::default());
}

#[test]
fn a_problem_names_object_field_and_consequence() {
    let read = read(&[("auth-url", "https://auth.example.com")]);
    let [problem] = read.problems.as_slice() else { panic!("{:?}", read.problems) };
    assert_eq!(problem.object.to_string(), "Ingress shop/web");
    assert_eq!(problem.field, "metadata.annotations[nginx.ingress.kubernetes.io/auth-url]");
    assert_eq!(problem.severity, Severity::Error);
    assert_eq!(problem.reason, Reason::AnnotationNotServed);
    assert_eq!(
        problem.message,
        "is not served yet: it is about access, so the paths of the Ingress answer 503 while it is set"
    );
    assert_eq!(read.denied.as_deref(), Some(format!("annotation `{PREFIX}/auth-url` {}", problem.message).as_str()));
}

#[test]
fn each_kind_of_key_does_what_it_should() {
    let cases: &[(&str, &str, &str)] = &[
        ("proxy-buffer-size", "16k", "warning"),
        ("proxy-busy-buffers-size", "16k", "warning"),
        ("fastcgi-index", "index.php", "warning"),
        ("modsecurity-snippet", "SecRuleEngine On", "warning"),
        ("auth-realm", "Staff", "warning"),
        ("auth-type", "basic", "denied"),
        ("auth-type", "", "denied"),
        ("whitelist-source-range", "10.0.0.0/8", "denied"),
        ("allowlist-source-range", "nonsense", "denied"),
        ("satisfy", "any", "denied"),
        ("enable-modsecurity", "true", "denied"),
        ("auth-method", "POST", "denied"),
        ("auth-tls-secret", "a/b", "hosts denied"),
        ("auth-tls-secret", "shop/..", "hosts denied"),
        ("proxy-ssl-secret", "shop/ca", "exact"),
        ("proxy-ssl-secret", "shop/x,y=z", "denied"),
        ("proxy-ssl-secret", "shop/", "denied"),
        ("auth-tls-verify-client", "on", "hosts denied"),
        ("canary", "true", "left out"),
        ("canary", "yes", "left out"),
        ("canary", "", "left out"),
        ("canary-weight", "10", "warning"),
        ("backend-protocol", "nonsense", "error"),
        ("use-regex", "true", "error"),
        ("use-regex", "no", "warning"),
        ("use-regex", " true", "warning"),
        ("use-regex", "", "warning"),
        ("rewrite-target", "/$2", "error"),
        ("permanent-redirect", "https://example.org", "error"),
        ("ssl-redirect", "false", "exact"),
        ("force-ssl-redirect", "true", "exact"),
        ("preserve-trailing-slash", "true", "exact"),
        ("ssl-redirect", "no", "warning"),
        ("ssl-ciphers", "ECDHE-RSA-AES128-GCM-SHA256", "exact"),
        ("ssl-ciphers", "ECDHE-RSA-AES128-GCM-SHA256:AES128-SHA", "warning"),
        ("ssl-ciphers", "AES128-SHA", "warning"),
        ("ssl-prefer-server-ciphers", "on", "warning"),
    ];
    for (key, value, expected) in cases {
        assert_eq!(outcome(&[(key, value)]), *expected, "{key}: {value}");
    }
}

#[test]
fn what_holds_anyway_is_no_problem() {
    let cases = [
        ("ssl-redirect", "true"),
        ("proxy-body-size", "1m"),
        ("proxy-body-size", "1024K"),
        ("proxy-read-timeout", "60"),
        ("proxy-next-upstream-tries", "3"),
        ("client-body-buffer-size", "8k"),
        ("backend-protocol", "HTTP"),
        ("backend-protocol", "HTTPS"),
        ("enable-cors", "false"),
        ("ssl-passthrough", "false"),
        ("canary", "false"),
        ("enable-modsecurity", "false"),
        ("satisfy", "all"),
        ("auth-tls-verify-client", "off"),
        ("enable-global-auth", "false"),
        ("use-regex", "0"),
    ];
    for (key, value) in cases {
        assert_eq!(outcome(&[(key, value)]), "exact", "{key}: {value}");
    }
}

#[test]
fn what_holds_anyway_depends_on_the_global_settings() {
    let settings = Settings { proxy_body_size: None, ..Settings::default() };
    let key = |key: &str| format!("{PREFIX}/{key}");
    for (name, value, problems) in [
        ("client-body-buffer-size", "16k", 1),
        ("client-body-buffer-size", "8k", 0),
        ("proxy-body-size", "1m", 1),
        ("proxy-body-size", "0", 0),
    ] {
        let read = read_full(&[(&key(name), value)], &settings);
        assert_eq!(read.problems.len(), problems, "{name}: {value}");
    }
}

#[test]
fn values_that_are_only_nearly_off_do_not_open_anything() {
    for (key, value) in [("enable-modsecurity", " false"), ("enable-modsecurity", "off"), ("satisfy", "All")] {
        assert_eq!(outcome(&[(key, value)]), "denied", "{key}: {value}");
    }
}

#[test]
fn unknown_keys_get_a_suggestion() {
    let read = read(&[("proxy-bdoy-size", "8m"), ("Proxy_Read_Timeout", "5"), ("zzz", "")]);
    let messages: Vec<&str> = read.problems.iter().map(|problem| problem.message.as_str()).collect();
    assert_eq!(
        messages,
        [
            "is not a known key; did you mean `proxy-read-timeout`?",
            "is not a known key; did you mean `proxy-body-size`?",
            "is not a known key"
        ]
    );
    assert!(read.problems.iter().all(|problem| problem.reason == Reason::UnknownAnnotation));
    assert!(read.problems.iter().all(|problem| problem.severity == Severity::Warning));
}

#[test]
fn misspelled_keys_about_access_deny() {
    for key in
        ["auth-ur1", "auth_url", "Auth-Type", "whitelist-source-ranges", "whitelist-source", "auth-url-v2", "auth-tls"]
    {
        assert_eq!(outcome(&[(key, "x")]), "denied", "{key}");
    }
    for key in ["auth-signins", "cors-allow-origins", "auth-realm-name", "authentication-notes"] {
        assert_eq!(outcome(&[(key, "x")]), "warning", "{key}");
    }
}

#[test]
fn keys_of_other_products_name_the_real_one() {
    let cases = [
        ("rate-limit", "limit-rps"),
        ("rate-limit-window", "limit-rpm"),
        ("secure-backends", "backend-protocol: HTTPS"),
        ("large-client-header-buffers", "global ConfigMap"),
        ("client-header-timeout", "global ConfigMap"),
        ("client-body-timeout", "global ConfigMap"),
        ("add-hosts", "server-alias"),
        ("proxy-set-headers", "global ConfigMap"),
        ("client-max-body-size", "proxy-body-size"),
    ];
    for (key, instead) in cases {
        let read = read(&[(key, "x")]);
        assert!(read.problems.iter().any(|problem| problem.message.contains(instead)), "{key}: {:?}", read.problems);
        assert_eq!(read.denied, None, "{key}");
    }
    assert_eq!(outcome(&[("blacklist-source-range", "10.0.0.0/8")]), "denied");
}

#[test]
fn snippets_are_never_interpreted_and_never_open_anything() {
    let cases: &[(&str, &str, &str)] = &[
        ("configuration-snippet", "", "exact"),
        ("configuration-snippet", "more_set_headers \"X-Frame-Options: DENY\";", "warning"),
        ("configuration-snippet", "return 301 https://a$request_uri;", "warning"),
        ("configuration-snippet", "deny all;", "denied"),
        ("configuration-snippet", "if ($http_x) { return 403; }", "denied"),
        ("configuration-snippet", "add_header \"A;", "denied"),
        ("server-snippet", "location /a { proxy_pass http://b; }", "warning"),
        ("server-snippet", "location /metrics { return 403; }", "hosts denied"),
        ("stream-snippet", "server { listen 8000; deny all; }", "warning"),
        ("auth-snippet", "proxy_set_header A b;", "denied"),
    ];
    for (key, value, expected) in cases {
        assert_eq!(outcome(&[(key, value)]), *expected, "{key}: {value}");
    }
}

#[test]
fn a_snippet_is_told_what_replaces_it() {
    let read = read(&[("configuration-snippet", "add_header A b;\nproxy_read_timeout 5s; sub_filter a b;")]);
    let messages: Vec<&str> = read.problems.iter().map(|problem| problem.message.as_str()).collect();
    assert_eq!(
        messages,
        [
            "is nginx's own configuration, which is never interpreted; it holds `add_header` (instead: `custom-headers`), \
          `proxy_read_timeout` (instead: `proxy-read-timeout`), `sub_filter`: the Ingress is served without it"
        ]
    );
}

#[test]
fn a_message_quotes_no_megabyte() {
    let long = format!("CN=({}", "\u{e9}:".repeat(100_000));
    for key in ["auth-tls-match-cn", "auth-tls-secret", "ssl-ciphers", "force-ssl-redirect", "configuration-snippet"] {
        let read = read(&[(key, &long)]);
        assert!(!read.problems.is_empty(), "{key}");
        let length = read.problems.iter().map(|problem| problem.message.len()).max();
        assert!(length.is_some_and(|length| length < 1000), "{key}: {length:?}");
        let reasons = read.denied.iter().chain(&read.host_denied);
        assert!(reasons.map(|reason| reason.len()).all(|length| length < 1000), "{key}");
    }
}

proptest! {
    #[test]
    fn never_panics(key in "auth-tls-(secret|verify-client|verify-depth|match-cn|error-page)|ssl-ciphers|\
                (auth-|canary|configuration-snippet|server-snippet|.)?.{0,24}", value in "(?s).*") {
        let name = format!("{PREFIX}/{key}");
        let read = read_full(&[(&name, &value)], &Settings::default());
        prop_assert!(read.host_denied.is_none() || read.denied.is_some());
        if read.denied.is_some() || read.left_out.is_some() {
            prop_assert!(read.problems.iter().any(|problem| problem.severity == Severity::Error));
        }
    }
}

#[test]
fn passthrough_needs_its_flag() {
    let origin = Arc::new(Origin::new("Ingress", "shop", "web"));
    let problem = |others: &[(&str, &str)], enabled| {
        let own = [("ssl-passthrough", "true")];
        let all = others.iter().chain(&own).map(|(key, value)| (format!("{PREFIX}/{key}"), (*value).to_owned()));
        let problem = passthrough(&origin, Some(&all.collect()), PREFIX, enabled)?;
        Some((problem.severity, problem.reason))
    };
    assert_eq!(problem(&[], true), None);
    assert_eq!(problem(&[], false), Some((Severity::Error, Reason::PassthroughDisabled)));
    // What is handed on is not looked at: worse where somebody relies on it.
    assert_eq!(problem(&[("ssl-redirect", "false")], true), None);
    assert_eq!(problem(&[("proxy-body-size", "1m")], true), Some((Severity::Warning, Reason::AnnotationVoid)));
    let restricted = [("whitelist-source-range", "10.0.0.0/8"), ("proxy-body-size", "1m")];
    assert_eq!(problem(&restricted, true), Some((Severity::Error, Reason::AnnotationVoid)));
}

/// The problems with the annotations of an Ingress that has these paths, and a default backend as well.
fn of_an_ingress(annotations: &[(&str, &str)], paths: &[&str], has_default: bool) -> Vec<(String, Severity)> {
    let annotations: BTreeMap<String, &str> =
        annotations.iter().map(|(key, value)| (format!("{PREFIX}/{key}"), *value)).collect();
    let backend = json!({"service": {"name": "s", "port": {"number": 80}}});
    let paths: Vec<_> =
        paths.iter().map(|path| json!({"path": path, "pathType": "Prefix", "backend": backend})).collect();
    let mut spec = json!({"rules": [{"host": "a.example", "http": {"paths": paths}}]});
    if paths.is_empty() {
        spec = json!({});
    }
    if has_default {
        spec["defaultBackend"] = backend;
    }
    let mut objects = Objects::default();
    let metadata = json!({"name": "web", "annotations": annotations});
    support::add(&mut objects, json!({"kind": "Ingress", "metadata": metadata, "spec": spec}));
    let options = Options { watch_ingress_without_class: true, ..Options::default() };
    let problems = compile(&objects, &options, &mut Memo::default()).problems;
    let key = |field: &str| Some(field.strip_prefix(&format!("metadata.annotations[{PREFIX}/"))?.replace(']', ""));
    problems.into_iter().filter_map(|problem| Some((key(&problem.field)?, problem.severity))).collect()
}

#[test]
fn what_rewrites_nothing_is_no_problem() {
    let root = [("rewrite-target", "/"), ("x-forwarded-prefix", "/app")];
    let none = Vec::<(String, Severity)>::new();
    assert_eq!(of_an_ingress(&root, &["/"], false), none);
    assert_eq!(of_an_ingress(&root, &["/"], true), none);
    assert_eq!(of_an_ingress(&[("rewrite-target", " ")], &["/a"], false), none);
    assert_eq!(of_an_ingress(&root[1..], &["/a"], false), none);
    let told = [("rewrite-target".to_owned(), Severity::Error), ("x-forwarded-prefix".to_owned(), Severity::Warning)];
    assert_eq!(of_an_ingress(&root, &["/", "/api"], false), told);
    // A path that is left out may have been one.
    assert_eq!(of_an_ingress(&root, &["/", "a b"], false), told);
    assert_eq!(of_an_ingress(&[("rewrite-target", "/b")], &["/"], false), told[..1]);
}

/// Where nobody checks annotations it does rewrite, so that it goes on closing what it may open.
#[test]
fn a_target_that_ingress_nginx_ignores_is_told_of() {
    let message = |target| read(&[("rewrite-target", target)]).problems.remove(0).message;
    let what = "is not served yet: a path that is a pattern matches nothing, and requests reach the backend with the path as it came";
    for target in ["/$2", "/-._~aZ9:$1/", "a"] {
        assert_eq!(message(target), what, "{target}");
    }
    for target in ["/index.php?u=$1", "/ ", "/\u{e9}", "/a b"] {
        assert!(message(target).starts_with(what) && message(target).contains("ingress-nginx ignores"), "{target}");
        assert_eq!(outcome(&[("rewrite-target", target)]), "error", "{target}");
    }
}

/// As in ingress-nginx, which keeps what is said of rewriting from its catch-all server.
#[test]
fn an_ingress_without_rules_makes_no_patterns() {
    let none = Vec::<(String, Severity)>::new();
    assert_eq!(of_an_ingress(&[("use-regex", "true"), ("rewrite-target", "/b")], &[], true), none);
}
