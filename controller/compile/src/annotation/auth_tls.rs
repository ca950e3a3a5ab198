//! Certificates of clients, asked for in the handshake: of the host as a whole.

use super::{Annotation, Loss, Risk, Scope};
use crate::nginx::FALSE;

pub(super) static KEYS: &[Annotation] = &[
    Annotation {
        key: "auth-tls-error-page",
        scope: Scope::Host,
        risk: Risk::High,
        value: "URL",
        default: "none",
        doc: "Where a client is sent whose certificate is not accepted.",
        example: "https://example.com/no-certificate",
        loss: Loss::Access,
        ..Annotation::BASE
    },
    Annotation {
        key: "auth-tls-match-cn",
        scope: Scope::Host,
        risk: Risk::High,
        value: "regular expression that begins with `CN=`",
        default: "none",
        doc: "What the subject of the certificate must match; 403 otherwise.",
        example: "CN=staff-.*",
        loss: Loss::Access,
        ..Annotation::BASE
    },
    Annotation {
        key: "auth-tls-pass-certificate-to-upstream",
        scope: Scope::Host,
        value: "`true` or `false`",
        default: "false",
        doc: "Whether the backend gets the certificate in `ssl-client-cert`.",
        example: "true",
        loss: Loss::Access,
        quiet: FALSE,
        ..Annotation::BASE
    },
    Annotation {
        key: "auth-tls-secret",
        scope: Scope::Host,
        risk: Risk::Medium,
        value: "namespace/Secret",
        default: "none",
        doc: "The CA that clients' certificates must come from (`ca.crt`), and what it revoked (`ca.crl`).",
        example: "apps/client-ca",
        loss: Loss::Access,
        ..Annotation::BASE
    },
    Annotation {
        key: "auth-tls-verify-client",
        scope: Scope::Host,
        risk: Risk::Medium,
        value: "`on`, `off`, `optional` or `optional_no_ca`",
        default: "on",
        doc: "Whether a certificate is needed, or only asked for.",
        example: "optional",
        loss: Loss::Access,
        quiet: &["off"],
        ..Annotation::BASE
    },
    Annotation {
        key: "auth-tls-verify-depth",
        scope: Scope::Host,
        value: "number",
        default: "1",
        doc: "How long the chain of a client's certificate may be.",
        example: "2",
        loss: Loss::Access,
        ..Annotation::BASE
    },
];
