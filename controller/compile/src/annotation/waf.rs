//! ModSecurity: refused and never passed over, because somebody relies on it.

use super::{Annotation, Loss, Risk, Support};
use crate::nginx::FALSE;

pub(super) static KEYS: &[Annotation] = &[
    Annotation {
        key: "enable-modsecurity",
        value: "`true` or `false`",
        default: "the global `enable-modsecurity`",
        doc: "Checks requests by rules of ModSecurity.",
        example: "true",
        support: Support::Refused(WHY),
        loss: Loss::Access,
        quiet: FALSE,
        ..Annotation::BASE
    },
    Annotation {
        key: "enable-owasp-core-rules",
        value: "`true` or `false`",
        default: "false",
        doc: "Adds the rules of OWASP.",
        example: "true",
        support: Support::Refused(WHY),
        loss: Loss::Access,
        quiet: FALSE,
        ..Annotation::BASE
    },
    Annotation {
        key: "modsecurity-snippet",
        risk: Risk::Critical,
        value: "directives of ModSecurity",
        default: "none",
        doc: "Rules of your own, where `enable-modsecurity` is on.",
        example: "SecRuleEngine On",
        support: Support::Refused(WHY),
        ..Annotation::BASE
    },
    Annotation {
        key: "modsecurity-transaction-id",
        risk: Risk::High,
        value: "variable",
        default: "none",
        doc: "By which id ModSecurity logs a request.",
        example: "$request_id",
        support: Support::Refused(WHY),
        ..Annotation::BASE
    },
];

const WHY: &str =
    "needs a web application firewall, which there is none of here; put one in front, or behind, and drop the key";
