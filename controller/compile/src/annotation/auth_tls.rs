//! Certificates of clients, asked for in the handshake: of the host as a whole.

use std::sync::Arc;

use regex::RegexBuilder;
use snapshot::{Origin, VerifyClient};

use super::{Annotation, Loss, Risk, Scope, Verdict, value, value::boolean, verdict::Effect};
use crate::{
    Reason,
    draft::{AuthTls, ClientCertAsk, Stated},
    nginx::FALSE,
    settings::Settings,
};

/// The key without which the others say nothing.
pub(super) const SECRET: &str = "auth-tls-secret";

pub(super) static KEYS: &[Annotation] = &[
    Annotation {
        key: "auth-tls-error-page",
        scope: Scope::Host,
        risk: Risk::High,
        value: "URL",
        default: "none",
        doc: "Where a client is sent, by 302, whose certificate is missing or not accepted; without it the answer is 400.",
        example: "https://example.com/no-certificate",
        loss: Loss::Access,
        parse: Some(|value, stated| error_page(value).map(|page| stated.auth_tls.error_page = Some(page))),
        ..Annotation::BASE
    },
    Annotation {
        key: "auth-tls-match-cn",
        scope: Scope::Host,
        risk: Risk::High,
        value: "regular expression that begins with `CN=`",
        default: "none",
        doc: "What the subject of the certificate (RFC 4514, such as `CN=a,O=b`) must match; 403 otherwise, over plain http too.",
        example: "CN=staff-.*",
        loss: Loss::Access,
        parse: Some(|value, stated| subject(value).map(|subject| stated.auth_tls.match_cn = Some(subject))),
        ..Annotation::BASE
    },
    Annotation {
        key: "auth-tls-pass-certificate-to-upstream",
        scope: Scope::Host,
        value: "`true` or `false`",
        default: "false",
        doc: "Whether the backend gets the certificate in `ssl-client-cert`.",
        example: "true",
        loss: Loss::Access,
        quiet: FALSE,
        parse: Some(|value, stated| boolean(value).map(|on| stated.auth_tls.pass_certificate = Some(on))),
        ..Annotation::BASE
    },
    Annotation {
        key: SECRET,
        scope: Scope::Host,
        risk: Risk::Medium,
        value: "namespace/Secret",
        default: "none",
        doc: "The CA that clients' certificates must come from (`ca.crt`), and what it revoked (`ca.crl`); of another namespace only with the global `allow-cross-namespace-resources`.",
        example: "apps/client-ca",
        loss: Loss::Access,
        parse: Some(|text, stated| value::secret(text).map(|secret| stated.auth_tls.secret = Some(secret))),
        ..Annotation::BASE
    },
    Annotation {
        key: "auth-tls-verify-client",
        scope: Scope::Host,
        risk: Risk::Medium,
        value: "`on`, `off`, `optional` or `optional_no_ca`",
        default: "on",
        doc: "Whether a certificate is needed, or only asked for. With `optional_no_ca` its CA need not be known: the backend decides.",
        example: "optional",
        loss: Loss::Access,
        quiet: &["off"],
        parse: Some(|value, stated| verify(value).map(|verify| stated.auth_tls.verify = Some(verify))),
        ..Annotation::BASE
    },
    Annotation {
        key: "auth-tls-verify-depth",
        scope: Scope::Host,
        value: "number",
        default: "1",
        doc: "How many certificates there may be between the client's and that of the CA; no more than 6.",
        example: "2",
        loss: Loss::Access,
        parse: Some(|value, stated| depth(value).map(|depth| stated.auth_tls.depth = Some(depth))),
        ..Annotation::BASE
    },
];

fn verify(text: &str) -> Result<Option<VerifyClient>, String> {
    match text {
        "on" => Ok(Some(VerifyClient::Required)),
        "off" => Ok(None),
        "optional" => Ok(Some(VerifyClient::Optional)),
        "optional_no_ca" => Ok(Some(VerifyClient::OptionalNoCa)),
        _ => Err(format!("`{text}` is none of `on`, `off`, `optional` and `optional_no_ca`")),
    }
}

fn depth(text: &str) -> Result<u32, String> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let depth = if digits { text.parse().ok() } else { None };
    depth.ok_or_else(|| format!("`{text}` is not a number"))
}

/// Bytes of a compiled expression: far more than one of an annotation's length needs that does not explode.
const MOST_OF_AN_EXPRESSION: usize = 1 << 20;

fn subject(text: &str) -> Result<Arc<str>, String> {
    if !text.starts_with("CN=") {
        return Err(format!("`{text}` does not begin with `CN=`"));
    }
    match RegexBuilder::new(text).size_limit(MOST_OF_AN_EXPRESSION).build() {
        Ok(_) => Ok(text.into()),
        Err(error) => {
            // The last line says what, those before it draw a picture of where.
            let error = error.to_string();
            let what = error.lines().last().unwrap_or_default().trim_start_matches("error: ");
            Err(format!("`{text}` is not a regular expression that can be served: {what}"))
        }
    }
}

fn error_page(text: &str) -> Result<Arc<str>, String> {
    let uri = text.parse::<http::Uri>().ok();
    let is_web = uri.is_some_and(|uri| matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some());
    if !is_web || text.contains('$') {
        return Err(format!("`{text}` is not a URL that begins with `http://` or `https://` and holds no variables"));
    }
    Ok(text.into())
}

/// Looks at the keys together: what they come to, or what is wrong with them as a whole.
pub(super) fn settle(stated: &mut Stated, origin: &Origin, settings: &Settings) -> Option<Verdict> {
    let AuthTls { secret, verify, depth, match_cn, pass_certificate, error_page } = stated.auth_tls.clone();
    let Some(secret) = secret else {
        let says_nothing = verify == Some(None)
            || (verify.is_none() && depth.is_none() && match_cn.is_none() && error_page.is_none())
                && pass_certificate != Some(true);
        return (!says_nothing).then(|| denied("is missing, and other keys about client certificates are set"));
    };
    if *secret.namespace != *origin.namespace && !settings.allow_cross_namespace_resources {
        return Some(denied("names a Secret of another namespace, which `allow-cross-namespace-resources` forbids"));
    }
    stated.client_cert = Some(ClientCertAsk {
        secret,
        verify: verify.unwrap_or(Some(VerifyClient::Required)),
        depth: depth.unwrap_or(1),
        subject: match_cn,
        pass_certificate: pass_certificate.unwrap_or(false),
        error_page,
    });
    None
}

fn denied(why: &str) -> Verdict {
    let effect = Effect::HostDenied;
    Verdict { effect, reason: Reason::BadAnnotation, message: format!("{why}: {}", effect.consequence()) }
}
