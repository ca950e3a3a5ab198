//! Which endpoint gets a request.

use super::{Annotation, Risk, Scope};
use crate::nginx::FALSE;

pub(super) static KEYS: &[Annotation] = &[
    Annotation {
        key: "load-balance",
        scope: Scope::Service,
        value: "`round_robin` or `ewma`",
        default: "round_robin",
        doc: "How endpoints are chosen: in turn, or the one that answered fastest of late.",
        example: "ewma",
        quiet: &["round_robin"],
        ..Annotation::BASE
    },
    Annotation {
        key: "upstream-hash-by",
        scope: Scope::Service,
        risk: Risk::High,
        value: "text with variables",
        default: "none",
        doc: "The same value leads to the same endpoint; wins over `load-balance`.",
        example: "$request_uri",
        ..Annotation::BASE
    },
    Annotation {
        key: "upstream-hash-by-subset",
        scope: Scope::Service,
        value: "`true` or `false`",
        default: "false",
        doc: "The same value leads to the same few endpoints, not to one.",
        example: "true",
        quiet: FALSE,
        ..Annotation::BASE
    },
    Annotation {
        key: "upstream-hash-by-subset-size",
        scope: Scope::Service,
        value: "number",
        default: "3",
        doc: "How many these are.",
        example: "5",
        quiet: &["3"],
        ..Annotation::BASE
    },
];
