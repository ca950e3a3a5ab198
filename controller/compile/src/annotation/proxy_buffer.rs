//! Sizes, and what is gathered before it is handed on.

use std::num::NonZeroU64;

use super::{Annotation, Risk, Support};
use crate::nginx::size;

pub(super) static KEYS: &[Annotation] = &[
    Annotation {
        key: "client-body-buffer-size",
        value: "size",
        default: "the global `client-body-buffer-size` (8k)",
        doc: "Up to which size a request body is gathered before the backend is asked.",
        example: "1m",
        same_as_global: Some(|value, settings| size(value) == Ok(settings.client_body_buffer_size)),
        ..Annotation::BASE
    },
    Annotation {
        key: "proxy-body-size",
        risk: Risk::Medium,
        value: "size; 0: any",
        default: "the global `proxy-body-size` (1m)",
        doc: "The largest request body; above it the answer is 413.",
        example: "50m",
        same_as_global: Some(|value, settings| size(value) == Ok(settings.proxy_body_size.map_or(0, NonZeroU64::get))),
        ..Annotation::BASE
    },
    Annotation {
        key: "proxy-buffer-size",
        value: "size",
        default: "the global `proxy-buffer-size` (4k)",
        doc: "How large the head of an answer may be; too little for large cookies gives 502.",
        example: "16k",
        quiet: &["4k"],
        ..Annotation::BASE
    },
    Annotation {
        key: "proxy-buffering",
        value: "`on` or `off`",
        default: "off",
        doc: "Whether an answer is gathered, so that a slow client does not hold the backend.",
        example: "on",
        quiet: &["off"],
        ..Annotation::BASE
    },
    Annotation {
        key: "proxy-buffers-number",
        value: "number",
        default: "4",
        doc: "How many buffers `proxy-buffering` has for an answer.",
        example: "8",
        quiet: &["4"],
        ..Annotation::BASE
    },
    Annotation {
        key: "proxy-busy-buffers-size",
        value: "size",
        default: "chosen by nginx",
        doc: "How many of the buffers may be on their way to the client.",
        example: "16k",
        support: Support::Ignored("has no meaning outside nginx"),
        ..Annotation::BASE
    },
    Annotation {
        key: "proxy-max-temp-file-size",
        value: "size",
        default: "1024m",
        doc: "How much of an answer nginx may keep on disk.",
        example: "0",
        support: Support::Ignored("has no meaning here, because no answer is kept on disk"),
        quiet: &["1024m"],
        ..Annotation::BASE
    },
    Annotation {
        key: "proxy-request-buffering",
        value: "`on` or `off`",
        default: "on",
        doc: "Whether a request body is read to its end before the backend is asked. A larger one than `client-body-buffer-size` streams here in any case.",
        example: "off",
        quiet: &["on"],
        ..Annotation::BASE
    },
];
