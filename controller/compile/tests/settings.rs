//! What the global ConfigMap says.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::Duration;

use compile::{
    NamespacedName, Problem, Reason, Severity,
    settings::{self, Settings},
};
use k8s_openapi::{ByteString, api::core::v1::ConfigMap};
use proptest::prelude::*;

fn read(data: &[(&str, &str)]) -> (Settings, Vec<Problem>) {
    let data = data.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    let config_map = ConfigMap { data: Some(data), ..ConfigMap::default() };
    settings::read(Some((&NamespacedName::new("ingress", "settings"), &config_map)))
}

/// The settings of a ConfigMap without a mistake.
fn good(data: &[(&str, &str)]) -> Settings {
    let (settings, problems) = read(data);
    assert_eq!(problems, []);
    settings
}

fn networks(settings: &Settings) -> Vec<String> {
    settings.proxy_real_ip_cidr.iter().map(ToString::to_string).collect()
}

#[test]
fn nothing_is_the_defaults() {
    assert_eq!(settings::read(None), (Settings::default(), Vec::new()));
    assert_eq!(good(&[]), Settings::default());
}

#[test]
fn every_kind_of_value_is_read() {
    let settings = good(&[
        ("keep-alive", "0"),
        ("keep-alive-requests", "0"),
        ("upstream-keepalive-time", "1m30s"),
        ("worker-shutdown-timeout", "30s\n"),
        ("proxy-body-size", "0"),
        ("client-body-buffer-size", "64K"),
        ("server-tokens", "True"),
        ("http-redirect-code", "301"),
        ("no-tls-redirect-locations", "/a, /b"),
    ]);
    assert_eq!((settings.keep_alive.idle, settings.keep_alive.requests), (Duration::ZERO, 1));
    assert_eq!(settings.upstream_keep_alive.lifetime, Duration::from_secs(90));
    assert_eq!(settings.worker_shutdown_timeout, Duration::from_secs(30));
    assert_eq!((settings.proxy_body_size, settings.client_body_buffer_size), (None, 65_536));
    assert!(settings.server_tokens);
    assert_eq!(settings.http_redirect_code, 301);
    assert_eq!(settings.no_tls_redirect_locations, ["/a", "/b"]);
}

#[test]
fn http2_is_off_whatever_else_is_said_of_it() {
    assert_eq!(good(&[("http2-max-concurrent-streams", "7")]).http2.unwrap().max_streams, 7);
    assert_eq!(good(&[("use-http2", "false"), ("http2-max-concurrent-streams", "7")]).http2, None);
}

#[test]
fn both_header_buffer_settings_bound_the_head() {
    let head = good(&[("large-client-header-buffers", "8 16k")]).head;
    assert_eq!((head.target, head.field, head.total), (16 << 10, 16 << 10, 128 << 10));
    let head = good(&[("large-client-header-buffers", "2 4k"), ("client-header-buffer-size", "16k")]).head;
    assert_eq!((head.target, head.field, head.total), (16 << 10, 16 << 10, 16 << 10));
    assert_eq!(good(&[("client-header-buffer-size", "1k")]).head, Settings::default().head);
}

#[test]
fn hsts_is_off_whatever_else_is_said_of_it() {
    assert_eq!(good(&[("hsts", "false"), ("hsts-max-age", "5"), ("hsts-preload", "true")]).hsts(), None);
    let hsts = good(&[("hsts-max-age", "5"), ("hsts-include-subdomains", "false")]).hsts().unwrap();
    assert_eq!((hsts.max_age, hsts.include_subdomains, hsts.preload), (5, false, false));
}

#[test]
fn how_sessions_are_resumed() {
    let sessions = |data| good(data).sessions;
    assert!(sessions(&[]).tickets);
    let kept = sessions(&[("ssl-session-tickets", "false"), ("ssl-session-cache-size", "1m")]);
    assert_eq!((kept.tickets, kept.cache, kept.most.get()), (false, true, 4000));
    assert!(!sessions(&[("ssl-session-cache", "false")]).cache);
    assert_eq!(sessions(&[("ssl-session-timeout", "1d")]).lifetime, Duration::from_secs(86_400));
}

