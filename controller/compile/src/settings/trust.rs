//! Whom we believe about the client, and what we tell about ourselves.

use super::{
    class::{self, Form, Scope, Unknown},
    setting::Setting,
    value::{boolean, networks, time},
};

pub(super) static SETTINGS: &[Setting] = &[
    Setting {
        key: "use-forwarded-headers",
        value: "`true` or `false`",
        default: "false",
        doc: "Whether `X-Forwarded-For`, `-Host`, `-Port` and `-Proto` are believed, from whom \
              `proxy-real-ip-cidr` names. Right only behind a proxy that sets them.",
        example: "true",
        fail_closed: None,
        scope: class::CONNECTION,
        parse: |text, settings| boolean(text).map(|on| settings.use_forwarded_headers = on),
    },
    Setting {
        key: "proxy-real-ip-cidr",
        value: "networks or addresses with commas",
        default: "0.0.0.0/0",
        doc: "The proxies in front of us whose forwarded headers are believed, and from whom connections with the PROXY \
              protocol are taken.",
        example: "10.0.0.0/8,192.0.2.7",
        // A list with a hole is no list: the entry that is wrong may be the one that matters.
        fail_closed: Some((
            "nobody's forwarded headers and PROXY headers are believed until it is right",
            |settings| {
                settings.proxy_real_ip_cidr.clear();
            },
        )),
        scope: class::CONNECTION,
        parse: |text, settings| networks(text).map(|networks| settings.proxy_real_ip_cidr = networks),
    },
    Setting {
        key: "allow-cross-namespace-resources",
        value: "`true` or `false`",
        default: "false",
        doc: "Whether annotations may name Secrets of other namespaces.",
        example: "true",
        fail_closed: None,
        scope: Scope::Class(
            Form::Boolean,
            Unknown::Closed("annotations may name no Secret of another namespace", |settings| {
                settings.allow_cross_namespace_resources = false;
            }),
        ),
        parse: |text, settings| boolean(text).map(|on| settings.allow_cross_namespace_resources = on),
    },
    Setting {
        key: "use-proxy-protocol",
        value: "`true` or `false`",
        default: "false",
        doc: "Whether connections for http and https begin with the PROXY protocol, version 1 or 2, which names the \
              client. Without it, and from others than `proxy-real-ip-cidr` names (by default everybody on IPv4 and \
              nobody on IPv6), they are refused.",
        example: "true",
        fail_closed: None,
        scope: class::CONNECTION,
        parse: |text, settings| boolean(text).map(|on| settings.use_proxy_protocol = on),
    },
    Setting {
        key: "proxy-protocol-header-timeout",
        value: "time",
        default: "5s",
        doc: "How long a connection's PROXY header may take.",
        example: "10s",
        fail_closed: None,
        scope: class::CONNECTION,
        parse: |text, settings| time(text).map(|time| settings.proxy_protocol_header_timeout = time),
    },
    Setting {
        key: "server-tokens",
        value: "`true` or `false`",
        default: "false",
        doc: "Whether answers name us in a `Server` header.",
        example: "true",
        fail_closed: None,
        scope: class::CONNECTION,
        parse: |text, settings| boolean(text).map(|on| settings.server_tokens = on),
    },
];
