//! One key of the registry.

use crate::{draft::Stated, settings::Settings};

/// Takes a value in.
pub(super) type Parse = fn(&str, &mut Stated) -> Result<(), String>;

/// Looks at a value without taking it in.
pub(super) type Form = fn(&str) -> Result<(), String>;

/// A key: what it means, and what follows while it is not served, or its value is none.
pub(super) struct Annotation {
    /// The key without its prefix.
    pub(super) key: &'static str,
    /// Older names of the same thing.
    pub(super) aliases: &'static [&'static str],
    /// What it holds for.
    pub(super) scope: Scope,
    /// How much harm its value can do (ingress-nginx's `annotations-risk-level`).
    pub(super) risk: Risk,
    /// What its value looks like.
    pub(super) value: &'static str,
    /// What holds where the key is absent, in words or as a value.
    pub(super) default: &'static str,
    /// What it means.
    pub(super) doc: &'static str,
    /// A value that says something else than the default.
    pub(super) example: &'static str,
    /// What we do about it.
    pub(super) support: Support,
    /// Where it is served: takes the value in, or says what is wrong with it.
    pub(super) parse: Option<Parse>,
    /// Where it is not served: whether ingress-nginx takes the value at all. What it does not take changes nothing there, and is
    /// no reason to refuse an Ingress; never of a key that closes something.
    pub(super) form: Option<Form>,
    /// What the owner of a value should know of it beside, where it is served and where it is not.
    pub(super) notice: Option<fn(&str) -> Option<String>>,
    /// What serving the Ingress without it would lose.
    pub(super) loss: Loss,
    /// Values with which the key says nothing that does not hold without it, to the letter.
    pub(super) quiet: &'static [&'static str],
    /// Where a global setting decides without the key: whether the value says the same as the setting.
    pub(super) same_as_global: Option<fn(&str, &Settings) -> bool>,
}

impl Annotation {
    /// What most keys have in common.
    pub(super) const BASE: Self = Self {
        key: "",
        aliases: &[],
        scope: Scope::Location,
        risk: Risk::Low,
        value: "",
        default: "",
        doc: "",
        example: "",
        support: Support::NotYet,
        parse: None,
        form: None,
        notice: None,
        loss: Loss::Detail,
        quiet: &[],
        same_as_global: None,
    };

    /// The key and its aliases.
    pub(super) fn names(&self) -> impl Iterator<Item = &'static str> + Clone {
        std::iter::once(self.key).chain(self.aliases.iter().copied())
    }

    /// Whether it decides who may have what.
    pub(super) fn is_about_access(&self) -> bool {
        self.loss == Loss::Access
    }
}

/// What a key holds for, in ingress-nginx and here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    /// Each path of the Ingress.
    Location,
    /// The Ingress as a whole.
    Ingress,
    /// Every path of its hosts, those of other Ingresses too; where several state it, the oldest wins.
    Host,
    /// The Services it leads to.
    Service,
}

/// How much harm a value can do in ingress-nginx.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Risk {
    /// Hardly any.
    Low,
    /// It is text that reaches requests or answers.
    Medium,
    /// It leads requests elsewhere, or names hosts.
    High,
    /// It is nginx's own configuration.
    Critical,
}

/// What we do about a key that is not served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Support {
    /// It is known, and not served yet.
    NotYet,
    /// It will not be served: why, and what to write instead.
    Refused(&'static str),
    /// It has no meaning here: why.
    Ignored(&'static str),
    /// It is nginx's own configuration: never interpreted, but read for what it must have been for.
    Snippet,
}

/// What serving an Ingress without a key would lose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Loss {
    /// Something that requests can do without.
    Detail,
    /// An answer of ours: requests reach a backend that they were kept from.
    Answer,
    /// The meaning of its paths: those that are patterns match nothing.
    Patterns,
    /// The backend: it is not spoken to in the way it understands.
    Backend,
    /// The Ingress: it would be taken for another kind, and take requests that are not its own.
    Ingress,
    /// A restriction of who may have what.
    Access,
}