/// It is a secret: no problem and no debug output shows it, whether it is right or not.
#[test]
fn the_key_of_tickets_is_shown_nowhere() {
    let key = "bm90IGEgc2VjcmV0OiBtYWtlIHlvdXJzIGJ5IG9wZW5zc2wsIG5vdCBieSB0aGlz";
    let settings = good(&[("ssl-session-ticket-key", key)]);
    assert_eq!(settings.ticket_key.as_ref().unwrap().secret(), b"not a secret: make yours by openssl, not by this");
    assert!(!format!("{settings:?}").contains("bm90") && format!("{settings:?}").contains("TicketKey"));
    for bad in [&key[..40], "no base64!"] {
        let (settings, problems) = read(&[("ssl-session-ticket-key", bad)]);
        assert_eq!(settings, Settings::default());
        assert_eq!(problems.len(), 1);
        assert!(!problems[0].message.contains(bad));
    }
}

#[test]
fn what_is_not_offered_is_told_and_the_rest_holds() {
    let cases = [
        ("ssl-protocols", "TLSv1 TLSv1.3", "`TLSv1` is not spoken and is left out"),
        (
            "ssl-ciphers",
            "AES128-SHA:ECDHE-RSA-AES128-GCM-SHA256:FOO:BAR",
            "`AES128-SHA` is not offered; `FOO`, `BAR` are no cipher suite; the rest of the list holds",
        ),
    ];
    for (key, value, message) in cases {
        let (settings, problems) = read(&[(key, value)]);
        assert_ne!(settings, Settings::default(), "{key}");
        let [problem] = problems.as_slice() else { panic!("{key}: {problems:?}") };
        assert_eq!((problem.severity, problem.message.as_str()), (Severity::Warning, message), "{key}");
    }
}

#[test]
fn a_bad_value_is_a_problem_and_the_default_stays() {
    let cases = [
        ("keep-alive", "75s"),
        ("keep-alive", "-1"),
        ("client-header-timeout", "0"),
        ("proxy-read-timeout", "99999999999999999999"),
        ("proxy-body-size", "1 MB"),
        ("ssl-redirect", "yes"),
        ("http-redirect-code", "303"),
        ("no-tls-redirect-locations", "well-known"),
        ("large-client-header-buffers", "8k"),
        ("large-client-header-buffers", "4 0"),
        ("large-client-header-buffers", "65 8k"),
        ("client-header-buffer-size", "2m"),
        ("worker-shutdown-timeout", "0"),
        ("hsts-max-age", ""),
        ("use-forwarded-headers", ""),
        ("ssl-protocols", "TLSv1 TLSv1.1"),
        ("ssl-protocols", ""),
        ("ssl-ciphers", "AES128-SHA"),
        ("ssl-session-cache-size", "0"),
        ("ssl-session-timeout", "8d"),
        ("ssl-session-timeout", "1s"),
        ("force-ssl-redirect", "1.0"),
    ];
    for (key, value) in cases {
        let (settings, problems) = read(&[(key, value)]);
        assert_eq!(settings, Settings::default(), "{key}: {value}");
        let [problem] = problems.as_slice() else { panic!("{key}: {problems:?}") };
        assert_eq!(problem.field, format!("data[{key}]"));
        assert_eq!(problem.object.to_string(), "ConfigMap ingress/settings");
        assert_eq!((problem.severity, problem.reason), (Severity::Error, Reason::BadSetting));
    }
    let (_, problems) = read(&[("ssl-redirect", "yes")]);
    assert_eq!(problems[0].message, "`yes` is neither `true` nor `false`; the default, `true`, holds");
}

#[test]
fn a_message_quotes_no_megabyte() {
    let (_, problems) = read(&[("ssl-redirect", "ä".repeat(500_000).as_str())]);
    assert!(problems[0].message.len() < 1000, "{}", problems[0].message.len());
}

