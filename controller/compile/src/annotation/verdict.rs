//! What a key does to its Ingress while it is not served, or cannot be understood.

use super::{Annotation, Loss, Scope, Support, snippet};
use crate::{Reason, Severity, draft::Stated, notes::shortened, settings::Settings};

/// What one annotation does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Verdict {
    /// What becomes of the Ingress.
    pub(super) effect: Effect,
    /// A word for events and metrics.
    pub(super) reason: Reason,
    /// Why, for its owner: a sentence that goes on after the key.
    pub(super) message: String,
}

/// What becomes of an Ingress.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    /// It is served, but not in each respect as written.
    Lessened,
    /// Requests reach a backend that we should answer for.
    Unanswered,
    /// Paths that are patterns match nothing.
    Unmatched,
    /// It is routed, and its backends are likely not to understand us.
    Broken,
    /// Its paths answer 503.
    Denied,
    /// All paths of its hosts answer 503.
    HostDenied,
    /// It is not routed.
    LeftOut,
}

impl Effect {
    /// How much it matters.
    pub(super) fn severity(self) -> Severity {
        match self {
            Self::Lessened => Severity::Warning,
            Self::Unanswered | Self::Unmatched | Self::Broken | Self::Denied | Self::HostDenied | Self::LeftOut => {
                Severity::Error
            }
        }
    }

    /// What follows, for the end of a sentence.
    pub(super) fn consequence(self) -> &'static str {
        match self {
            Self::Lessened => "the Ingress is served without it",
            Self::Unanswered => "requests go to the backend in the meantime",
            Self::Unmatched => {
                "a path that is a pattern matches nothing, and requests reach the backend with the path as it came"
            }
            Self::Broken => "the backend is spoken to in plain HTTP, which it is likely not to understand",
            Self::Denied => "it is about access, so the paths of the Ingress answer 503 while it is set",
            Self::HostDenied => {
                "it is about access to the host as a whole, so all paths of the Ingress's hosts answer 503 while it is set"
            }
            Self::LeftOut => "the Ingress is not routed, because as a plain one it would take requests of another",
        }
    }
}

impl Annotation {
    /// Takes the value in where the key is served. Returns what is wrong; none where all is as written, or the value says
    /// nothing that does not hold without it.
    pub(super) fn read(&self, value: &str, settings: &Settings, stated: &mut Stated) -> Option<Verdict> {
        let Some(parse) = self.parse else { return self.unserved(value, settings) };
        match parse(value, stated) {
            Ok(()) => {
                let message = shortened(&self.notice.and_then(|notice| notice(value))?);
                Some(Verdict { effect: Effect::Lessened, reason: Reason::AnnotationNotServed, message })
            }
            Err(error) => Some(bad(&error, self.effect())),
        }
    }

    /// What the key does with this value while it is not served.
    fn unserved(&self, value: &str, settings: &Settings) -> Option<Verdict> {
        let as_global = self.same_as_global.is_some_and(|same| same(value, settings));
        if as_global || self.quiet.contains(&value) {
            return None;
        }
        if let Some(Err(error)) = self.form.map(|form| form(value)) {
            return Some(bad(&error, Effect::Lessened));
        }
        let effect = self.effect();
        let (reason, why) = match self.support {
            Support::NotYet => (Reason::AnnotationNotServed, "is not served yet"),
            Support::Refused(why) => (Reason::AnnotationRefused, why),
            Support::Ignored(why) => (Reason::AnnotationIgnored, why),
            Support::Snippet => return Some(snippet::verdict(self, value)),
        };
        let beside =
            self.notice.and_then(|notice| notice(value)).map(|notice| format!("; {notice}")).unwrap_or_default();
        Some(Verdict { effect, reason, message: format!("{why}: {}{beside}", effect.consequence()) })
    }

    /// What becomes of an Ingress that carries the key.
    pub(super) fn effect(&self) -> Effect {
        match (self.loss, self.scope) {
            (Loss::Detail, _) => Effect::Lessened,
            (Loss::Answer, _) => Effect::Unanswered,
            (Loss::Patterns, _) => Effect::Unmatched,
            (Loss::Backend, _) => Effect::Broken,
            (Loss::Ingress, _) => Effect::LeftOut,
            (Loss::Access, Scope::Host) => Effect::HostDenied,
            (Loss::Access, Scope::Location | Scope::Ingress | Scope::Service) => Effect::Denied,
        }
    }
}

/// A value that is none.
fn bad(error: &str, effect: Effect) -> Verdict {
    let message = format!("{}: {}", shortened(error), effect.consequence());
    Verdict { effect, reason: Reason::BadAnnotation, message }
}
