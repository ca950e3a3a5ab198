//! A service of yours that is asked about each request.

use super::{Annotation, Loss, Risk, Support};
use crate::nginx::FALSE;

pub(super) static KEYS: &[Annotation] = &[
    Annotation {
        key: "auth-always-set-cookie",
        value: "`true` or `false`",
        default: "false",
        doc: "Whether cookies of the service also go out with answers that are errors.",
        example: "true",
        quiet: FALSE,
        ..Annotation::BASE
    },
    Annotation {
        key: "auth-cache-duration",
        risk: Risk::Medium,
        value: "statuses and a time, with commas",
        default: "200 202 401 5m",
        doc: "How long an answer of the service is remembered.",
        example: "200 10m",
        quiet: &["200 202 401 5m"],
        ..Annotation::BASE
    },
    Annotation {
        key: "auth-cache-key",
        risk: Risk::Medium,
        value: "text with variables",
        default: "none",
        doc: "By what answers of the service are remembered.",
        example: "$remote_user$http_authorization",
        ..Annotation::BASE
    },
    Annotation {
        key: "auth-keepalive",
        value: "number",
        default: "0",
        doc: "How many idle connections to the service are kept.",
        example: "16",
        quiet: &["0"],
        ..Annotation::BASE
    },
    Annotation {
        key: "auth-keepalive-requests",
        value: "number",
        default: "1000",
        doc: "After how many requests such a connection is given up.",
        example: "100",
        quiet: &["1000"],
        ..Annotation::BASE
    },
    Annotation {
        key: "auth-keepalive-share-vars",
        value: "`true` or `false`",
        default: "false",
        doc: "Whether the request to the service shares nginx's variables with the client's.",
        example: "true",
        quiet: FALSE,
        ..Annotation::BASE
    },
    Annotation {
        key: "auth-keepalive-timeout",
        value: "seconds",
        default: "60",
        doc: "How long an idle connection to the service is kept.",
        example: "30",
        quiet: &["60"],
        ..Annotation::BASE
    },
    Annotation {
        key: "auth-method",
        value: "method of HTTP",
        default: "GET",
        doc: "The method of the request to the service.",
        example: "POST",
        loss: Loss::Access,
        ..Annotation::BASE
    },
    Annotation {
        key: "auth-proxy-set-headers",
        risk: Risk::Medium,
        value: "namespace/ConfigMap",
        default: "none",
        doc: "Headers that are added to the request to the service.",
        example: "apps/auth-headers",
        ..Annotation::BASE
    },
    Annotation {
        key: "auth-request-redirect",
        risk: Risk::Medium,
        value: "URL with variables",
        default: "the path of the request",
        doc: "The value of `X-Auth-Request-Redirect` to the service.",
        example: "https://example.com/back",
        ..Annotation::BASE
    },
    Annotation {
        key: "auth-response-headers",
        risk: Risk::Medium,
        value: "header names with commas",
        default: "none",
        doc: "Headers of the service's answer that go to the backend, and that no client can set itself.",
        example: "X-Auth-User,X-Auth-Groups",
        ..Annotation::BASE
    },
    Annotation {
        key: "auth-signin",
        risk: Risk::High,
        value: "URL with variables",
        default: "none",
        doc: "Where a client is sent whom the service answers 401.",
        example: "https://login.example.com/start",
        ..Annotation::BASE
    },
    Annotation {
        key: "auth-signin-redirect-param",
        risk: Risk::Medium,
        value: "name",
        default: "rd",
        doc: "The parameter of that URL which says where to go back to.",
        example: "next",
        quiet: &["rd"],
        ..Annotation::BASE
    },
    Annotation {
        key: "auth-snippet",
        risk: Risk::Critical,
        value: "directives of nginx",
        default: "none",
        doc: "Directives for the request to the service.",
        example: "proxy_set_header X-Realm staff;",
        support: Support::Snippet,
        loss: Loss::Access,
        ..Annotation::BASE
    },
    Annotation {
        key: "auth-url",
        risk: Risk::High,
        value: "URL with variables",
        default: "none",
        doc: "The service that is asked: 2xx lets the request through, 401 and 403 do not.",
        example: "https://auth.example.com/check",
        loss: Loss::Access,
        ..Annotation::BASE
    },
    Annotation {
        key: "enable-global-auth",
        value: "`true` or `false`",
        default: "true",
        doc: "Whether the global `global-auth-url` is asked for these paths. It is not served either and denies all paths, so both values say nothing yet.",
        example: "false",
        loss: Loss::Access,
        quiet: EITHER,
        ..Annotation::BASE
    },
];

/// What ingress-nginx reads as a truth value.
const EITHER: &[&str] = &["1", "t", "T", "true", "TRUE", "True", "0", "f", "F", "false", "FALSE", "False"];
