//! TLS between clients and us.

use super::value::boolean;
use super::{Annotation, Loss, Scope};
use crate::nginx::{self, FALSE};

pub(super) static KEYS: &[Annotation] = &[
    Annotation {
        key: "ssl-ciphers",
        scope: Scope::Host,
        value: "OpenSSL cipher names with colons",
        default: "the global `ssl-ciphers`",
        doc: "Which cipher suites of TLS 1.2 are offered; those of TLS 1.3 always are.",
        example: "ECDHE-RSA-AES128-GCM-SHA256",
        parse: Some(|value, stated| nginx::usable_ciphers(value).map(|suites| stated.ssl_ciphers = Some(suites))),
        notice: Some(|value| nginx::ciphers(value).notice()),
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
        parse: Some(|value, stated| boolean(value).map(|on| stated.passthrough = on)),
        ..Annotation::BASE
    },
    Annotation {
        key: "ssl-prefer-server-ciphers",
        scope: Scope::Host,
        value: "`true` or `false`",
        default: "the global `ssl-prefer-server-ciphers`",
        doc: "Whether our order of cipher suites counts, not the client's.",
        example: "true",
        parse: Some(|value, stated| boolean(value).map(|on| stated.ssl_prefer_server_ciphers = Some(on))),
        ..Annotation::BASE
    },
];
