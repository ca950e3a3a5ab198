//! Which documents are for us.

use compile::Reason;
use serde_json::Value;

use crate::object::Kind;

/// What is to be done with a document.
#[derive(Debug, PartialEq)]
pub(super) enum Read {
    /// It is an object of ours.
    Object(Kind),
    /// Its `items` are to be read, of this type where they name none.
    List(Option<Type>),
    /// It is for somebody else.
    Nothing,
}

/// `apiVersion` and `kind`.
#[derive(Debug, PartialEq)]
pub(super) struct Type {
    pub(super) api_version: String,
    pub(super) kind: String,
}

/// Kinds of the API groups we read that Kubernetes has and we have no use for.
const OTHER_KINDS: &[&str] = &[
    "Binding",
    "ComponentStatus",
    "Endpoints",
    "Event",
    "IPAddress",
    "LimitRange",
    "NetworkPolicy",
    "Node",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "Pod",
    "PodTemplate",
    "ReplicationController",
    "ResourceQuota",
    "ServiceAccount",
    "ServiceCIDR",
];

/// API groups that Kubernetes has and of which we read nothing.
/// <https://kubernetes.io/docs/reference/generated/kubernetes-api/v1.36/#-strong-api-groups-strong->
const OTHER_GROUPS: &[&str] = &[
    "admissionregistration.k8s.io",
    "apiextensions.k8s.io",
    "apiregistration.k8s.io",
    "apps",
    "authentication.k8s.io",
    "authorization.k8s.io",
    "autoscaling",
    "batch",
    "certificates.k8s.io",
    "coordination.k8s.io",
    "events.k8s.io",
    "flowcontrol.apiserver.k8s.io",
    "internal.apiserver.k8s.io",
    "kustomize.config.k8s.io", // not of the API, but often in the same folder
    "node.k8s.io",
    "policy",
    "rbac.authorization.k8s.io",
    "resource.k8s.io",
    "scheduling.k8s.io",
    "storage.k8s.io",
    "storagemigration.k8s.io",
];

/// Decides by `apiVersion` and `kind`.
///
/// # Errors
/// The reason and the message of a warning: it is nothing that Kubernetes has.
pub(super) fn of(value: &Value) -> Result<Read, (Reason, String)> {
    let Value::Object(fields) = value else {
        return Err((
            Reason::NoObject,
            "not a Kubernetes object, which is a mapping with apiVersion and kind".to_owned(),
        ));
    };
    let text = |name: &str| match fields.get(name).and_then(Value::as_str).filter(|text| !text.is_empty()) {
        Some(text) => Ok(text),
        None => Err((Reason::KindMissing, format!("not a Kubernetes object: {name} is missing"))),
    };
    let (kind, api_version) = (text("kind")?, text("apiVersion")?);
    if let Some(known) = Kind::ALL.iter().find(|known| known.name() == kind) {
        return object(*known, api_version);
    }
    if let Some(item) = kind.strip_suffix("List").filter(|_| fields.get("items").is_some_and(Value::is_array)) {
        let item = Type { api_version: api_version.to_owned(), kind: item.to_owned() };
        return Ok(Read::List((!item.kind.is_empty()).then_some(item)));
    }
    let group = group(api_version);
    let ours = Kind::ALL.iter().any(|known| self::group(known.api_version()) == group);
    if OTHER_GROUPS.contains(&group) || ours && OTHER_KINDS.contains(&kind) {
        return Ok(Read::Nothing);
    }
    Err((Reason::KindUnknown, format!("{kind} of {api_version} is not a kind that is read here; it is left out")))
}

fn object(kind: Kind, api_version: &str) -> Result<Read, (Reason, String)> {
    if api_version == kind.api_version() {
        return Ok(Read::Object(kind));
    }
    // Such as the Service of Knative: the same word, another kind.
    if group(api_version) != group(kind.api_version()) && group(api_version) != "extensions" {
        return Err((
            Reason::KindUnknown,
            format!("{} of {api_version} is not read here; it is left out", kind.name()),
        ));
    }
    let message = format!("{} is read in {}, not in {api_version}; it is left out", kind.name(), kind.api_version());
    Err((Reason::VersionUnknown, message))
}

/// The part before the slash; empty for the core group.
fn group(api_version: &str) -> &str {
    api_version.split_once('/').map_or("", |(group, _)| group)
}
