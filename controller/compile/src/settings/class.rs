//! The settings that a class of Ingresses may have for itself: as fields of an `IngressClassParameters`, with types.
//!
//! There is no second list of them. A field is a key of the ConfigMap in camel case, and its form is said where the key
//! is, so that schema and reader come from the same line.

mod form;

use std::{borrow::Cow, collections::BTreeMap, sync::Arc};

use serde_json::{Map, Value, json};
use snapshot::Origin;

use super::{Settings, handshake, served, setting::Setting, shortened, unserved};
use crate::{Problem, Reason, Severity, suggest};

pub(super) use form::Form;

/// Whether a setting may differ between classes.
pub(super) enum Scope {
    /// Yes, with a field of this form.
    Class(Form, Unknown),
    /// No: why, for the end of a sentence.
    All(&'static str),
}

/// What holds in a class while it is not known what its parameters say of a field, since they do not exist or the field
/// cannot be understood.
pub(super) enum Unknown {
    /// What the ConfigMap says: whatever the field would say, it lets nobody at anything.
    AsGlobal,
    /// Whatever the ConfigMap says, the value that opens least: in words, for the middle of a sentence, and as a setting.
    Closed(&'static str, fn(&mut Settings)),
}

impl Unknown {
    fn close(&self, settings: &mut Settings) {
        match self {
            Self::AsGlobal => {}
            Self::Closed(_, close) => close(settings),
        }
    }

    /// What holds, for the end of a sentence.
    fn consequence(&self) -> &'static str {
        match self {
            Self::AsGlobal => "what the ConfigMap says holds, or the default",
            Self::Closed(words, _) => words,
        }
    }
}

/// What listeners do before it is known whose the request is.
pub(super) const CONNECTION: Scope =
    Scope::All("a connection is served before it is known which Ingress a request is for");

/// What is said of connections to backends.
pub(super) const POOL: Scope = Scope::All("connections to a backend are shared by all who lead to it");

/// What is said of TCP and UDP services.
pub(super) const STREAM: Scope = Scope::All("it is of TCP and UDP services, which have no class");

/// What is said of the process as a whole.
pub(super) const PROCESS: Scope = Scope::All("it is of the process as a whole");

/// The settings of a class: those of the ConfigMap, and over them what its parameters say. A field that cannot be used
/// leaves what the ConfigMap says, or what opens least, and is a [`Problem`] of the parameters.
pub(crate) fn overlay(base: &Settings, fields: &BTreeMap<String, Value>, origin: &Arc<Origin>) -> Overlaid {
    let mut reader = Reader { origin, settings: base.clone(), problems: Vec::new() };
    for known in fields_of_classes() {
        if let Some(value) = fields.get(&field(known.setting.key)).filter(|value| !value.is_null()) {
            reader.field(&known, value);
        }
    }
    for (name, value) in
        fields.iter().filter(|(name, _)| fields_of_classes().all(|known| field(known.setting.key) != **name))
    {
        reader.unknown(name, value);
    }
    let Reader { settings, problems, .. } = reader;
    Overlaid { settings, problems }
}

/// What [`overlay`] makes.
pub(crate) struct Overlaid {
    pub settings: Settings,
    pub problems: Vec<Problem>,
}

/// What holds while the parameters of a class do not exist: what they may have forbidden is forbidden. Returns that in
/// words.
pub(crate) fn fail_closed(settings: &mut Settings) -> String {
    let mut closed = Vec::new();
    for ClassField { unknown, .. } in fields_of_classes() {
        unknown.close(settings);
        match unknown {
            Unknown::AsGlobal => {}
            Unknown::Closed(words, _) => closed.push(*words),
        }
    }
    closed.join("; ")
}

/// The schema of each field (OpenAPI 3.0, as a CustomResourceDefinition has it).
pub(crate) fn properties() -> Map<String, Value> {
    fields_of_classes().map(|ClassField { setting, form, .. }| (field(setting.key), form.schema(setting))).collect()
}

/// A setting that a class may have for itself.
pub(super) struct ClassField {
    pub(super) setting: &'static Setting,
    form: &'static Form,
    unknown: &'static Unknown,
}

/// The fields, in the order in which they apply.
pub(super) fn fields_of_classes() -> impl Iterator<Item = ClassField> {
    served().filter_map(|setting| match &setting.scope {
        Scope::Class(form, unknown) => Some(ClassField { setting, form, unknown }),
        Scope::All(_) => None,
    })
}

/// `proxy-body-size` as `proxyBodySize`.
pub(super) fn field(key: &str) -> String {
    let mut words = key.split('-');
    let mut name = words.next().unwrap_or_default().to_owned();
    for word in words {
        let mut letters = word.chars();
        name.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        name.push_str(letters.as_str());
    }
    name
}

/// The other way round.
fn key(field: &str) -> String {
    let mut key = String::new();
    for letter in field.chars() {
        if letter.is_ascii_uppercase() {
            key.push('-');
        }
        key.push(letter.to_ascii_lowercase());
    }
    key
}

struct Reader<'a> {
    origin: &'a Arc<Origin>,
    settings: Settings,
    problems: Vec<Problem>,
}

