//! Clients that stay with an endpoint, by a cookie.

use super::{Annotation, Risk, Scope};
use crate::nginx::FALSE;

pub(super) static KEYS: &[Annotation] = &[
    Annotation {
        key: "affinity",
        scope: Scope::Service,
        value: "`cookie`",
        default: "off",
        doc: "Sends a client to the endpoint that it had before.",
        example: "cookie",
        ..Annotation::BASE
    },
    Annotation {
        key: "affinity-canary-behavior",
        scope: Scope::Service,
        value: "`sticky` or `legacy`",
        default: "sticky",
        doc: "Whether a client stays on the side of a canary that it had first.",
        example: "legacy",
        quiet: &["sticky"],
        ..Annotation::BASE
    },
    Annotation {
        key: "affinity-mode",
        scope: Scope::Service,
        risk: Risk::Medium,
        value: "`balanced` or `persistent`",
        default: "balanced",
        doc: "Whether some clients move when endpoints are added, or none does.",
        example: "persistent",
        quiet: &["balanced"],
        ..Annotation::BASE
    },
    Annotation {
        key: "session-cookie-change-on-failure",
        scope: Scope::Service,
        value: "`true` or `false`",
        default: "false",
        doc: "Whether a client gets another endpoint and cookie after a failed try.",
        example: "true",
        quiet: FALSE,
        ..Annotation::BASE
    },
    Annotation {
        key: "session-cookie-conditional-samesite-none",
        scope: Scope::Service,
        value: "`true` or `false`",
        default: "false",
        doc: "Leaves `SameSite=None` away for browsers that misread it.",
        example: "true",
        quiet: FALSE,
        ..Annotation::BASE
    },
    Annotation {
        key: "session-cookie-domain",
        scope: Scope::Service,
        risk: Risk::Medium,
        value: "domain",
        default: "none",
        doc: "The cookie's `Domain`.",
        example: "example.com",
        ..Annotation::BASE
    },
    Annotation {
        key: "session-cookie-expires",
        scope: Scope::Service,
        risk: Risk::Medium,
        value: "seconds",
        default: "none",
        doc: "The cookie's `Expires`, from now.",
        example: "3600",
        ..Annotation::BASE
    },
    Annotation {
        key: "session-cookie-max-age",
        scope: Scope::Service,
        risk: Risk::Medium,
        value: "seconds",
        default: "none: until the browser ends",
        doc: "The cookie's `Max-Age`.",
        example: "3600",
        ..Annotation::BASE
    },
    Annotation {
        key: "session-cookie-name",
        scope: Scope::Service,
        risk: Risk::Medium,
        value: "letters, digits, `-`, `_`, `.`, `/` or blanks",
        default: "INGRESSCOOKIE",
        doc: "The cookie's name.",
        example: "route",
        quiet: &["INGRESSCOOKIE"],
        ..Annotation::BASE
    },
    Annotation {
        key: "session-cookie-path",
        scope: Scope::Service,
        risk: Risk::Medium,
        value: "path",
        default: "the path of the rule",
        doc: "The cookie's `Path`; needed where paths are patterns.",
        example: "/app",
        ..Annotation::BASE
    },
    Annotation {
        key: "session-cookie-samesite",
        scope: Scope::Service,
        value: "`None`, `Lax` or `Strict`",
        default: "none",
        doc: "The cookie's `SameSite`.",
        example: "Lax",
        ..Annotation::BASE
    },
    Annotation {
        key: "session-cookie-secure",
        scope: Scope::Service,
        value: "`true` or `false`",
        default: "true for https",
        doc: "The cookie's `Secure`.",
        example: "true",
        ..Annotation::BASE
    },
];
