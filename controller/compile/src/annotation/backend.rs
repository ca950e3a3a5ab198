//! What backends are spoken to, and what of their answers is changed.

use super::{Annotation, Loss, Risk, Scope, Support};
use crate::{draft::BackendProtocol, nginx::FALSE};

pub(super) static KEYS: &[Annotation] = &[
    Annotation {
        key: "backend-protocol",
        scope: Scope::Service,
        value: "`HTTP`, `HTTPS`, `AUTO_HTTP`, `GRPC`, `GRPCS` or `FCGI`",
        default: "HTTP",
        doc: "What is spoken to the backend: `GRPC` is HTTP/2, `AUTO_HTTP` what the client speaks of HTTP and HTTPS, and \
              `FCGI` is not offered (503). TLS checks certificates only with `proxy-ssl-verify`. It counts more than the \
              Service's `appProtocol`.",
        example: "HTTPS",
        parse: Some(|value, stated| {
            stated.upstream_mut().protocol = Some(protocol(value)?);
            Ok(())
        }),
        loss: Loss::Backend,
        ..Annotation::BASE
    },
    Annotation {
        key: "connection-proxy-header",
        value: "`close` or `keep-alive`",
        default: "as the request needs it",
        doc: "The `Connection` header to the backend.",
        example: "keep-alive",
        ..Annotation::BASE
    },
    Annotation {
        key: "custom-headers",
        risk: Risk::Medium,
        value: "namespace/ConfigMap",
        default: "none",
        doc: "Headers that are added to answers, from a ConfigMap; `global-allowed-response-headers` must permit them.",
        example: "apps/security-headers",
        ..Annotation::BASE
    },
    Annotation {
        key: "http2-push-preload",
        value: "`true` or `false`",
        default: "false",
        doc: "Server push for `Link: rel=preload`.",
        example: "true",
        support: Support::Ignored("has no meaning any more, because browsers dropped server push"),
        quiet: FALSE,
        ..Annotation::BASE
    },
    Annotation {
        key: "proxy-cookie-domain",
        risk: Risk::Medium,
        value: "`off` or two words",
        default: "off",
        doc: "Replaces the domain in cookies of the backend.",
        example: "localhost example.org",
        quiet: &["off"],
        ..Annotation::BASE
    },
    Annotation {
        key: "proxy-cookie-path",
        risk: Risk::Medium,
        value: "`off` or two words",
        default: "off",
        doc: "Replaces the path in cookies of the backend.",
        example: "/one/ /",
        quiet: &["off"],
        ..Annotation::BASE
    },
    Annotation {
        key: "proxy-redirect-from",
        risk: Risk::Medium,
        value: "text, `default` or `off`",
        default: "off",
        doc: "What is replaced in `Location` and `Refresh` of the backend.",
        example: "http://localhost:8000/",
        quiet: &["off"],
        ..Annotation::BASE
    },
    Annotation {
        key: "proxy-redirect-to",
        risk: Risk::Medium,
        value: "text or `off`",
        default: "off",
        doc: "What it is replaced by.",
        example: "/",
        quiet: &["off"],
        ..Annotation::BASE
    },
    Annotation {
        key: "service-upstream",
        scope: Scope::Service,
        value: "`true` or `false`",
        default: "the global `service-upstream`",
        doc: "Connects to the address of the Service, not to its endpoints.",
        example: "true",
        quiet: FALSE,
        ..Annotation::BASE
    },
    Annotation {
        key: "upstream-vhost",
        value: "host name",
        default: "the host that the client asked for",
        doc: "The `Host` header to the backend.",
        example: "internal.example.com",
        ..Annotation::BASE
    },
];

/// Case does not count, as in ingress-nginx.
fn protocol(value: &str) -> Result<BackendProtocol, String> {
    match value.to_ascii_uppercase().as_str() {
        "HTTP" => Ok(BackendProtocol::Http),
        "HTTPS" => Ok(BackendProtocol::Https),
        "AUTO_HTTP" => Ok(BackendProtocol::AutoHttp),
        "GRPC" => Ok(BackendProtocol::Grpc),
        "GRPCS" => Ok(BackendProtocol::Grpcs),
        "FCGI" => Ok(BackendProtocol::FastCgi),
        _ => Err(format!("`{value}` is none of `HTTP`, `HTTPS`, `AUTO_HTTP`, `GRPC` and `GRPCS`")),
    }
}
