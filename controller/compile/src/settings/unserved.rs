//! Keys of the ConfigMap that are not served: those of ingress-nginx that we know, and all others.

mod access;
mod ignored;
mod later;

use super::setting::Setting;
use crate::{Reason, Severity, nginx::Snippet, suggest};

/// All keys of ingress-nginx's ConfigMap that are not served.
pub(super) static KNOWN: [&[Known]; 3] = [access::KNOWN, later::KNOWN, ignored::KNOWN];

/// A key of ingress-nginx's ConfigMap that is not served.
pub(super) struct Known {
    /// The key.
    pub(super) key: &'static str,
    /// What is lost without it.
    loss: Loss,
    /// Values that say nothing which is not true without the key.
    pub(super) quiet: &'static [&'static str],
    /// What to do instead, or why it has no meaning; a sentence, or empty.
    note: &'static str,
}

/// What is lost where a key is not served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Loss {
    /// Nothing: it has no meaning here.
    Nothing,
    /// Something that requests can do without.
    Detail,
    /// The right idea of who the client is.
    Trust,
    /// A restriction of who may have what.
    Access,
    /// The addresses that anything is served at.
    Addresses,
    /// Whatever its directives say.
    Snippet,
    /// The same of TCP and UDP services.
    StreamSnippet,
}

/// What a key does to everything that is served.
#[derive(Clone, Copy)]
pub(super) enum Effect {
    /// It is served, but not in each respect as written.
    Lessened,
    /// Nobody's forwarded headers are believed.
    NobodyTrusted,
    /// Every path answers 503.
    Denied,
    /// The same, and no TCP or UDP service is served either.
    AllDenied,
    /// No TCP or UDP service is.
    StreamsDenied,
    /// What this setting says holds as if its value could not be used.
    Closed(&'static Setting),
}

impl Effect {
    /// How much it matters.
    pub(super) fn severity(self) -> Severity {
        match self {
            Self::Lessened => Severity::Warning,
            Self::NobodyTrusted | Self::Denied | Self::AllDenied | Self::StreamsDenied | Self::Closed(_) => {
                Severity::Error
            }
        }
    }

    /// Whether every path is denied.
    pub(super) fn denies_paths(self) -> bool {
        matches!(self, Self::Denied | Self::AllDenied)
    }

    /// Whether every TCP and UDP service is.
    pub(super) fn denies_streams(self) -> bool {
        matches!(self, Self::AllDenied | Self::StreamsDenied)
    }

    fn consequence(self) -> &'static str {
        match self {
            Self::Lessened => "the rest is served without it",
            Self::NobodyTrusted => "nobody's forwarded headers are believed while it is set",
            Self::Denied => "it is about access, so every path answers 503 while it is set",
            Self::AllDenied => {
                "it is about access, so every path answers 503 and no TCP or UDP port is open while it is set"
            }
            Self::StreamsDenied => "it is about access, so no TCP or UDP port is open while it is set",
            Self::Closed(setting) => setting.fail_closed.map_or("the rest is served without it", |(words, _)| words),
        }
    }
}

/// What an unserved key does, and why.
pub(super) struct Verdict {
    pub(super) effect: Effect,
    pub(super) reason: Reason,
    pub(super) message: String,
}

/// What a key that is not served does; none where its value says nothing.
pub(super) fn verdict(key: &str, value: &str) -> Option<Verdict> {
    match KNOWN.iter().copied().flatten().find(|known| known.key == key) {
        Some(known) => known.verdict(value),
        None => Some(unknown(key, value)),
    }
}

impl Known {
    /// What follows of it, for the reference page.
    pub(super) fn consequence(&self) -> String {
        let what = match self.loss {
            Loss::Nothing => "has no meaning here and is ignored",
            Loss::Snippet => {
                "nginx's own configuration is never interpreted; denies everything where it is about access"
            }
            Loss::Detail => Effect::Lessened.consequence(),
            Loss::Trust => Effect::NobodyTrusted.consequence(),
            Loss::Access => Effect::Denied.consequence(),
            Loss::Addresses => Effect::AllDenied.consequence(),
            Loss::StreamSnippet => {
                "nginx's own configuration is never interpreted; no TCP or UDP port is open where it is about access"
            }
        };
        if self.note.is_empty() { what.to_owned() } else { format!("{what}. {}", self.note) }
    }

    fn says_nothing(&self, value: &str) -> bool {
        self.quiet.contains(&value)
    }

    fn verdict(&self, value: &str) -> Option<Verdict> {
        if self.says_nothing(value) {
            return None;
        }
        let effect = self.effect(value);
        let message = match self.loss {
            Loss::Nothing => return Some(self.ignored()),
            Loss::Snippet | Loss::StreamSnippet => return Some(snippet(value, effect)),
            Loss::Detail | Loss::Trust | Loss::Access | Loss::Addresses => {
                format!("is not served yet: {}{}", effect.consequence(), self.note())
            }
        };
        Some(Verdict { effect, reason: Reason::SettingNotServed, message })
    }

    /// What follows of a value that says something.
    fn effect(&self, value: &str) -> Effect {
        let snippet = |denied| if Snippet::read(value).is_about_access() { denied } else { Effect::Lessened };
        match self.loss {
            Loss::Nothing | Loss::Detail => Effect::Lessened,
            Loss::Trust => Effect::NobodyTrusted,
            Loss::Access => Effect::Denied,
            Loss::Addresses => Effect::AllDenied,
            Loss::Snippet => snippet(Effect::Denied),
            Loss::StreamSnippet => snippet(Effect::StreamsDenied),
        }
    }

    fn ignored(&self) -> Verdict {
        let message = format!("has no meaning here and is ignored{}", self.note());
        Verdict { effect: Effect::Lessened, reason: Reason::SettingIgnored, message }
    }

    fn note(&self) -> String {
        if self.note.is_empty() { String::new() } else { format!(". {}", self.note) }
    }
}

fn snippet(value: &str, effect: Effect) -> Verdict {
    let directives = Snippet::read(value).list(|name| format!("`{name}`"));
    let message =
        format!("holds nginx's own configuration ({directives}), which is never interpreted: {}", effect.consequence());
    Verdict { effect, reason: Reason::SettingRefused, message }
}

/// A key that nobody knows. Where it is likely to be a misspelled one about access, or about whom to trust, what that one
/// would close is closed: its author relies on it.
fn unknown(key: &str, value: &str) -> Verdict {
    let known = KNOWN.iter().copied().flatten();
    let names = known.map(|known| known.key).chain(super::served().map(|setting| setting.key));
    let near = suggest::nearest(key, names);
    let meant = near.filter(|near| near.is_slip()).map_or(Effect::Lessened, |near| meant(near.name, value));
    let suggestion = match (meant, near) {
        (Effect::Lessened, Some(near)) => format!("; did you mean `{}`?", near.name),
        (effect, Some(near)) => format!("; `{}` is likely to be meant: {}", near.name, effect.consequence()),
        (_, None) => String::new(),
    };
    Verdict { effect: meant, reason: Reason::UnknownSetting, message: format!("is not a known setting{suggestion}") }
}

/// What follows where a key was meant and another one is written: nothing, where its value says no more than its absence.
fn meant(key: &str, value: &str) -> Effect {
    if let Some(known) = KNOWN.iter().copied().flatten().find(|known| known.key == key) {
        return if known.says_nothing(value) { Effect::Lessened } else { known.effect(value) };
    }
    let closing = super::served().find(|setting| setting.key == key && setting.fail_closed.is_some());
    closing.filter(|setting| !setting.is_default(value)).map_or(Effect::Lessened, Effect::Closed)
}
