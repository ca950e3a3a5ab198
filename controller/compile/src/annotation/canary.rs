//! An Ingress that takes a part of the requests of another with the same host and path.

use super::{Annotation, Loss, Risk, Scope};
use crate::nginx::FALSE;

pub(super) static KEYS: &[Annotation] = &[
    Annotation {
        key: "canary",
        scope: Scope::Ingress,
        value: "`true` or `false`",
        default: "false",
        doc: "Makes the Ingress a canary: it has no host of its own, and takes what the keys below say of the Ingress that has its host and path.",
        example: "true",
        loss: Loss::Ingress,
        quiet: FALSE,
        ..Annotation::BASE
    },
    Annotation {
        key: "canary-by-cookie",
        scope: Scope::Ingress,
        risk: Risk::Medium,
        value: "cookie name",
        default: "none",
        doc: "Requests whose cookie is `always` go to the canary, `never` not.",
        example: "canary",
        ..Annotation::BASE
    },
    Annotation {
        key: "canary-by-header",
        scope: Scope::Ingress,
        risk: Risk::Medium,
        value: "header name",
        default: "none",
        doc: "Requests whose header is `always` go to the canary, `never` not.",
        example: "X-Canary",
        ..Annotation::BASE
    },
    Annotation {
        key: "canary-by-header-pattern",
        scope: Scope::Ingress,
        risk: Risk::Medium,
        value: "regular expression",
        default: "none",
        doc: "Requests whose header matches go to the canary; `canary-by-header-value` wins.",
        example: "beta|alpha",
        ..Annotation::BASE
    },
    Annotation {
        key: "canary-by-header-value",
        scope: Scope::Ingress,
        risk: Risk::Medium,
        value: "text",
        default: "none",
        doc: "Requests whose header has this value go to the canary; `always` and `never` have no meaning then.",
        example: "beta",
        ..Annotation::BASE
    },
    Annotation {
        key: "canary-weight",
        scope: Scope::Ingress,
        value: "number, up to the total",
        default: "0",
        doc: "The share of all other requests that goes to the canary.",
        example: "10",
        quiet: &["0"],
        ..Annotation::BASE
    },
    Annotation {
        key: "canary-weight-total",
        scope: Scope::Ingress,
        value: "number of at least 100",
        default: "100",
        doc: "What `canary-weight` is a part of.",
        example: "1000",
        quiet: &["100"],
        ..Annotation::BASE
    },
];
