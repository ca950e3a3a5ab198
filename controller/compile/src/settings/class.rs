//! The settings that a class of Ingresses may have for itself: as fields of an `IngressClassParameters`, with types.
//!
//! There is no second list of them. A field is a key of the ConfigMap in camel case, and its form is said where the key
//! is, so that schema and reader come from the same line.

mod form;

use std::{collections::BTreeMap, sync::Arc};

use serde_json::{Map, Value, json};
use snapshot::Origin;

use super::{Settings, handshake, served, setting::Setting, shortened, unserved};
use crate::{Problem, Severity, suggest};

pub(super) use form::Form;

/// Whether a setting may differ between classes.
pub(super) enum Scope {
    /// Yes, with a field of this form.
    Class(Form),
    /// No: why, for the end of a sentence.
    All(&'static str),
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
/// leaves what the ConfigMap says, and is a [`Problem`] of the parameters.
pub(crate) fn overlay(base: &Settings, fields: &BTreeMap<String, Value>, origin: &Arc<Origin>) -> Overlaid {
    let mut reader = Reader { origin, settings: base.clone(), problems: Vec::new() };
    for (setting, form) in fields_of_classes() {
        if let Some(value) = fields.get(&field(setting.key)).filter(|value| !value.is_null()) {
            reader.field(setting, form, value);
        }
    }
    for (name, value) in
        fields.iter().filter(|(name, _)| fields_of_classes().all(|(known, _)| field(known.key) != **name))
    {
        reader.unknown(name, value);
    }
    let Reader { mut settings, problems, .. } = reader;
    if problems.iter().any(|problem| problem.severity == Severity::Error) {
        fail_closed(&mut settings);
    }
    Overlaid { settings, problems }
}

/// What [`overlay`] makes.
pub(crate) struct Overlaid {
    pub settings: Settings,
    pub problems: Vec<Problem>,
}

/// What holds while the parameters of a class are missing or not understood: what they may have forbidden is forbidden.
/// Any field that restricts who may have what belongs here.
pub(crate) fn fail_closed(settings: &mut Settings) {
    settings.allow_cross_namespace_resources = false;
}

/// The schema of each field (OpenAPI 3.0, as a CustomResourceDefinition has it).
pub(crate) fn properties() -> Map<String, Value> {
    fields_of_classes().map(|(setting, form)| (field(setting.key), form.schema(setting))).collect()
}

/// The fields and their settings, in the order in which they apply.
pub(super) fn fields_of_classes() -> impl Iterator<Item = (&'static Setting, &'static Form)> {
    served().filter_map(|setting| match &setting.scope {
        Scope::Class(form) => Some((setting, form)),
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
    fn field(&mut self, setting: &Setting, form: &Form, value: &Value) {
        let text = form.text(value);
        let taken = text.as_ref().map_err(Clone::clone).and_then(|text| (setting.parse)(text, &mut self.settings));
        match (taken, text) {
            (Ok(()), Ok(text)) => {
                if let Some(notice) = handshake::notice(setting.key, &text) {
                    self.problem(Severity::Warning, &field(setting.key), "SettingNotServed", notice);
                }
            }
            (Err(error), _) | (Ok(()), Err(error)) => {
                let message = format!("{error}; what the ConfigMap says holds, or the default");
                self.problem(Severity::Error, &field(setting.key), "BadParameter", message);
            }
        }
    }

    /// The API server lets no such field through; a folder of manifests does.
    fn unknown(&mut self, name: &str, value: &Value) {
        let key = key(name);
        if let Some(Setting { scope: Scope::All(why), .. }) = served().find(|setting| setting.key == key) {
            let message = format!("cannot differ between classes, since {why}: set `{key}` in the ConfigMap");
            return self.problem(Severity::Warning, name, "UnknownParameter", message);
        }
        let verdict = unserved::verdict(&key, value.as_str().unwrap_or("?"));
        if let Some(verdict) = verdict.filter(|verdict| verdict.effect == unserved::Effect::Denied) {
            self.settings.denied.get_or_insert_with(|| format!("parameter `{name}`: {}", verdict.message));
            return self.problem(Severity::Error, name, verdict.reason, verdict.message);
        }
        let names: Vec<String> = fields_of_classes().map(|(setting, _)| setting.key.to_owned()).collect();
        let near = suggest::nearest(&key, names.iter().map(String::as_str));
        let suggestion = near.map(|near| format!("; did you mean `{}`?", field(near.name))).unwrap_or_default();
        self.problem(Severity::Warning, name, "UnknownParameter", format!("is not a known parameter{suggestion}"));
    }

    fn problem(&mut self, severity: Severity, field: &str, reason: &'static str, message: String) {
        let (object, field) = (Arc::clone(self.origin), format!("spec.{field}"));
        self.problems.push(Problem { object, severity, field, message: shortened(&message), reason });
    }
}

/// The part of the reference page about classes.
pub(super) fn reference() -> String {
    let mut page = String::from(
        "\n## Of a class\n\nFields of an `IngressClassParameters`, which a class of Ingresses may \
                                 have for itself.\n\n| field | setting | value |\n|---|---|---|\n",
    );
    for (setting, form) in fields_of_classes() {
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
mod tests {
    use super::*;

    #[test]
    fn keys_and_fields_lead_to_each_other() {
        for setting in served() {
            assert_eq!(key(&field(setting.key)), setting.key);
        }
    }

    #[test]
    fn every_example_is_a_good_field_that_says_what_the_key_does() {
        let origin = Arc::new(Origin::new("IngressClassParameters", "", "x"));
        for (setting, form) in fields_of_classes() {
            let value = form.value(setting.example);
            let base = Settings::default();
            let Overlaid { settings, problems } = overlay(&base, &[(field(setting.key), value)].into(), &origin);
            assert_eq!(problems, [], "{}", setting.key);
            let mut expected = Settings::default();
            (setting.parse)(setting.example, &mut expected).unwrap();
            assert_eq!(settings, expected, "{}", setting.key);
        }
    }

    #[test]
    fn every_field_refuses_what_is_of_another_type() {
        let origin = Arc::new(Origin::new("IngressClassParameters", "", "x"));
        for (setting, _) in fields_of_classes() {
            for value in [json!({}), json!(-1), json!(1.5), json!("?"), json!([1])] {
                let name = field(setting.key);
                let Overlaid { settings, problems } =
                    overlay(&Settings::default(), &[(name.clone(), value)].into(), &origin);
                assert_eq!((problems.len(), problems[0].reason), (1, "BadParameter"), "{}", setting.key);
                assert_eq!((&problems[0].field, settings), (&format!("spec.{name}"), Settings::default()));
            }
        }
    }

    #[test]
    fn what_is_not_understood_opens_nothing() {
        let origin = Arc::new(Origin::new("IngressClassParameters", "", "x"));
        let base = Settings { allow_cross_namespace_resources: true, ..Settings::default() };
        let open = |fields: Value| {
            let fields = serde_json::from_value(fields).unwrap();
            overlay(&base, &fields, &origin).settings
        };
        assert!(open(json!({})).allow_cross_namespace_resources);
        assert!(!open(json!({"allowCrossNamespaceResources": "no"})).allow_cross_namespace_resources);
        assert!(open(json!({"whitelistSourceRange": "10.0.0.0/8"})).denied.is_some());
        assert!(open(json!({"whitelistSourceRage": "10.0.0.0/8"})).denied.is_some());
        assert!(open(json!({"globalAuthUrl": ["x"]})).denied.is_some());
        assert_eq!(open(json!({"keepAlive": 5, "colour": "red"})), base);
    }
}