#[test]
fn whom_to_trust_fails_closed() {
    let trusting = ("use-forwarded-headers", "true");
    let settings = good(&[trusting, ("proxy-real-ip-cidr", "10.0.0.0/8, 192.0.2.7, ::1")]);
    assert_eq!(networks(&settings), ["10.0.0.0/8", "192.0.2.7/32", "::1/128"]);
    assert_eq!(networks(&good(&[trusting])), ["0.0.0.0/0"]);
    assert_eq!(networks(&good(&[trusting, ("proxy-real-ip-cidr", "")])), Vec::<String>::new());

    let (settings, problems) = read(&[trusting, ("proxy-real-ip-cidr", "10.0.0.0/8,lb.example.com")]);
    assert_eq!(networks(&settings), Vec::<String>::new());
    assert_eq!(problems.len(), 1);

    let (settings, problems) = read(&[trusting, ("forwarded-for-header", "X-Real-IP")]);
    assert_eq!(networks(&settings), Vec::<String>::new());
    assert_eq!(problems.len(), 1);
    assert_eq!(networks(&good(&[trusting, ("forwarded-for-header", "X-Forwarded-For")])), ["0.0.0.0/0"]);
}

#[test]
fn global_restrictions_that_are_not_served_deny_everything() {
    let cases = [
        ("whitelist-source-range", "10.0.0.0/8"),
        ("denylist-source-range", "192.0.2.0/24"),
        ("global-auth-url", "https://auth.example.com"),
        ("block-cidrs", "192.0.2.0/24"),
        ("block-user-agents", "bad"),
        ("block-referers", "bad"),
        ("enable-modsecurity", "true"),
        ("enable-modsecurity", "maybe"),
        ("bind-address", "192.0.2.1"),
        ("whitelist-source-rage", "10.0.0.0/8"),
        ("http-snippet", "deny all;"),
        ("server-snippet", "location /a { return 403; }"),
        ("location-snippet", "broken {"),
    ];
    for (key, value) in cases {
        let (settings, problems) = read(&[(key, value)]);
        assert!(settings.denied.as_ref().is_some_and(|why| why.contains(key)), "{key}: {value}");
        let [problem] = problems.as_slice() else { panic!("{key}: {problems:?}") };
        assert!(problem.severity == Severity::Error && problem.message.contains("every path answers 503"), "{key}");
    }
}

#[test]
fn what_closes_addresses_or_streams_opens_no_port() {
    let cases = [
        ("bind-address", "10.0.0.5", true),
        ("bind-address-ipv4", "10.0.0.5", true),
        ("bind-adress", "10.0.0.5", true),
        ("stream-snippet", "allow 10.0.0.0/8; deny all;", false),
        ("stream-snipet", "deny all;", false),
    ];
    for (key, value, paths) in cases {
        let (settings, problems) = read(&[(key, value)]);
        assert!(settings.stream_denied.as_ref().is_some_and(|why| why.contains(key)), "{key}: {value}");
        assert_eq!(settings.denied.is_some(), paths, "{key}");
        let [problem] = problems.as_slice() else { panic!("{key}: {problems:?}") };
        assert!(problem.severity == Severity::Error && problem.message.contains("no TCP or UDP port is open"), "{key}");
    }
    for (key, value) in [("stream-snippet", "map $a $b { x 1; }"), ("whitelist-source-range", "10.0.0.0/8")] {
        assert_eq!(read(&[(key, value)]).0.stream_denied, None, "{key}");
    }
}

#[test]
fn a_misspelled_key_about_trust_trusts_nobody() {
    let trusting = ("use-forwarded-headers", "true");
    for key in ["proxy-real-ip-cidrs", "proxy-real-ip-cird", "forwarded-for-headers", "forward-for-header"] {
        let (settings, problems) = read(&[trusting, (key, "10.0.0.0/8")]);
        assert_eq!(networks(&settings), Vec::<String>::new(), "{key}");
        let [problem] = problems.as_slice() else { panic!("{key}: {problems:?}") };
        assert_eq!((problem.severity, problem.reason), (Severity::Error, Reason::UnknownSetting), "{key}");
        assert!(problem.message.contains("nobody's forwarded headers"), "{}", problem.message);
    }
    let (settings, problems) = read(&[("ssl-reject-handshakes", "true")]);
    assert!(settings.tls.reject_unknown_names);
    assert_eq!(problems[0].severity, Severity::Error);
    // What is merely like them closes nothing.
    assert_eq!(read(&[trusting, ("proxy-real-ip-header", "x")]).0.proxy_real_ip_cidr.len(), 1);
}

