//! TLS between us and backends, where `backend-protocol` asks for it.

use super::{Annotation, Risk, Scope, Support};

pub(super) static KEYS: &[Annotation] = &[
    Annotation {
        key: "proxy-ssl-ciphers",
        scope: Scope::Service,
        risk: Risk::Medium,
        value: "OpenSSL cipher names with colons",
        default: "DEFAULT",
        doc: "Which cipher suites are offered to the backend.",
        example: "ECDHE-RSA-AES128-GCM-SHA256",
        quiet: &["DEFAULT"],
        support: Support::Served,
        ..Annotation::BASE
    },
    Annotation {
        key: "proxy-ssl-name",
        scope: Scope::Service,
        risk: Risk::High,
        value: "host name",
        default: "`SERVICE.NAMESPACE.svc`; of an ExternalName Service the name that it stands for",
        doc: "The name, or address, that the backend's certificate must have, and that is sent as SNI.",
        example: "internal.example.com",
        support: Support::Served,
        ..Annotation::BASE
    },
    Annotation {
        key: "proxy-ssl-protocols",
        scope: Scope::Service,
        value: "`TLSv1.2`, `TLSv1.3` or both",
        default: "TLSv1.2 TLSv1.3",
        doc: "Which versions of TLS are offered to the backend.",
        example: "TLSv1.3",
        quiet: &["TLSv1.2 TLSv1.3", "TLSv1.3 TLSv1.2"],
        support: Support::Served,
        ..Annotation::BASE
    },
    Annotation {
        key: "proxy-ssl-secret",
        scope: Scope::Service,
        risk: Risk::Medium,
        value: "namespace/Secret",
        default: "none",
        doc: "The CA that backends are checked against (`ca.crt`), and the certificate and key that we show them (`tls.crt`, \
              `tls.key`).",
        example: "apps/backend-tls",
        support: Support::Served,
        ..Annotation::BASE
    },
    Annotation {
        key: "proxy-ssl-server-name",
        scope: Scope::Service,
        value: "`on` or `off`",
        default: "off",
        doc: "Whether the backend is told the name (SNI).",
        example: "on",
        quiet: &["off"],
        support: Support::Served,
        ..Annotation::BASE
    },
    Annotation {
        key: "proxy-ssl-verify",
        scope: Scope::Service,
        value: "`on` or `off`",
        default: "off",
        doc: "Whether the backend's certificate is checked; without a CA in `proxy-ssl-secret` nothing is served.",
        example: "on",
        quiet: &["off"],
        support: Support::Served,
        ..Annotation::BASE
    },
    Annotation {
        key: "proxy-ssl-verify-depth",
        scope: Scope::Service,
        value: "number",
        default: "1",
        doc: "How many certificates may stand between the backend's and the CA's.",
        example: "2",
        quiet: &["1"],
        support: Support::Served,
        ..Annotation::BASE
    },
];
