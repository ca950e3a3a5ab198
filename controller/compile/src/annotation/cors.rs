//! What scripts of other sites may ask for (the Fetch standard's CORS).

use super::{Annotation, Risk};
use crate::nginx::{FALSE, TRUE};

pub(super) static KEYS: &[Annotation] = &[
    Annotation {
        key: "cors-allow-credentials",
        value: "`true` or `false`",
        default: "true",
        doc: "Whether such requests may carry cookies.",
        example: "false",
        quiet: TRUE,
        ..Annotation::BASE
    },
    Annotation {
        key: "cors-allow-headers",
        risk: Risk::Medium,
        value: "header names with commas",
        default: "DNT,Keep-Alive,User-Agent,X-Requested-With,If-Modified-Since,Cache-Control,Content-Type,Range,Authorization",
        doc: "Which headers such requests may have.",
        example: "X-Token,Content-Type",
        ..Annotation::BASE
    },
    Annotation {
        key: "cors-allow-methods",
        risk: Risk::Medium,
        value: "methods with commas",
        default: "GET, PUT, POST, DELETE, PATCH, OPTIONS",
        doc: "Which methods they may use.",
        example: "GET, POST",
        quiet: &["GET, PUT, POST, DELETE, PATCH, OPTIONS"],
        ..Annotation::BASE
    },
    Annotation {
        key: "cors-allow-origin",
        risk: Risk::Medium,
        value: "origins with commas; `*` for one label or for any",
        default: "*",
        doc: "Which sites may ask; the one that does is named in the answer.",
        example: "https://*.example.com",
        quiet: &["*"],
        ..Annotation::BASE
    },
    Annotation {
        key: "cors-expose-headers",
        risk: Risk::Medium,
        value: "header names with commas, or `*`",
        default: "none",
        doc: "Which headers of answers scripts may read.",
        example: "X-Total",
        ..Annotation::BASE
    },
    Annotation {
        key: "cors-max-age",
        value: "seconds",
        default: "1728000",
        doc: "How long a browser may remember all this.",
        example: "600",
        quiet: &["1728000"],
        ..Annotation::BASE
    },
    Annotation {
        key: "enable-cors",
        value: "`true` or `false`",
        default: "false",
        doc: "Whether the keys of this group count, and preflight requests are answered by us.",
        example: "true",
        quiet: FALSE,
        ..Annotation::BASE
    },
];
