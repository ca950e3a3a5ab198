//! Connections to backends, and what a request may take there.

use super::{
    class::{self, Form, Scope, Unknown},
    setting::Setting,
    value::{number32, seconds, time},
};

pub(super) static SETTINGS: &[Setting] = &[
    Setting {
        key: "upstream-keepalive-connections",
        value: "number",
        default: "320",
        doc: "How many idle connections each worker keeps to one backend. 0: none.",
        example: "64",
        fail_closed: None,
        scope: class::POOL,
        parse: |text, settings| number32(text, 0..=65_535).map(|most| settings.upstream_keep_alive.connections = most),
    },
    Setting {
        key: "upstream-keepalive-timeout",
        value: "seconds",
        default: "60",
        doc: "How long an idle connection to a backend is kept.",
        example: "20",
        fail_closed: None,
        scope: class::POOL,
        parse: |text, settings| seconds(text, 0).map(|idle| settings.upstream_keep_alive.idle = idle),
    },
    Setting {
        key: "upstream-keepalive-requests",
        value: "number",
        default: "10000",
        doc: "After how many requests a connection to a backend is given up.",
        example: "1000",
        fail_closed: None,
        scope: class::POOL,
        // nginx gives a connection up after its first request where this is 0.
        parse: |text, settings| {
            number32(text, 0..=u32::MAX).map(|most| settings.upstream_keep_alive.requests = most.max(1))
        },
    },
    Setting {
        key: "upstream-keepalive-time",
        value: "time",
        default: "1h",
        doc: "After how long a connection to a backend is given up.",
        example: "10m",
        fail_closed: None,
        scope: class::POOL,
        parse: |text, settings| time(text).map(|time| settings.upstream_keep_alive.lifetime = time),
    },
    Setting {
        key: "proxy-connect-timeout",
        value: "seconds",
        default: "5",
        doc: "How long connecting to one endpoint of a backend may take.",
        example: "2",
        fail_closed: None,
        scope: Scope::Class(Form::Time, Unknown::AsGlobal),
        parse: |text, settings| seconds(text, 1).map(|time| settings.proxy_connect_timeout = time),
    },
    Setting {
        key: "proxy-read-timeout",
        value: "seconds",
        default: "60",
        doc: "How long a backend may pause within an answer; not the time for the whole of it.",
        example: "3600",
        fail_closed: None,
        scope: Scope::Class(Form::Time, Unknown::AsGlobal),
        parse: |text, settings| seconds(text, 1).map(|time| settings.proxy_read_timeout = time),
    },
    Setting {
        key: "proxy-send-timeout",
        value: "seconds",
        default: "60",
        doc: "How long a backend may take no byte of a request; not the time for the whole of it.",
        example: "120",
        fail_closed: None,
        scope: Scope::Class(Form::Time, Unknown::AsGlobal),
        parse: |text, settings| seconds(text, 1).map(|time| settings.proxy_send_timeout = time),
    },
    Setting {
        key: "proxy-next-upstream-tries",
        value: "number",
        default: "3",
        doc: "How many endpoints are tried in all; up to ten that refuse the connection, or had closed a kept one, do not \
              count. 0: as many as there are.",
        example: "2",
        fail_closed: None,
        scope: Scope::Class(Form::Number, Unknown::AsGlobal),
        parse: |text, settings| number32(text, 0..=u32::MAX).map(|tries| settings.proxy_next_upstream_tries = tries),
    },
    Setting {
        key: "proxy-next-upstream-timeout",
        value: "seconds",
        default: "0",
        doc: "After how long no further endpoint is tried. 0: no limit.",
        example: "10",
        fail_closed: None,
        scope: Scope::Class(Form::Time, Unknown::AsGlobal),
        parse: |text, settings| seconds(text, 0).map(|time| settings.proxy_next_upstream_timeout = time),
    },
];
