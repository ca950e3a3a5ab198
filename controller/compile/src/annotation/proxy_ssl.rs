//! TLS between us and backends, where `backend-protocol` asks for it.
//!
//! Where it is not certain whom we would speak to, or as whom, nothing may be sent: such keys are about access.

use rustls_pki_types::ServerName;

use super::{Annotation, Loss, Risk, Scope, value, value::on_or_off};
use crate::{
    draft::{Stated, UpstreamTlsDraft},
    nginx,
};

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
        parse: Some(|value, stated| nginx::usable_ciphers(value).map(|suites| tls(stated).suites = suites)),
        notice: Some(|value| nginx::ciphers(value).notice()),
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
        parse: Some(|value, stated| {
            ServerName::try_from(value).map_err(|_| format!("`{value}` is neither a DNS name nor an address"))?;
            tls(stated).name = Some(value.into());
            Ok(())
        }),
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
        parse: Some(|value, stated| nginx::versions(value).map(|versions| tls(stated).versions = versions)),
        notice: Some(nginx::versions_notice),
        ..Annotation::BASE
    },
    Annotation {
        key: "proxy-ssl-secret",
        scope: Scope::Service,
        risk: Risk::Medium,
        value: "namespace/Secret",
        default: "none",
        doc: "The CA that backends are checked against (`ca.crt`), and the certificate and key that we show them (`tls.crt`, \
              `tls.key`); of another namespace only with the global `allow-cross-namespace-resources`.",
        example: "apps/backend-tls",
        parse: Some(|text, stated| value::secret(text).map(|secret| tls(stated).secret = Some(secret))),
        loss: Loss::Access,
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
        parse: Some(|value, stated| on_or_off(value).map(|on| tls(stated).send_name = on)),
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
        parse: Some(|value, stated| on_or_off(value).map(|on| tls(stated).verify = on)),
        loss: Loss::Access,
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
        parse: Some(|value, stated| {
            let depth: u32 = value.parse().map_err(|_| format!("`{value}` is no number"))?;
            // 0 is the default, as in ingress-nginx.
            if depth > 0 {
                tls(stated).depth = depth;
            }
            Ok(())
        }),
        ..Annotation::BASE
    },
];

fn tls(stated: &mut Stated) -> &mut UpstreamTlsDraft {
    &mut stated.upstream_mut().tls
}
