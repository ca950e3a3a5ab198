//! FastCGI, which is not spoken here.

use super::{Annotation, Risk, Support};

pub(super) static KEYS: &[Annotation] = &[
    Annotation {
        key: "fastcgi-index",
        risk: Risk::Medium,
        value: "file name",
        default: "none",
        doc: "The file that a path with a slash at its end stands for.",
        example: "index.php",
        support: Support::Refused(WHY),
        ..Annotation::BASE
    },
    Annotation {
        key: "fastcgi-params-configmap",
        risk: Risk::Medium,
        value: "ConfigMap, or namespace/ConfigMap",
        default: "none",
        doc: "FastCGI parameters.",
        example: "apps/fastcgi-params",
        support: Support::Refused(WHY),
        ..Annotation::BASE
    },
];

const WHY: &str =
    "belongs to FastCGI, which is not spoken here; put a web server that speaks it before the application";
