//! The text of a file as objects.

mod kind;
mod locate;

use std::collections::BTreeSet;

use compile::{IngressClassParameters, Reason, Severity};
use k8s_openapi::{
    api::{
        core::v1::{ConfigMap, Namespace, Secret, Service},
        discovery::v1::EndpointSlice,
        networking::v1::{Ingress, IngressClass},
    },
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use kind::Read;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_saphyr::Spanned;

use crate::object::{Key, Kind, Object};

/// What a file holds.
#[derive(Debug, Default)]
pub(super) struct Parsed {
    /// Each key once.
    pub(super) objects: Vec<Object>,
    /// The objects that are there but cannot be read: what they were before stays.
    pub(super) broken: Vec<Key>,
    /// What is wrong.
    pub(super) remarks: Vec<Remark>,
    /// Whether there is nothing but white space.
    pub(super) blank: bool,
}

/// Something that is wrong with a file.
#[derive(Debug, PartialEq)]
pub(super) struct Remark {
    /// Where, counted from 1; none where the file as a whole is meant.
    pub(super) line: Option<u64>,
    pub(super) severity: Severity,
    pub(super) reason: Reason,
    pub(super) message: String,
}

impl Remark {
    pub(super) fn error(line: Option<u64>, reason: Reason, message: String) -> Self {
        Self { line, severity: Severity::Error, reason, message }
    }

    fn warning(line: u64, reason: Reason, message: String) -> Self {
        Self { line: Some(line), severity: Severity::Warning, reason, message }
    }
}

/// Reads the documents of a YAML file.
///
/// # Errors
/// It is not YAML to its end.
pub(super) fn yaml(text: &str) -> Result<Parsed, Remark> {
    // The error's own rendering has several lines of source; one line fits a problem better.
    let options = serde_saphyr::options! { with_snippet: false };
    let documents: Vec<Spanned<Value>> =
        serde_saphyr::from_multiple_with_options(text, options).map_err(|error| locate::yaml_error(&error))?;
    let lines: Vec<u64> = documents.iter().map(|document| document.referenced.line()).collect();
    let mut reader = Reader::new(text);
    for (index, document) in documents.into_iter().enumerate() {
        let line = document.referenced.line();
        let source = Source { text, line, end: lines.get(index + 1).copied(), json: false };
        reader.document(document.value, &source);
    }
    Ok(reader.parsed)
}

/// Reads the values of a JSON file.
///
/// # Errors
/// It is not JSON to its end.
pub(super) fn json(text: &str) -> Result<Parsed, Remark> {
    let mut reader = Reader::new(text);
    for value in serde_json::Deserializer::from_str(text).into_iter::<Value>() {
        let value = value.map_err(|error| locate::json_error(&error))?;
        reader.document(value, &Source { text, line: 1, end: None, json: true });
    }
    Ok(reader.parsed)
}

/// Where a document is, to tell the line of a mistake in it.
struct Source<'a> {
    text: &'a str,
    /// Its first line.
    line: u64,
    /// The first line of the next document.
    end: Option<u64>,
    json: bool,
}

struct Reader {
    parsed: Parsed,
    keys: BTreeSet<Key>,
}

impl Reader {
    fn new(text: &str) -> Self {
        let parsed = Parsed { blank: text.trim().is_empty(), ..Parsed::default() };
        Self { parsed, keys: BTreeSet::new() }
    }

    fn document(&mut self, value: Value, source: &Source<'_>) {
        if value.is_null() {
            return;
        }
        match kind::of(&value) {
            Ok(Read::Object(kind)) => self.object(kind, value, source),
            Ok(Read::List(item)) => self.list(value, item, source),
            Ok(Read::Nothing) => {}
            Err((reason, message)) => self.parsed.remarks.push(Remark::warning(source.line, reason, message)),
        }
    }

    /// Items of a typed list, such as `IngressList`, need not name their kind.
    fn list(&mut self, mut list: Value, item: Option<kind::Type>, source: &Source<'_>) {
        let Some(Value::Array(items)) = list.get_mut("items").map(Value::take) else { return };
        for mut value in items {
            if let (Some(item), Value::Object(fields)) = (&item, &mut value) {
                fields.entry("kind").or_insert_with(|| item.kind.clone().into());
                fields.entry("apiVersion").or_insert_with(|| item.api_version.clone().into());
            }
            self.document(value, source);
        }
    }

    fn object(&mut self, kind: Kind, value: Value, source: &Source<'_>) {
        let meta = value.get("metadata").cloned();
        match typed(kind, value) {
            Ok(object) => self.typed(object, source),
            Err(error) => {
                let key = meta.and_then(|meta| serde_json::from_value::<ObjectMeta>(meta).ok());
                let key = key.filter(|meta| meta.name.is_some()).map(|meta| Key::new(kind, &meta));
                let what = key.as_ref().map_or_else(|| kind.name().to_owned(), Key::to_string);
                let line = locate::in_document(kind, source).unwrap_or(source.line);
                let message = format!("{what} cannot be read: {}", why(kind, &error));
                self.parsed.remarks.push(Remark::error(Some(line), Reason::ObjectUnreadable, message));
                self.parsed.broken.extend(key);
            }
        }
    }

    fn typed(&mut self, object: Object, source: &Source<'_>) {
        let error = |reason, message| Remark::error(Some(source.line), reason, message);
        if object.meta().name.as_deref().unwrap_or_default().is_empty() {
            let message = format!("{} without metadata.name", object.kind().name());
            self.parsed.remarks.push(error(Reason::NameMissing, message));
        } else if self.keys.insert(object.key()) {
            self.parsed.objects.push(object);
        } else {
            let message = format!("{} is in this file twice; the first one counts", object.key());
            self.parsed.remarks.push(error(Reason::DuplicateObject, message));
        }
    }
}

/// Why an object cannot be read. The error quotes what it found: of a Secret that could be a key.
fn why(kind: Kind, error: &serde_json::Error) -> String {
    match kind {
        Kind::Secret => "`data` is a map of text in base64, `stringData` one of text".to_owned(),
        _ => error.to_string(),
    }
}

fn typed(kind: Kind, value: Value) -> Result<Object, serde_json::Error> {
    fn read<K: DeserializeOwned + Into<Object>>(value: Value) -> Result<Object, serde_json::Error> {
        serde_json::from_value::<K>(value).map(Into::into)
    }
    match kind {
        Kind::Ingress => read::<Ingress>(value),
        Kind::IngressClass => read::<IngressClass>(value),
        Kind::IngressClassParameters => read::<IngressClassParameters>(value),
        Kind::Service => read::<Service>(value),
        Kind::EndpointSlice => read::<EndpointSlice>(value),
        Kind::Secret => serde_json::from_value(value).map(|secret| merge_string_data(secret).into()),
        Kind::ConfigMap => read::<ConfigMap>(value),
        Kind::Namespace => read::<Namespace>(value),
    }
}

/// `stringData` is for writing only; the API server merges it into `data` in the same way.
/// <https://kubernetes.io/docs/reference/kubernetes-api/config-and-storage-resources/secret-v1/#Secret>
fn merge_string_data(mut secret: Secret) -> Secret {
    for (key, text) in secret.string_data.take().unwrap_or_default() {
        secret.data.get_or_insert_default().insert(key, k8s_openapi::ByteString(text.into_bytes()));
    }
    secret
}

#[cfg(test)]
mod tests;
