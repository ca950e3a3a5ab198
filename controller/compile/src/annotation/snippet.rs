//! nginx's own configuration. Never interpreted; but what it holds tells whether leaving it out opens something.

use super::{Annotation, Effect, Risk, Scope, Support, Verdict};
use crate::{Reason, nginx::Snippet};

pub(super) static KEYS: &[Annotation] = &[
    Annotation {
        key: "configuration-snippet",
        risk: Risk::Critical,
        value: "directives of nginx",
        default: "none",
        doc: "Directives for the `location` blocks that nginx has for the Ingress.",
        example: "more_set_headers \"X-Frame-Options: DENY\";",
        support: Support::Snippet,
        quiet: EMPTY,
        ..Annotation::BASE
    },
    Annotation {
        key: "server-snippet",
        scope: Scope::Host,
        risk: Risk::Critical,
        value: "directives of nginx",
        default: "none",
        doc: "Directives for the `server` blocks that nginx has for the hosts of the Ingress.",
        example: "location /status { return 200; }",
        support: Support::Snippet,
        quiet: EMPTY,
        ..Annotation::BASE
    },
    Annotation {
        key: "stream-snippet",
        scope: Scope::Ingress,
        risk: Risk::Critical,
        value: "directives of nginx",
        default: "none",
        doc: "Directives outside HTTP, for ports of their own.",
        example: "server { listen 8000; proxy_pass 127.0.0.1:80; }",
        support: Support::Refused("is nginx's own configuration, which is never interpreted; its ports stay closed"),
        quiet: EMPTY,
        ..Annotation::BASE
    },
];

/// A snippet without directives does nothing.
const EMPTY: &[&str] = &[""];

/// What a snippet does: it denies where it decides who may have what, else it is left out, and its owner is told
/// which directives that loses and what replaces them.
pub(super) fn verdict(annotation: &Annotation, value: &str) -> Verdict {
    let snippet = Snippet::read(value);
    let decides = snippet.is_about_access() || annotation.is_about_access();
    let effect = match (decides, annotation.scope) {
        (true, Scope::Host) => Effect::HostDenied,
        (true, _) => Effect::Denied,
        (false, _) => Effect::Lessened,
    };
    let mut message = "is nginx's own configuration, which is never interpreted".to_owned();
    if snippet.broken {
        message += "; its quotes or braces do not close";
    }
    if !snippet.directives.is_empty() {
        message = format!("{message}; it holds {}", snippet.list(describe));
    }
    Verdict { effect, reason: Reason::AnnotationRefused, message: format!("{message}: {}", effect.consequence()) }
}

fn describe(directive: &str) -> String {
    match replacement(directive) {
        Some(instead) => format!("`{directive}` (instead: {instead})"),
        None => format!("`{directive}`"),
    }
}

/// What says the same as a directive, among the annotations and settings of ingress-nginx.
fn replacement(directive: &str) -> Option<&'static str> {
    Some(match directive {
        "more_set_headers" | "add_header" => "`custom-headers`",
        "proxy_set_header" => "`upstream-vhost` for Host; WebSockets and X-Forwarded-* need nothing",
        "return" => "`permanent-redirect` or `temporal-redirect`",
        "rewrite" => "`rewrite-target` or `app-root`",
        "allow" => "`allowlist-source-range`",
        "deny" => "`denylist-source-range`",
        "satisfy" => "`satisfy`",
        "auth_basic" | "auth_basic_user_file" => "`auth-type` and `auth-secret`",
        "auth_request" | "auth_request_set" => "`auth-url` and `auth-response-headers`",
        "ssl_verify_client" | "ssl_client_certificate" => "`auth-tls-secret`",
        "client_max_body_size" => "`proxy-body-size`",
        "client_body_buffer_size" => "`client-body-buffer-size`",
        "large_client_header_buffers" | "client_header_buffer_size" => "the global `large-client-header-buffers`",
        "proxy_buffer_size" => "`proxy-buffer-size`",
        "proxy_buffering" => "`proxy-buffering`",
        "proxy_request_buffering" => "`proxy-request-buffering`",
        "proxy_connect_timeout" => "`proxy-connect-timeout`",
        "proxy_read_timeout" => "`proxy-read-timeout`",
        "proxy_send_timeout" => "`proxy-send-timeout`",
        "proxy_http_version" => "`proxy-http-version`",
        "proxy_ssl_name" => "`proxy-ssl-name`",
        "proxy_ssl_server_name" => "`proxy-ssl-server-name`",
        "proxy_ssl_verify" => "`proxy-ssl-verify`",
        "proxy_cookie_path" => "`proxy-cookie-path`",
        "proxy_cookie_domain" => "`proxy-cookie-domain`",
        "proxy_redirect" => "`proxy-redirect-from` and `proxy-redirect-to`",
        "proxy_hide_header" => "the global `hide-headers`",
        "gzip" | "gzip_types" => "the global `use-gzip`",
        "error_page" => "`custom-http-errors`",
        "limit_req" => "`limit-rps`",
        "limit_conn" => "`limit-connections`",
        "limit_rate" => "`limit-rate`",
        "access_log" => "`enable-access-log`",
        _ => return None,
    })
}
