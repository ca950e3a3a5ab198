//! Answers that send the client elsewhere.

use super::{Annotation, Loss, Risk, Scope, value::boolean};
use crate::nginx::FALSE;

pub(super) static KEYS: &[Annotation] = &[
    Annotation {
        key: "app-root",
        risk: Risk::Medium,
        value: "absolute path",
        default: "none",
        doc: "Where requests for exactly `/` are sent, by 302.",
        example: "/app",
        ..Annotation::BASE
    },
    Annotation {
        key: "force-ssl-redirect",
        risk: Risk::Medium,
        value: "`true` or `false`",
        default: "the global `force-ssl-redirect`",
        doc: "Sends http to https although no certificate is named, because TLS ended in front of us.",
        example: "true",
        parse: Some(|value, stated| boolean(value).map(|on| stated.redirect.force_ssl_redirect = Some(on))),
        quiet: FALSE,
        ..Annotation::BASE
    },
    Annotation {
        key: "from-to-www-redirect",
        scope: Scope::Host,
        value: "`true` or `false`",
        default: "false",
        doc: "Sends `www.example.com` to `example.com`, or the other way round, whichever of the two has no rules.",
        example: "true",
        quiet: FALSE,
        ..Annotation::BASE
    },
    Annotation {
        key: "permanent-redirect",
        risk: Risk::Medium,
        value: "URL",
        default: "none",
        doc: "Answers every request with a redirect to this place, by 301, before any check of access.",
        example: "https://example.org",
        loss: Loss::Answer,
        ..Annotation::BASE
    },
    Annotation {
        key: "permanent-redirect-code",
        value: "300 to 308",
        default: "301",
        doc: "The status of `permanent-redirect`.",
        example: "308",
        quiet: &["301"],
        ..Annotation::BASE
    },
    Annotation {
        key: "preserve-trailing-slash",
        risk: Risk::Medium,
        value: "`true` or `false`",
        default: "the global `preserve-trailing-slash`",
        doc: "Keeps a slash at the end of the path in the redirect to https.",
        example: "true",
        parse: Some(|value, stated| boolean(value).map(|on| stated.redirect.preserve_trailing_slash = Some(on))),
        quiet: FALSE,
        ..Annotation::BASE
    },
    Annotation {
        key: "relative-redirects",
        value: "`true` or `false`",
        default: "false",
        doc: "Redirects name a path only, without scheme and host.",
        example: "true",
        quiet: FALSE,
        ..Annotation::BASE
    },
    Annotation {
        key: "ssl-redirect",
        value: "`true` or `false`",
        default: "the global `ssl-redirect`",
        doc: "Sends http to https where `spec.tls` covers the host.",
        example: "false",
        parse: Some(|value, stated| boolean(value).map(|on| stated.redirect.ssl_redirect = Some(on))),
        ..Annotation::BASE
    },
    Annotation {
        key: "temporal-redirect",
        risk: Risk::Medium,
        value: "URL",
        default: "none",
        doc: "Answers every request with a redirect to this place, by 302; wins over `permanent-redirect`.",
        example: "https://example.org/maintenance",
        loss: Loss::Answer,
        ..Annotation::BASE
    },
    Annotation {
        key: "temporal-redirect-code",
        value: "300 to 307",
        default: "302",
        doc: "The status of `temporal-redirect`.",
        example: "307",
        quiet: &["302"],
        ..Annotation::BASE
    },
    Annotation {
        key: "use-port-in-redirects",
        value: "`true` or `false`",
        default: "false",
        doc: "Redirects name the port on which we listen.",
        example: "true",
        quiet: FALSE,
        ..Annotation::BASE
    },
];