impl Reader<'_> {
    fn field(&mut self, &ClassField { setting, form, unknown }: &ClassField, value: &Value) {
        let text = form.text(value);
        let taken = text.as_ref().map_err(Clone::clone).and_then(|text| (setting.parse)(text, &mut self.settings));
        match (taken, text) {
            (Ok(()), Ok(text)) => {
                if let Some(notice) = handshake::notice(setting.key, &text) {
                    self.problem(Severity::Warning, &field(setting.key), Reason::SettingNotServed, notice);
                }
            }
            (Err(error), _) | (Ok(()), Err(error)) => {
                unknown.close(&mut self.settings);
                let message = format!("{error}; {}", unknown.consequence());
                self.problem(Severity::Error, &field(setting.key), Reason::BadParameter, message);
            }
        }
    }

    /// The schema lets such fields through, so that they can be told here, and closed.
    fn unknown(&mut self, name: &str, value: &Value) {
        let key = key(name);
        if let Some(Setting { scope: Scope::All(why), .. }) = served().find(|setting| setting.key == key) {
            let message = format!("cannot differ between classes, since {why}: set `{key}` in the ConfigMap");
            return self.problem(Severity::Warning, name, Reason::UnknownParameter, message);
        }
        let Some(text) = text(value) else { return };
        let verdict = unserved::verdict(&key, &text);
        if let Some(verdict) = verdict.filter(|verdict| verdict.effect.denies_paths()) {
            self.settings.denied.get_or_insert_with(|| format!("parameter `{name}`: {}", verdict.message));
            return self.problem(Severity::Error, name, verdict.reason, verdict.message);
        }
        let Some(near) = suggest::nearest(&key, fields_of_classes().map(|known| known.setting.key)) else {
            let message = "is not a known parameter".to_owned();
            return self.problem(Severity::Warning, name, Reason::UnknownParameter, message);
        };
        let mut message = format!("is not a known parameter; did you mean `{}`?", field(near.name));
        let meant = fields_of_classes().find(|known| known.setting.key == near.name).map(|known| known.unknown);
        match meant {
            Some(unknown @ Unknown::Closed(words, _)) => {
                unknown.close(&mut self.settings);
                message.push_str(&format!(" Until it is right, {words}"));
                self.problem(Severity::Error, name, Reason::UnknownParameter, message);
            }
            Some(Unknown::AsGlobal) | None => {
                self.problem(Severity::Warning, name, Reason::UnknownParameter, message);
            }
        }
    }

    fn problem(&mut self, severity: Severity, field: &str, reason: Reason, message: String) {
        let (object, field) = (Arc::clone(self.origin), format!("spec.{field}"));
        self.problems.push(Problem { object, severity, field, message: shortened(&message), reason });
    }
}

/// The value of a field that has no form, as the ConfigMap would have it; none: it is as if the field were not there.
fn text(value: &Value) -> Option<Cow<'_, str>> {
    Some(match value {
        Value::Null => return None,
        Value::String(text) => text.trim().into(),
        Value::Bool(_) | Value::Number(_) => value.to_string().into(),
        Value::Array(items) if items.is_empty() => "".into(),
        // Nobody knows what it says: a value that no key takes for nothing.
        Value::Array(_) | Value::Object(_) => "?".into(),
    })
}

/// The part of the reference page about classes.
pub(super) fn reference() -> String {
    let mut page = String::from(
        "\n## Of a class\n\nFields of an `IngressClassParameters`, which a class of Ingresses may \
                                 have for itself.\n\n| field | setting | value |\n|---|---|---|\n",
    );
    for ClassField { setting, form, .. } in fields_of_classes() {
        page.push_str(&format!("| `{}` | `{}` | {} |\n", field(setting.key), setting.key, form.words()));
    }
    page
}

/// What every schema says of a field.
fn described(setting: &Setting, mut schema: Value) -> Value {
    if let Value::Object(fields) = &mut schema {
        fields.insert("description".to_owned(), json!(setting.doc));
    }
    schema
}

#[cfg(test)]
mod tests;
