//! Keys of the ConfigMap that are not served: those of ingress-nginx that we know, and all others.

mod access;
mod ignored;
mod later;

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
    /// Whatever its directives say.
    Snippet,
}

/// What a key does to everything that is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    /// It is served, but not in each respect as written.
    Lessened,
    /// Nobody's forwarded headers are believed.
    NobodyTrusted,
    /// Every path answers 503.
    Denied,
}

impl Effect {
    /// How much it matters.
    pub(super) fn severity(self) -> Severity {
        match self {
            Self::Lessened => Severity::Warning,
            Self::NobodyTrusted | Self::Denied => Severity::Error,
        }
    }

    fn consequence(self) -> &'static str {
        match self {
            Self::Lessened => "the rest is served without it",
            Self::NobodyTrusted => "nobody's forwarded headers are believed while it is set",
            Self::Denied => "it is about access, so every path answers 503 while it is set",
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
        None => Some(unknown(key)),
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
        };
        if self.note.is_empty() { what.to_owned() } else { format!("{what}. {}", self.note) }
    }

    fn verdict(&self, value: &str) -> Option<Verdict> {
        if self.quiet.contains(&value) {
            return None;
        }
        let effect = match self.loss {
            Loss::Nothing => return Some(self.ignored()),
            Loss::Snippet => return Some(self.snippet(value)),
            Loss::Detail => Effect::Lessened,
            Loss::Trust => Effect::NobodyTrusted,
            Loss::Access => Effect::Denied,
        };
        let message = format!("is not served yet: {}{}", effect.consequence(), self.note());
        Some(Verdict { effect, reason: Reason::SettingNotServed, message })
    }

    fn ignored(&self) -> Verdict {
        let message = format!("has no meaning here and is ignored{}", self.note());
        Verdict { effect: Effect::Lessened, reason: Reason::SettingIgnored, message }
    }

    fn snippet(&self, value: &str) -> Verdict {
        let snippet = Snippet::read(value);
        let directives = snippet.list(|name| format!("`{name}`"));
        let effect = if snippet.is_about_access() { Effect::Denied } else { Effect::Lessened };
        let message = format!(
            "holds nginx's own configuration ({directives}), which is never interpreted: {}",
            effect.consequence()
        );
        Verdict { effect, reason: Reason::SettingRefused, message }
    }

    fn note(&self) -> String {
        if self.note.is_empty() { String::new() } else { format!(". {}", self.note) }
    }
}

/// A key that nobody knows; denies everything where it is likely to be a misspelled one about access.
fn unknown(key: &str) -> Verdict {
    let known = KNOWN.iter().copied().flatten();
    let names = known.clone().map(|known| known.key).chain(super::served().map(|setting| setting.key));
    let near = suggest::nearest(key, names);
    let restricts = |name: &str| known.clone().any(|known| known.key == name && known.loss == Loss::Access);
    let (effect, suggestion) = match near {
        Some(near) if restricts(near.name) && near.is_slip() => {
            (Effect::Denied, format!("; `{}` is likely to be meant: {}", near.name, Effect::Denied.consequence()))
        }
        Some(near) => (Effect::Lessened, format!("; did you mean `{}`?", near.name)),
        None => (Effect::Lessened, String::new()),
    };
    Verdict { effect, reason: Reason::UnknownSetting, message: format!("is not a known setting{suggestion}") }
}
