//! From http to https, and staying there.

use super::{
    class::{Form, Scope, Unknown},
    default::ACME,
    setting::Setting,
    value::{boolean, list, number},
};

pub(super) static SETTINGS: &[Setting] = &[
    Setting {
        key: "ssl-redirect",
        value: "`true` or `false`",
        default: "true",
        doc: "Whether http is sent to https where `spec.tls` of an Ingress covers the host.",
        example: "false",
        fail_closed: None,
        scope: Scope::Class(
            Form::Boolean,
            Unknown::Closed("http is sent to https where `spec.tls` covers the host", |settings| {
                settings.ssl_redirect = true;
            }),
        ),
        parse: |text, settings| boolean(text).map(|on| settings.ssl_redirect = on),
    },
    Setting {
        key: "force-ssl-redirect",
        value: "`true` or `false`",
        default: "false",
        doc: "Whether http is sent to https also where no certificate is named, because TLS ends in front of us.",
        example: "true",
        fail_closed: None,
        // Browsers keep a 308: hosts without a certificate would be lost to them for longer than the mistake lasts.
        scope: Scope::Class(Form::Boolean, Unknown::AsGlobal),
        parse: |text, settings| boolean(text).map(|on| settings.force_ssl_redirect = on),
    },
    Setting {
        key: "preserve-trailing-slash",
        value: "`true` or `false`",
        default: "false",
        doc: "Whether the redirect to https keeps a slash at the end of the path.",
        example: "true",
        fail_closed: None,
        scope: Scope::Class(Form::Boolean, Unknown::AsGlobal),
        parse: |text, settings| boolean(text).map(|on| settings.preserve_trailing_slash = on),
    },
    Setting {
        key: "http-redirect-code",
        value: "`301`, `302`, `307` or `308`",
        default: "308",
        doc: "The status of the redirect from http to https.",
        example: "301",
        fail_closed: None,
        scope: Scope::Class(Form::OneOf(&[301, 302, 307, 308]), Unknown::AsGlobal),
        parse: |text, settings| {
            settings.http_redirect_code = match text {
                "301" => 301,
                "302" => 302,
                "307" => 307,
                "308" => 308,
                _ => return Err(format!("`{text}` is none of `301`, `302`, `307`, `308`")),
            };
            Ok(())
        },
    },
    Setting {
        key: "no-tls-redirect-locations",
        value: "paths with commas",
        default: "/.well-known/acme-challenge",
        doc: "Paths of Ingresses that begin with one of these stay on http.",
        example: "/.well-known/acme-challenge,/status",
        fail_closed: None,
        scope: Scope::Class(
            Form::List(','),
            // Those answers are for everybody, and certificates are made with them.
            Unknown::Closed("only `/.well-known/acme-challenge` is left out of redirects", |settings| {
                settings.no_tls_redirect_locations = vec![ACME.to_owned()];
            }),
        ),
        parse: |text, settings| {
            let paths: Vec<String> = list(text).map(str::to_owned).collect();
            if let Some(path) = paths.iter().find(|path| !path.starts_with('/')) {
                return Err(format!("`{path}` does not begin with a slash"));
            }
            settings.no_tls_redirect_locations = paths;
            Ok(())
        },
    },
    Setting {
        key: "hsts",
        value: "`true` or `false`",
        default: "true",
        doc: "Whether answers over https carry `Strict-Transport-Security` (RFC 6797).",
        example: "false",
        fail_closed: None,
        scope: Scope::Class(Form::Boolean, Unknown::AsGlobal),
        parse: |text, settings| boolean(text).map(|on| settings.hsts_on = on),
    },
    Setting {
        key: "hsts-max-age",
        value: "seconds",
        default: "31536000",
        doc: "How long browsers stay on https. 0 tells them to forget it.",
        example: "15724800",
        fail_closed: None,
        scope: Scope::Class(Form::Time, Unknown::AsGlobal),
        parse: |text, settings| number(text, 0..=9_999_999_999).map(|max_age| settings.hsts.max_age = max_age),
    },
    Setting {
        key: "hsts-include-subdomains",
        value: "`true` or `false`",
        default: "true",
        doc: "Whether that holds for the names below the host too.",
        example: "false",
        fail_closed: None,
        scope: Scope::Class(Form::Boolean, Unknown::AsGlobal),
        parse: |text, settings| boolean(text).map(|on| settings.hsts.include_subdomains = on),
    },
    Setting {
        key: "hsts-preload",
        value: "`true` or `false`",
        default: "false",
        doc: "Whether browsers' makers may put the host on their built-in lists.",
        example: "true",
        fail_closed: None,
        scope: Scope::Class(Form::Boolean, Unknown::AsGlobal),
        parse: |text, settings| boolean(text).map(|on| settings.hsts.preload = on),
    },
];
