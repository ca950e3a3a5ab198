//! How much one client may ask for, by its address.

use super::Annotation;

pub(super) static KEYS: &[Annotation] = &[
    Annotation {
        key: "limit-allowlist",
        aliases: &["limit-whitelist"],
        value: "networks with commas",
        default: "none",
        doc: "Addresses that are not limited.",
        example: "10.0.0.0/8",
        ..Annotation::BASE
    },
    Annotation {
        key: "limit-burst-multiplier",
        value: "number",
        default: "5",
        doc: "How many times the limit may come at once.",
        example: "2",
        quiet: &["5"],
        ..Annotation::BASE
    },
    Annotation {
        key: "limit-connections",
        value: "number; 0: any",
        default: "0",
        doc: "How many requests of a client may be in flight.",
        example: "10",
        quiet: &["0"],
        ..Annotation::BASE
    },
    Annotation {
        key: "limit-rate",
        value: "KiB a second; 0: any",
        default: "the global `limit-rate` (0)",
        doc: "How fast an answer may go out.",
        example: "512",
        quiet: &["0"],
        ..Annotation::BASE
    },
    Annotation {
        key: "limit-rate-after",
        value: "KiB",
        default: "the global `limit-rate-after` (0)",
        doc: "How much of an answer goes out before `limit-rate` counts.",
        example: "1024",
        quiet: &["0"],
        ..Annotation::BASE
    },
    Annotation {
        key: "limit-rpm",
        value: "number; 0: any",
        default: "0",
        doc: "How many requests a minute.",
        example: "300",
        quiet: &["0"],
        ..Annotation::BASE
    },
    Annotation {
        key: "limit-rps",
        value: "number; 0: any",
        default: "0",
        doc: "How many requests a second; more are answered 503. Each pod of ours counts for itself.",
        example: "20",
        quiet: &["0"],
        ..Annotation::BASE
    },
];
