//! The annotations of an Ingress: one registry that knows every key.
//!
//! A group of keys is a file. What the absence of a key means that is not served, or whose value is none, is its
//! [`Loss`].

mod access_list;
mod affinity;
mod auth_basic;
mod auth_external;
mod auth_tls;
mod backend;
mod balance;
mod canary;
mod cors;
mod elsewhere;
mod error_page;
mod fastcgi;
mod key;
mod mirror;
mod observe;
mod passthrough;
mod proxy;
mod proxy_buffer;
mod proxy_ssl;
mod rate_limit;
mod redirect;
mod reference;
mod rewrite;
mod snippet;
mod tls;
mod unknown;
mod value;
mod verdict;
mod waf;

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, LazyLock},
};

use snapshot::Origin;

pub use passthrough::passthrough;
pub use reference::reference;

use crate::{
    Problem,
    draft::{Patterns, Stated},
    notes::shortened,
    settings::Settings,
};
use key::{Annotation, Loss, Risk, Scope, Support};
use verdict::{Effect, Verdict};

/// What the annotations of one Ingress say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Annotations {
    /// Why all paths of the Ingress must answer 503: it restricts access in a way that is not served.
    pub denied: Option<Arc<str>>,
    /// Why all paths of all *hosts* of the Ingress must answer 503, those of other Ingresses too: it restricts access
    /// to the hosts as a whole (client certificates are asked for in the handshake, before any path is known).
    /// `denied` is set as well then.
    pub host_denied: Option<Arc<str>>,
    /// Why nothing of the Ingress may be routed: it is no plain one (a canary is the second half of another).
    pub left_out: Option<Arc<str>>,
    /// What its owner should know.
    pub problems: Vec<Problem>,
    /// What makes patterns of paths.
    pub(crate) patterns: Patterns,
    /// What the keys say that are served.
    pub(crate) stated: Stated,
}

/// Reads the annotations under `prefix/`; all others are somebody else's. `settings` tells what holds without a key.
pub fn read(
    origin: &Arc<Origin>,
    annotations: Option<&BTreeMap<String, String>>,
    prefix: &str,
    settings: &Settings,
) -> Annotations {
    let mut read = Annotations::default();
    for (name, value) in annotations.into_iter().flatten() {
        let Some(key) = name.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('/')) else { continue };
        rewrite::patterns(key, value, &mut read.patterns);
        let verdict = match find(key) {
            Some(annotation) => annotation.read(value, settings, &mut read.stated),
            None => Some(unknown::verdict(key)),
        };
        if let Some(verdict) = verdict {
            read.add(origin, name, &verdict);
        }
    }
    if let Some(verdict) = auth_tls::settle(&mut read.stated, origin, settings) {
        read.add(origin, &format!("{prefix}/{}", auth_tls::SECRET), &verdict);
    }
    read
}

impl Annotations {
    fn add(&mut self, origin: &Arc<Origin>, name: &str, verdict: &Verdict) {
        // It stands at each route.
        let why = || Arc::from(shortened(&format!("annotation `{name}` {}", verdict.message)));
        match verdict.effect {
            Effect::Lessened | Effect::Unanswered | Effect::Unmatched | Effect::Broken => {}
            Effect::Denied => {
                self.denied.get_or_insert_with(why);
            }
            Effect::HostDenied => {
                self.denied.get_or_insert_with(why);
                self.host_denied.get_or_insert_with(why);
            }
            Effect::LeftOut => {
                self.left_out.get_or_insert_with(why);
            }
        }
        self.problems.push(Problem {
            object: origin.clone(),
            severity: verdict.effect.severity(),
            field: format!("metadata.annotations[{name}]"),
            message: verdict.message.clone(),
            reason: verdict.reason,
        });
    }
}

/// The groups, in the order of the reference page.
static GROUPS: &[(&str, &[Annotation])] = &[
    ("TLS", tls::KEYS),
    ("Redirects", redirect::KEYS),
    ("Paths", rewrite::KEYS),
    ("Backends", backend::KEYS),
    ("Talking to backends", proxy::KEYS),
    ("Buffers and sizes", proxy_buffer::KEYS),
    ("TLS to backends", proxy_ssl::KEYS),
    ("Balancing", balance::KEYS),
    ("Session affinity", affinity::KEYS),
    ("Canaries", canary::KEYS),
    ("Mirroring", mirror::KEYS),
    ("Addresses", access_list::KEYS),
    ("Basic and digest authentication", auth_basic::KEYS),
    ("External authentication", auth_external::KEYS),
    ("Client certificates", auth_tls::KEYS),
    ("Rate limits", rate_limit::KEYS),
    ("CORS", cors::KEYS),
    ("Error pages", error_page::KEYS),
    ("Logs and traces", observe::KEYS),
    ("Web application firewall", waf::KEYS),
    ("FastCGI", fastcgi::KEYS),
    ("Snippets", snippet::KEYS),
];

