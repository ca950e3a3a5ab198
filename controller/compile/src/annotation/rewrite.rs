//! Which paths and hosts match, and what the backend sees of them.

use super::{Annotation, Annotations, Loss, Risk, Scope, value::boolean};
use crate::{
    draft::{HostDraft, Patterns},
    nginx::{self, FALSE},
};

pub(super) static KEYS: &[Annotation] = &[
    Annotation {
        key: "rewrite-target",
        risk: Risk::Medium,
        value: "path, with `$1` for what the first group of the path matched",
        default: "none",
        doc: "The path that the backend gets. Where it differs from the path of the rule, all paths of the host become patterns.",
        example: "/$2",
        notice: Some(ignored),
        loss: Loss::Patterns,
        quiet: &[""],
        ..Annotation::BASE
    },
    Annotation {
        key: "server-alias",
        scope: Scope::Host,
        risk: Risk::High,
        value: "host names with commas",
        default: "none",
        doc: "Further names of the host; rules of another Ingress for such a name win.",
        example: "www.example.com,example.net",
        ..Annotation::BASE
    },
    Annotation {
        key: "use-regex",
        value: "`true` or `false`",
        default: "false",
        doc: "All paths of the host are regular expressions, whatever their case, from the beginning of the path.",
        example: "true",
        form: Some(|value| boolean(value).map(drop)),
        loss: Loss::Patterns,
        quiet: FALSE,
        ..Annotation::BASE
    },
    Annotation {
        key: "x-forwarded-prefix",
        risk: Risk::Medium,
        value: "path, with `$1` as in `rewrite-target`",
        default: "none",
        doc: "The value of `X-Forwarded-Prefix` to the backend, where `rewrite-target` applies.",
        example: "/app",
        ..Annotation::BASE
    },
];

/// With its validation of annotations, which is on unless somebody turns it off, ingress-nginx passes over such a target.
/// Without it, it rewrites. Nobody can tell here which it was, so that such a target goes on making patterns: they close
/// restricted hosts, which is the safe mistake of the two.
fn ignored(target: &str) -> Option<String> {
    let is_taken = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/:$".contains(&byte);
    (!target.bytes().all(is_taken)).then(|| {
        "ingress-nginx ignores such a value, which holds more than letters, digits and `-._~/:$`, unless it runs with \
         `--enable-annotation-validation=false`"
            .to_owned()
    })
}

/// Takes in what a key says of patterns, as ingress-nginx reads it: what is no truth value counts as false.
pub(super) fn patterns(key: &str, value: &str, patterns: &mut Patterns) {
    match key {
        "rewrite-target" => patterns.target = Some(value.trim()).filter(|target| !target.is_empty()).map(Into::into),
        "use-regex" => patterns.regex = nginx::boolean(value) == Some(true),
        _ => {}
    }
}

impl Annotations {
    /// Takes back what is said of keys about rewriting, where no path of the Ingress's `hosts` is rewritten: nothing is lost
    /// without them. Without rules it makes no patterns at all: ingress-nginx keeps `use-regex` and `rewrite-target` of such an
    /// Ingress from its catch-all server.
    pub(crate) fn settle_patterns(&mut self, prefix: &str, has_rules: bool, hosts: &[HostDraft]) {
        if !has_rules {
            self.patterns = Patterns::default();
            self.take_back(prefix, &["use-regex"]);
        }
        if !hosts.iter().any(|host| self.patterns.rewrite(host)) {
            self.take_back(prefix, &["rewrite-target", "x-forwarded-prefix"]);
        }
    }

    fn take_back(&mut self, prefix: &str, keys: &[&str]) {
        let fields: Vec<String> = keys.iter().map(|key| format!("metadata.annotations[{prefix}/{key}]")).collect();
        self.problems.retain(|problem| !fields.contains(&problem.field));
    }
}
