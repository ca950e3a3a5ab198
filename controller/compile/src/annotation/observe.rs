//! What is logged and traced.

use super::{Annotation, Risk, Support};
use crate::nginx::{FALSE, TRUE};

pub(super) static KEYS: &[Annotation] = &[
    Annotation {
        key: "enable-access-log",
        value: "`true` or `false`",
        default: "true",
        doc: "Whether requests are in the access log.",
        example: "false",
        quiet: TRUE,
        ..Annotation::BASE
    },
    Annotation {
        key: "enable-opentelemetry",
        value: "`true` or `false`",
        default: "the global `enable-opentelemetry`",
        doc: "Whether requests are traced.",
        example: "true",
        quiet: FALSE,
        ..Annotation::BASE
    },
    Annotation {
        key: "enable-rewrite-log",
        value: "`true` or `false`",
        default: "false",
        doc: "Logs how nginx rewrites paths.",
        example: "true",
        support: Support::Ignored(
            "has no meaning outside nginx; the log of level `debug` tells how a request was routed",
        ),
        quiet: FALSE,
        ..Annotation::BASE
    },
    Annotation {
        key: "opentelemetry-operation-name",
        risk: Risk::Medium,
        value: "text with variables",
        default: "none",
        doc: "The name of the span.",
        example: "shop",
        ..Annotation::BASE
    },
    Annotation {
        key: "opentelemetry-trust-incoming-span",
        value: "`true` or `false`",
        default: "true",
        doc: "Whether a client's trace goes on with us.",
        example: "false",
        quiet: TRUE,
        ..Annotation::BASE
    },
];
