//! Answers in place of those of a backend that failed.

use super::Annotation;
use crate::nginx::FALSE;

pub(super) static KEYS: &[Annotation] = &[
    Annotation {
        key: "custom-http-errors",
        value: "statuses of 400 and more, with commas",
        default: "the global `custom-http-errors`",
        doc: "Answers with these statuses are replaced by what the default backend says to them.",
        example: "404,503",
        ..Annotation::BASE
    },
    Annotation {
        key: "default-backend",
        value: "Service of the same namespace",
        default: "the global default backend",
        doc: "Who answers where the backend has no endpoints, and for `custom-http-errors`.",
        example: "error-pages",
        ..Annotation::BASE
    },
    Annotation {
        key: "disable-proxy-intercept-errors",
        value: "`true` or `false`",
        default: "false",
        doc: "Leaves the backend's own errors as they are.",
        example: "true",
        quiet: FALSE,
        ..Annotation::BASE
    },
];
