//! One Event.
//! <https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/event-v1/>

use std::hash::{DefaultHasher, Hash, Hasher};

use compile::{NamespacedName, Objects, Problem};
use k8s_openapi::{
    api::{core::v1::ObjectReference, events::v1::Event},
    apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta},
    jiff::Timestamp,
};
use serde_json::{Value, json};

use crate::object::Kind;

/// Who tells.
const REPORTER: &str = "tidegate.dev/ingress-controller";

/// The longest note that the API server takes, in bytes.
const NOTE: usize = 1024;

/// Leaves room for the digest in a name of at most 253 characters.
const NAME: usize = 230;

/// Whether there is an Event of a problem.
pub(super) fn has_object(problem: &Problem, objects: &Objects) -> bool {
    reference(problem, objects).is_some()
}

/// The Event of a problem; none where its object is not one of the cluster.
pub(super) fn of(problem: &Problem, objects: &Objects, instance: &str) -> Option<Event> {
    let regarding = reference(problem, objects)?;
    // Cluster-scoped objects have their Events in `default`, as everywhere in Kubernetes.
    let namespace = regarding.namespace.clone().unwrap_or_else(|| "default".to_owned());
    Some(Event {
        metadata: ObjectMeta {
            name: Some(name(problem, regarding.uid.as_deref())),
            namespace: Some(namespace),
            ..ObjectMeta::default()
        },
        action: Some("Compile".to_owned()),
        event_time: Some(MicroTime(Timestamp::now())),
        note: Some(cut(&format!("{}: {}", problem.field, problem.message), NOTE).to_owned()),
        reason: Some(problem.reason.as_str().to_owned()),
        regarding: Some(regarding),
        reporting_controller: Some(REPORTER.to_owned()),
        reporting_instance: Some(cut(instance, 128).to_owned()),
        type_: Some("Warning".to_owned()),
        ..Event::default()
    })
}

/// The patch that says an Event happened again.
pub(super) fn series(event: &Event, count: i32) -> Value {
    json!({ "series": { "count": count, "lastObservedTime": event.event_time } })
}

/// The object as it is now, with the `uid` by which Events are found.
fn reference(problem: &Problem, objects: &Objects) -> Option<ObjectReference> {
    let origin = &*problem.object;
    let kind = *Kind::ALL.iter().find(|kind| kind.name() == &*origin.kind)?;
    let name = NamespacedName { namespace: origin.namespace.clone(), name: origin.name.clone() };
    let meta = match kind {
        Kind::Ingress => &objects.ingresses.get(&name)?.metadata,
        Kind::IngressClass => &objects.ingress_classes.get(&name.name)?.metadata,
        Kind::IngressClassParameters => &objects.parameters.get(&name.name)?.metadata,
        Kind::Service => &objects.services.get(&name)?.metadata,
        Kind::Secret => &objects.secrets.get(&name)?.metadata,
        Kind::ConfigMap => &objects.config_maps.get(&name)?.metadata,
        Kind::Namespace => &objects.namespaces.get(&name.name)?.metadata,
        // They are not among the objects: what is wrong with one is found where it is read, so it is there.
        Kind::EndpointSlice => &ObjectMeta {
            namespace: Some(name.namespace.to_string()),
            name: Some(name.name.to_string()),
            ..ObjectMeta::default()
        },
    };
    Some(ObjectReference {
        api_version: Some(kind.api_version().to_owned()),
        kind: Some(kind.name().to_owned()),
        namespace: meta.namespace.clone(),
        name: meta.name.clone(),
        uid: meta.uid.clone(),
        ..ObjectReference::default()
    })
}

/// The same problem of the same object has the same name, in this version of the program.
fn name(problem: &Problem, uid: Option<&str>) -> String {
    let mut digest = DefaultHasher::new();
    (&problem.field, &problem.message, problem.reason.as_str(), uid).hash(&mut digest);
    let stem = cut(&problem.object.name, NAME).trim_end_matches(['.', '-']);
    format!("{stem}.{:016x}", digest.finish())
}

/// At most `limit` bytes of a text, whole characters.
fn cut(text: &str, limit: usize) -> &str {
    let end = (0..=limit.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    text.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use compile::{Reason, Severity};
    use k8s_openapi::api::networking::v1::Ingress;
    use snapshot::Origin;

    use super::*;

    fn problem(message: &str) -> Problem {
        Problem {
            object: Arc::new(Origin::new("Ingress", "default", "a")),
            severity: Severity::Error,
            field: "spec".into(),
            message: message.into(),
            reason: Reason::BadAnnotation,
        }
    }

    fn objects() -> Objects {
        let metadata = ObjectMeta {
            namespace: Some("default".into()),
            name: Some("a".into()),
            uid: Some("u".into()),
            ..ObjectMeta::default()
        };
        let ingress = Arc::new(Ingress { metadata, ..Ingress::default() });
        Objects { ingresses: [(NamespacedName::new("default", "a"), ingress)].into(), ..Objects::default() }
    }

    #[test]
    fn tells_of_the_object() {
        let event = of(&problem("is wrong"), &objects(), "pod").unwrap();
        let regarding = event.regarding.unwrap();
        assert_eq!((regarding.kind.as_deref(), regarding.uid.as_deref()), (Some("Ingress"), Some("u")));
        assert_eq!(event.note.as_deref(), Some("spec: is wrong"));
        assert_eq!(of(&problem("is wrong"), &Objects::default(), "pod"), None);
    }

    #[test]
    fn tells_of_endpoint_slices_without_knowing_them() {
        let object = Arc::new(Origin::new("EndpointSlice", "default", "a-1"));
        let event = of(&Problem { object, ..problem("cannot be read") }, &Objects::default(), "pod").unwrap();
        let regarding = event.regarding.unwrap();
        assert_eq!((regarding.api_version.as_deref(), regarding.uid), (Some("discovery.k8s.io/v1"), None));
        assert_eq!((regarding.namespace.as_deref(), regarding.name.as_deref()), (Some("default"), Some("a-1")));
    }

    #[test]
    fn names_differ_by_problem_alone() {
        let name = |message: &str| of(&problem(message), &objects(), "pod").unwrap().metadata.name.unwrap();
        assert_eq!(name("a"), name("a"));
        assert_ne!(name("a"), name("b"));
    }

    #[test]
    fn long_notes_are_cut_between_characters() {
        let event = of(&problem(&"ä".repeat(2000)), &objects(), "pod").unwrap();
        let note = event.note.unwrap();
        assert!(note.len() <= NOTE && note.len() >= NOTE - 1 && note.ends_with('ä'));
    }
}
