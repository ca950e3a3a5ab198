//! Which addresses may ask.

use super::{Annotation, Loss, Risk};

pub(super) static KEYS: &[Annotation] = &[
    Annotation {
        key: "allowlist-source-range",
        aliases: &["whitelist-source-range"],
        risk: Risk::Medium,
        value: "networks with commas",
        default: "the global `whitelist-source-range`",
        doc: "Whoever has another address gets 403. Replaces the global list.",
        example: "10.0.0.0/8,192.0.2.7",
        loss: Loss::Access,
        ..Annotation::BASE
    },
    Annotation {
        key: "denylist-source-range",
        risk: Risk::Medium,
        value: "networks with commas",
        default: "the global `denylist-source-range`",
        doc: "Whoever has one of these addresses gets 403; looked at before the allowlist.",
        example: "203.0.113.0/24",
        loss: Loss::Access,
        ..Annotation::BASE
    },
    Annotation {
        key: "satisfy",
        value: "`all` or `any`",
        default: "all",
        doc: "Whether a client must pass both the lists of addresses and the authentication, or one of them.",
        example: "any",
        loss: Loss::Access,
        quiet: &["all"],
        ..Annotation::BASE
    },
];
