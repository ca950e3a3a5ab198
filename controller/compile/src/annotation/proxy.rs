//! How long a backend may take, and when another endpoint is tried.

use std::time::Duration;

use super::{Annotation, Risk};

pub(super) static KEYS: &[Annotation] = &[
    Annotation {
        key: "proxy-connect-timeout",
        value: "seconds",
        default: "the global `proxy-connect-timeout` (5)",
        doc: "How long connecting to an endpoint may take.",
        example: "2",
        same_as_global: Some(|value, settings| seconds(value) == Some(settings.proxy_connect_timeout)),
        ..Annotation::BASE
    },
    Annotation {
        key: "proxy-http-version",
        value: "`1.0` or `1.1`",
        default: "1.1",
        doc: "The version of HTTP that is spoken to the backend.",
        example: "1.0",
        quiet: &["1.1"],
        ..Annotation::BASE
    },
    Annotation {
        key: "proxy-next-upstream",
        risk: Risk::Medium,
        value: "words such as `error`, `timeout`, `http_502`, `non_idempotent` or `off`",
        default: "error timeout",
        doc: "After which failures another endpoint is tried.",
        example: "error timeout http_503",
        quiet: &["error timeout", "timeout error"],
        ..Annotation::BASE
    },
    Annotation {
        key: "proxy-next-upstream-timeout",
        value: "seconds; 0: no limit",
        default: "the global `proxy-next-upstream-timeout` (0)",
        doc: "After how long no further endpoint is tried.",
        example: "10",
        same_as_global: Some(|value, settings| seconds(value) == Some(settings.proxy_next_upstream_timeout)),
        ..Annotation::BASE
    },
    Annotation {
        key: "proxy-next-upstream-tries",
        value: "number; 0: no limit",
        default: "the global `proxy-next-upstream-tries` (3)",
        doc: "How many endpoints are tried in all.",
        example: "2",
        same_as_global: Some(|value, settings| value.parse() == Ok(settings.proxy_next_upstream_tries)),
        ..Annotation::BASE
    },
    Annotation {
        key: "proxy-read-timeout",
        value: "seconds",
        default: "the global `proxy-read-timeout` (60)",
        doc: "How long the backend may pause within an answer.",
        example: "3600",
        same_as_global: Some(|value, settings| seconds(value) == Some(settings.proxy_read_timeout)),
        ..Annotation::BASE
    },
    Annotation {
        key: "proxy-send-timeout",
        value: "seconds",
        default: "the global `proxy-send-timeout` (60)",
        doc: "How long the backend may take no byte of a request.",
        example: "120",
        same_as_global: Some(|value, settings| seconds(value) == Some(settings.proxy_send_timeout)),
        ..Annotation::BASE
    },
];

fn seconds(value: &str) -> Option<Duration> {
    value.parse().ok().map(Duration::from_secs)
}