#[test]
fn a_misspelled_key_that_says_nothing_closes_nothing() {
    let cases = [
        ("enable-modsecurty", "false"),
        ("enable-modsecurty", ""),
        ("whitelist-source-rage", ""),
        ("bind-adress", ""),
        ("server-snipet", ""),
        ("forwarded-for-headers", "X-Forwarded-For"),
        ("ssl-reject-handshakes", "false"),
        ("proxy-real-ip-cidrs", "0.0.0.0/0"),
    ];
    for (key, value) in cases {
        let (settings, problems) = read(&[(key, value)]);
        assert_eq!(settings, Settings::default(), "{key}");
        let [problem] = problems.as_slice() else { panic!("{key}: {problems:?}") };
        assert_eq!((problem.severity, problem.reason), (Severity::Warning, Reason::UnknownSetting), "{key}");
        assert!(problem.message.contains("did you mean"), "{}", problem.message);
    }
    // What is not understood, or says more than nothing, does close.
    for (key, value) in [("ssl-reject-handshakes", ""), ("ssl-reject-handshakes", "no")] {
        assert!(read(&[(key, value)]).0.tls.reject_unknown_names, "{value}");
    }
    for value in ["", "0.0.0.0/0,::/0", "0.0.0.0", "x"] {
        assert_eq!(networks(&read(&[("proxy-real-ip-cidrs", value)]).0), Vec::<String>::new(), "{value}");
    }
}

#[test]
fn restrictions_that_are_off_restrict_nothing() {
    let off = [
        ("stream-snippet", ""),
        ("whitelist-source-range", ""),
        ("bind-address", ""),
        ("enable-modsecurity", "false"),
        ("enable-modsecurity", ""),
        ("enable-owasp-modsecurity-crs", ""),
        ("block-cidrs", ""),
        ("http-snippet", ""),
        ("allow-snippet-annotations", "false"),
        ("use-proxy-protocol", "false"),
        ("use-gzip", "false"),
    ];
    assert_eq!(good(&off), Settings::default());
}

#[test]
fn all_other_keys_are_problems() {
    let cases = [
        ("use-gzip", "true", "is not served yet: the rest is served without it"),
        ("map-hash-bucket-size", "128", "has no meaning here and is ignored. It tunes nginx."),
        ("proxy-body-sizes", "8m", "is not a known setting; did you mean `proxy-body-size`?"),
        ("zzz", "", "is not a known setting"),
        (
            "http-snippet",
            "proxy_cache_path /tmp x;",
            "holds nginx's own configuration (`proxy_cache_path`), which is never interpreted: the rest is served without it",
        ),
    ];
    for (key, value, message) in cases {
        let (settings, problems) = read(&[(key, value)]);
        assert_eq!(settings, Settings::default(), "{key}");
        let [problem] = problems.as_slice() else { panic!("{key}: {problems:?}") };
        assert_eq!((problem.severity, problem.message.as_str()), (Severity::Warning, message), "{key}");
    }
}

#[test]
fn binary_data_is_no_setting() {
    let binary = [("keep-alive".to_owned(), ByteString(vec![1]))].into();
    let config_map = ConfigMap { binary_data: Some(binary), ..ConfigMap::default() };
    let (settings, problems) = settings::read(Some((&NamespacedName::new("a", "b"), &config_map)));
    assert_eq!((settings, problems.len()), (Settings::default(), 1));
}

proptest! {
    #[test]
    fn never_panics(
        key in "keep-alive|proxy-body-size|large-client-header-buffers|worker-shutdown-timeout|proxy-real-ip-cidr|\
                no-tls-redirect-locations|hsts-max-age|http-snippet|ssl-ciphers|ssl-protocols|ssl-session-ticket-key|ssl-session-timeout|ssl-session-cache-size|[a-z-]{0,20}|.{0,20}",
        value in "[0-9]{0,22}[a-zA-Z]{0,3}|[0-9 kmg]*|(?s).*",
    ) {
        let (_, problems) = read(&[(&key, &value)]);
        prop_assert!(problems.len() <= 1);
        prop_assert!(problems.iter().all(|problem| problem.message.len() < 2000));
    }
}
