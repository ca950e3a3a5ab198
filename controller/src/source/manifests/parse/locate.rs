//! The lines of mistakes.

use k8s_openapi::api::{
    core::v1::{ConfigMap, Namespace, Secret, Service},
    discovery::v1::EndpointSlice,
    networking::v1::{Ingress, IngressClass},
};
use serde::de::DeserializeOwned;

use compile::{IngressClassParameters, Reason};

use super::{Remark, Source};
use crate::object::Kind;

/// A mistake that makes a file no YAML.
pub(super) fn yaml_error(error: &serde_saphyr::Error) -> Remark {
    let line = error.location().map(|location| location.line());
    Remark::error(
        line,
        Reason::FileBroken,
        format!("not valid YAML: {}", first_line(&error.without_snippet().to_string())),
    )
}

/// A mistake that makes a file no JSON.
pub(super) fn json_error(error: &serde_json::Error) -> Remark {
    Remark::error(Some(error.line() as u64), Reason::FileBroken, format!("not valid JSON: {error}"))
}

/// The line of the field that keeps a document from being an object of `kind`; none where it cannot be told.
///
/// Objects are read from values without places, which is fast. Only where that fails is the text read again.
pub(super) fn in_document(kind: Kind, source: &Source<'_>) -> Option<u64> {
    match kind {
        Kind::Ingress => line::<Ingress>(source),
        Kind::IngressClass => line::<IngressClass>(source),
        Kind::IngressClassParameters => line::<IngressClassParameters>(source),
        Kind::Service => line::<Service>(source),
        Kind::EndpointSlice => line::<EndpointSlice>(source),
        Kind::Secret => line::<Secret>(source),
        Kind::ConfigMap => line::<ConfigMap>(source),
        Kind::Namespace => line::<Namespace>(source),
    }
}

fn line<K: DeserializeOwned>(source: &Source<'_>) -> Option<u64> {
    if source.json {
        return serde_json::from_str::<K>(source.text).err().map(|error| error.line() as u64);
    }
    let error = serde_saphyr::from_str::<K>(&document(source)).err()?;
    Some(source.line + error.location()?.line() - 1)
}

fn document(source: &Source<'_>) -> String {
    let before = usize::try_from(source.line.saturating_sub(1)).unwrap_or(usize::MAX);
    let count = source.end.map_or(u64::MAX, |end| end.saturating_sub(source.line));
    let lines = source.text.lines().skip(before).take(usize::try_from(count).unwrap_or(usize::MAX));
    // What follows the mark that ends a document belongs to the next one.
    let lines: Vec<&str> = lines.take_while(|line| !line.starts_with("---") && !line.starts_with("...")).collect();
    lines.join("\n")
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}
