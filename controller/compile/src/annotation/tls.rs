//! TLS between clients and us.

use super::{Annotation, Loss, Scope};
use crate::nginx::FALSE;

pub(super) static KEYS: &[Annotation] = &[
    Annotation {
        key: "ssl-ciphers",
        scope: Scope::Host,
        value: "OpenSSL cipher names with colons",
        default: "the global `ssl-ciphers`",
        doc: "Which cipher suites of TLS 1.2 are offered.",
        example: "ECDHE-RSA-AES128-GCM-SHA256",
        ..Annotation::BASE
    },
    Annotation {
        key: "ssl-passthrough",
        scope: Scope::Host,
        value: "`true` or `false`",
        default: "false",
        doc: "Hands connections on by their server name (SNI) without ending TLS; wants `--enable-ssl-passthrough`, and no other annotation counts then.",
        example: "true",
        loss: Loss::Backend,
        quiet: FALSE,
        ..Annotation::BASE
    },
    Annotation {
        key: "ssl-prefer-server-ciphers",
        scope: Scope::Host,
        value: "`true` or `false`",
        default: "the global `ssl-prefer-server-ciphers`",
        doc: "Whether our order of cipher suites counts, not the client's.",
        example: "true",
        ..Annotation::BASE
    },
];
