//! The reference page.

use std::fmt::Write;

use super::{Annotation, Effect, GROUPS, Risk, Scope, Support};

/// All annotations as a page of Markdown, a section for each group of keys.
pub fn reference() -> String {
    let mut page = String::from(
        "# Annotations\n\nThe annotations of ingress-nginx, each under `nginx.ingress.kubernetes.io/` (the flag \
         `--annotations-prefix` changes that). All values are text: write `\"true\"`, not `true`.\n",
    );
    for (title, keys) in GROUPS {
        let _ = write!(page, "\n## {title}\n"); // writing to a String cannot fail
        for annotation in *keys {
            entry(&mut page, annotation);
        }
    }
    page
}

fn entry(page: &mut String, annotation: &Annotation) {
    let Annotation { key, aliases, scope, risk, value, default, doc, example, support, parse, .. } = annotation;
    let _ = write!(page, "\n### `{key}`\n\n{doc}\n\n");
    for alias in *aliases {
        let _ = writeln!(page, "- also written: `{alias}`");
    }
    let _ = writeln!(page, "- value: {value}; default: {default}");
    let _ = writeln!(page, "- example: `{key}: {}`", quoted(example));
    let _ = writeln!(page, "- holds for: {}; risk: {}", scope.text(), risk.text());
    let state = if parse.is_some() { "served; where the value cannot be used" } else { support.text() };
    let _ = writeln!(page, "- {state}: {}", consequence(annotation));
}

/// As a YAML scalar.
fn quoted(text: &str) -> String {
    if text.contains('"') { format!("'{text}'") } else { format!("\"{text}\"") }
}

fn consequence(annotation: &Annotation) -> &'static str {
    match (annotation.support, annotation.effect()) {
        (Support::Snippet, Effect::Lessened) => {
            "the Ingress is served without it, unless a directive decides who may have what: then 503"
        }
        (_, effect) => effect.consequence(),
    }
}

impl Scope {
    fn text(self) -> &'static str {
        match self {
            Self::Location => "each path of the Ingress",
            Self::Ingress => "the Ingress",
            Self::Host => "its hosts",
            Self::Service => "its Services",
        }
    }
}

impl Risk {
    fn text(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

impl Support {
    fn text(self) -> &'static str {
        match self {
            Self::NotYet => "not served yet",
            Self::Refused(why) | Self::Ignored(why) => why,
            Self::Snippet => "refused, nginx's own configuration is never interpreted",
        }
    }
}
