//! A copy of each request to somewhere else.

use super::{Annotation, Risk};

pub(super) static KEYS: &[Annotation] = &[
    Annotation {
        key: "mirror-host",
        risk: Risk::High,
        value: "host name",
        default: "the host of `mirror-target`",
        doc: "The `Host` header of the copy.",
        example: "shadow.example.com",
        ..Annotation::BASE
    },
    Annotation {
        key: "mirror-request-body",
        value: "`on` or `off`",
        default: "on",
        doc: "Whether the copy has the body.",
        example: "off",
        quiet: &["on"],
        ..Annotation::BASE
    },
    Annotation {
        key: "mirror-target",
        risk: Risk::High,
        value: "URL with variables",
        default: "none",
        doc: "Where a copy of each request goes; its answer is dropped.",
        example: "https://shadow.example.com$request_uri",
        ..Annotation::BASE
    },
];
