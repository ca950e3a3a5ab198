//! The annotations of an Ingress: one registry that knows every key.
//!
//! A group of keys is a file. No key is served yet: what each one's absence means is its [`Loss`].

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
mod verdict;
mod waf;

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, LazyLock},
};

use snapshot::Origin;

pub use reference::reference;

use crate::{Problem, settings::Settings};
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
        let verdict = match find(key) {
            Some(annotation) => annotation.verdict(value, settings),
            None => Some(unknown::verdict(key)),
        };
        if let Some(verdict) = verdict {
            read.add(origin, name, &verdict);
        }
    }
    read
}

impl Annotations {
    fn add(&mut self, origin: &Arc<Origin>, name: &str, verdict: &Verdict) {
        let why = || Arc::from(format!("annotation `{name}` {}", verdict.message));
        match verdict.effect {
            Effect::Lessened | Effect::Misrouted | Effect::Broken => {}
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
