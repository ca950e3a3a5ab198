//! A name and a password, checked by us (RFC 7617).

use super::{Annotation, Loss, Risk};

pub(super) static KEYS: &[Annotation] = &[
    Annotation {
        key: "auth-realm",
        risk: Risk::Medium,
        value: "text",
        default: "Authentication Required",
        doc: "What the browser shows when it asks.",
        example: "Staff only",
        quiet: &["Authentication Required"],
        ..Annotation::BASE
    },
    Annotation {
        key: "auth-secret",
        risk: Risk::Medium,
        value: "Secret, or namespace/Secret",
        default: "none",
        doc: "The names and password hashes.",
        example: "staff",
        loss: Loss::Access,
        ..Annotation::BASE
    },
    Annotation {
        key: "auth-secret-type",
        value: "`auth-file` or `auth-map`",
        default: "auth-file",
        doc: "Whether the Secret holds a file as `htpasswd` writes it, or a key for each name.",
        example: "auth-map",
        loss: Loss::Access,
        ..Annotation::BASE
    },
    Annotation {
        key: "auth-type",
        value: "`basic` or `digest`",
        default: "none",
        doc: "How names and passwords are asked for.",
        example: "basic",
        loss: Loss::Access,
        ..Annotation::BASE
    },
];