/// All keys.
fn registry() -> impl Iterator<Item = &'static Annotation> + Clone {
    GROUPS.iter().flat_map(|(_, keys)| keys.iter())
}

/// The annotation of a key or of an alias.
fn find(key: &str) -> Option<&'static Annotation> {
    static BY_NAME: LazyLock<HashMap<&'static str, &'static Annotation>> = LazyLock::new(|| {
        registry().flat_map(|annotation| annotation.names().map(move |name| (name, annotation))).collect()
    });
    BY_NAME.get(key).copied()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn knows_all_138_keys_once() {
        let names: Vec<&str> = registry().flat_map(Annotation::names).collect();
        let distinct: BTreeSet<&str> = names.iter().copied().collect();
        assert_eq!((names.len(), distinct.len()), (138, 138));
    }

    #[test]
    fn every_key_is_described() {
        for Annotation { key, value, default, doc, example, .. } in registry() {
            for text in [key, value, default, doc, example] {
                assert!(!text.is_empty() && text.trim() == *text, "{key}");
            }
            assert!(doc.ends_with('.'), "{key}: {doc}");
        }
    }

    #[test]
    fn keys_are_sorted_within_their_group() {
        for (title, keys) in GROUPS {
            assert!(keys.is_sorted_by(|a, b| a.key < b.key), "{title}");
        }
    }

    #[test]
    fn examples_say_something_and_quiet_values_do_not() {
        for annotation in registry() {
            let (settings, mut stated) = (Settings::default(), Stated::default());
            assert_ne!(annotation.example, annotation.default, "{}", annotation.key);
            for value in annotation.quiet {
                assert_eq!(annotation.read(value, &settings, &mut stated), None, "{}: {value}", annotation.key);
            }
            let mut stated = Stated::default();
            let quiet = annotation.read(annotation.example, &settings, &mut stated).is_none();
            let served = annotation.parse.is_some();
            assert_eq!(quiet, served || annotation.key == "enable-global-auth", "{}", annotation.key);
            assert_eq!(stated != Stated::default(), served, "{}", annotation.key);
        }
    }

    #[test]
    fn keys_about_access_deny_where_they_are_not_served_or_not_understood() {
        for annotation in registry().filter(|annotation| annotation.is_about_access()) {
            for value in ["", " ", "no", "\u{0}", " false", "false ", "{}", annotation.default] {
                if annotation.quiet.contains(&value) || (annotation.parse.is_some() && value == annotation.default) {
                    continue;
                }
                let verdict = annotation.read(value, &Settings::default(), &mut Stated::default());
                let effect = verdict.map(|verdict| verdict.effect);
                assert!(matches!(effect, Some(Effect::Denied | Effect::HostDenied)), "{}: `{value}`", annotation.key);
            }
        }
    }

    /// What closes something goes on closing it, whatever its value looks like.
    #[test]
    fn no_key_about_access_and_no_canary_is_passed_over_for_its_form() {
        let formed: Vec<&str> = registry().filter(|key| key.form.is_some()).map(|key| key.key).collect();
        assert_eq!(formed, ["use-regex"]);
        for annotation in registry().filter(|annotation| annotation.form.is_some()) {
            assert!(!annotation.is_about_access() && annotation.loss != Loss::Ingress, "{}", annotation.key);
            assert!(annotation.parse.is_none(), "{}: one that is served has a parser", annotation.key);
        }
    }

    #[test]
    fn the_keys_about_access_are_these() {
        let access: BTreeSet<&str> =
            registry().filter(|annotation| annotation.is_about_access()).flat_map(Annotation::names).collect();
        let expected = [
            "allowlist-source-range",
            "auth-method",
            "auth-secret",
            "auth-secret-type",
            "auth-snippet",
            "auth-tls-error-page",
            "auth-tls-match-cn",
            "auth-tls-pass-certificate-to-upstream",
            "auth-tls-secret",
            "auth-tls-verify-client",
            "auth-tls-verify-depth",
            "auth-type",
            "auth-url",
            "denylist-source-range",
            "enable-global-auth",
            "enable-modsecurity",
            "enable-owasp-core-rules",
            "proxy-ssl-secret",
            "proxy-ssl-verify",
            "satisfy",
            "whitelist-source-range",
        ];
        assert_eq!(access, BTreeSet::from(expected));
    }

    #[test]
    fn keys_from_elsewhere_are_none_of_ours() {
        for known in elsewhere::KEYS {
            assert!(find(known.key).is_none(), "{}", known.key);
        }
        assert!(elsewhere::KEYS.is_sorted_by(|a, b| a.key < b.key));
    }

    #[test]
    fn the_reference_names_every_key() {
        let page = reference();
        for name in registry().flat_map(Annotation::names) {
            assert!(page.contains(&format!("`{name}`")), "{name}");
        }
    }
}
