//! Keys that people write although ingress-nginx never had them, or no longer has.

use super::{Effect, Verdict};
use crate::Reason;

/// A key that never did, or no longer does, what its author believes.
pub(super) struct Elsewhere {
    pub(super) key: &'static str,
    /// What to write instead.
    instead: &'static str,
    /// Whether its author relies on it to restrict access.
    access: bool,
}

impl Elsewhere {
    /// What the key does.
    pub(super) fn verdict(&self) -> Verdict {
        let effect = if self.access { Effect::Denied } else { Effect::Lessened };
        let message = format!("is not a key of ingress-nginx; {}: {}", self.instead, effect.consequence());
        Verdict { effect, reason: Reason::UnknownAnnotation, message }
    }
}

/// The entry of a key.
pub(super) fn find(key: &str) -> Option<&'static Elsewhere> {
    KEYS.iter().find(|known| known.key == key)
}

pub(super) static KEYS: &[Elsewhere] = &[
    plain(
        "add-base-url",
        "ingress-nginx dropped it; let the backend write relative links, or use `x-forwarded-prefix`",
    ),
    plain("add-hosts", "name further hosts by rules, or by `server-alias`"),
    restricts("blacklist-source-range", "use `denylist-source-range`"),
    restricts("block-cidrs", "use `denylist-source-range`, or the global setting of this name"),
    restricts("block-referers", "the global ConfigMap has a setting of this name"),
    restricts("block-user-agents", "the global ConfigMap has a setting of this name"),
    plain("client-body-timeout", "the global ConfigMap has a setting of this name"),
    plain("client-header-buffer-size", "the global ConfigMap has a setting of this name"),
    plain("client-header-timeout", "the global ConfigMap has a setting of this name"),
    plain("client-max-body-size", "use `proxy-body-size`"),
    plain("custom-max-body-size", "use `proxy-body-size`"),
    plain("enable-brotli", "the global ConfigMap has a setting of this name"),
    plain("enable-gzip", "the global ConfigMap has the setting `use-gzip`"),
    plain("enable-opentracing", "use `enable-opentelemetry`"),
    plain("global-rate-limit", "ingress-nginx dropped it; use `limit-rps` or `limit-rpm`, which count for each pod"),
    plain("global-rate-limit-window", "ingress-nginx dropped it; use `limit-rps` or `limit-rpm`"),
    plain("grpc-backend", "use `backend-protocol: GRPC`"),
    plain("gzip-types", "the global ConfigMap has a setting of this name"),
    plain("hsts", "the global ConfigMap has a setting of this name"),
    plain("hsts-include-subdomains", "the global ConfigMap has a setting of this name"),
    plain("hsts-max-age", "the global ConfigMap has a setting of this name"),
    plain("hsts-preload", "the global ConfigMap has a setting of this name"),
    restricts("ip-whitelist", "use `allowlist-source-range`"),
    plain("keep-alive", "the global ConfigMap has a setting of this name"),
    plain("large-client-header-buffers", "the global ConfigMap has a setting of this name"),
    restricts("lua-resty-waf", "there is no web application firewall here"),
    plain("opentracing-trust-incoming-span", "use `opentelemetry-trust-incoming-span`"),
    plain("proxy-set-headers", "the global ConfigMap has a setting of this name"),
    plain("rate-limit", "use `limit-rps` for requests a second or `limit-rpm` for requests a minute"),
    plain("rate-limit-window", "choose the window by the key: `limit-rps` for a second, `limit-rpm` for a minute"),
    plain("secure-backends", "use `backend-protocol: HTTPS`"),
    plain("server-tokens", "the global ConfigMap has a setting of this name"),
    plain("session-cookie-hash", "ingress-nginx dropped it; leave it away"),
    plain("ssl-protocols", "the global ConfigMap has a setting of this name"),
    plain(
        "upstream-fail-timeout",
        "ingress-nginx dropped it; `proxy-next-upstream` says when another endpoint is tried",
    ),
    plain("upstream-max-fails", "ingress-nginx dropped it; `proxy-next-upstream` says when another endpoint is tried"),
    plain("use-forwarded-headers", "the global ConfigMap has a setting of this name"),
    plain("use-gzip", "the global ConfigMap has a setting of this name"),
    plain("use-proxy-protocol", "the global ConfigMap has a setting of this name"),
    plain("websocket-services", "WebSockets need no annotation"),
];

const fn plain(key: &'static str, instead: &'static str) -> Elsewhere {
    Elsewhere { key, instead, access: false }
}

const fn restricts(key: &'static str, instead: &'static str) -> Elsewhere {
    Elsewhere { key, instead, access: true }
}
