//! `IngressClassParameters`: settings of one class.
//!
//! An IngressClass names them by `spec.parameters`. They have no namespace, as the IngressClass has none: who may change
//! what all Ingresses of a class get, in whatever namespace, is who may change the class.
//! <https://kubernetes.io/docs/concepts/services-networking/ingress/#ingressclass-scope>

mod verdict;

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use k8s_openapi::{
    api::networking::v1::{IngressClass, IngressClassParametersReference},
    apimachinery::pkg::apis::meta::v1::Condition,
};
use kube_derive::CustomResource;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use snapshot::Origin;

use crate::{
    Objects, Problem, Reason,
    notes::Notes,
    policy::Policy,
    settings::{self, Settings},
};

pub use verdict::{ParametersVerdict, parameters_status};

/// The API group.
const GROUP: &str = "tidegate.dev";
/// The kind.
const KIND: &str = "IngressClassParameters";

/// The fields, by name. Which there are and of which type is said at the settings of the ConfigMap; the schema is made of
/// them.
#[derive(CustomResource, Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "tidegate.dev",
    version = "v1alpha1",
    kind = "IngressClassParameters",
    plural = "ingressclassparameters",
    status = "IngressClassParametersStatus",
    doc = "Settings of one class of Ingresses, named by spec.parameters of its IngressClass. What is not set here holds as \
           the ConfigMap has it.",
    printcolumn = r#"{"name": "Accepted", "type": "string", "jsonPath": ".status.conditions[?(@.type==\"Accepted\")].status"}"#,
    printcolumn = r#"{"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"}"#,
    derive = "Default",
    derive = "PartialEq",
    crates(kube_core = "::kube_core")
)]
#[serde(transparent)]
pub struct IngressClassParametersSpec {
    /// By the name of the field.
    pub fields: BTreeMap<String, Value>,
}

impl JsonSchema for IngressClassParametersSpec {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "IngressClassParametersSpec".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        // What is not known has to arrive: left out by the API server, a misspelled field would close nothing.
        let schema = json!({
            "type": "object",
            "description": "Each field is a key of the ConfigMap in camel case.",
            "properties": settings::class::properties(),
            "x-kubernetes-preserve-unknown-fields": true,
        });
        Schema::try_from(schema).unwrap_or_default()
    }
}

/// What became of the parameters.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct IngressClassParametersStatus {
    /// `Accepted`: whether all fields are used as they are written.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "conditions")]
    pub conditions: Vec<Condition>,
}

/// As Kubernetes has conditions everywhere.
/// <https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/status/>
fn conditions(_: &mut SchemaGenerator) -> Schema {
    let text = |most: u32| json!({ "type": "string", "maxLength": most });
    let condition = json!({
        "type": "object",
        "required": ["type", "status", "lastTransitionTime", "reason", "message"],
        "properties": {
            "type": text(316),
            "status": { "type": "string", "enum": ["True", "False", "Unknown"] },
            "observedGeneration": { "type": "integer", "format": "int64", "minimum": 0 },
            "lastTransitionTime": { "type": "string", "format": "date-time" },
            "reason": text(1024),
            "message": text(32_768),
        },
    });
    let list = json!({
        "type": "array",
        "items": condition,
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["type"],
    });
    Schema::try_from(list).unwrap_or_default()
}

/// The settings of each class of ours.
pub(crate) struct ClassSettings {
    /// Those of the ConfigMap.
    pub global: Arc<ClassSetting>,
    /// By the class, where it has parameters.
    by_class: BTreeMap<Arc<str>, Arc<ClassSetting>>,
    /// The parameters that a class of ours names, and their `metadata.generation`.
    pub named: BTreeMap<Arc<str>, Option<i64>>,
    pub problems: Vec<Problem>,
}

/// Settings, and what routes are made with under them.
#[derive(Debug, PartialEq)]
pub(crate) struct ClassSetting {
    pub settings: Settings,
    pub policy: Arc<Policy>,
}

impl ClassSetting {
    fn new(settings: Settings) -> Arc<Self> {
        let policy = Arc::new(Policy::from(&settings));
        Arc::new(Self { settings, policy })
    }
}

impl ClassSettings {
    /// Those of a class; without one those of the ConfigMap.
    pub fn of(&self, class: Option<&Arc<str>>) -> &Arc<ClassSetting> {
        class.and_then(|class| self.by_class.get(class)).unwrap_or(&self.global)
    }

    /// All of them, to tell whether any changed.
    pub fn all(&self) -> AllSettings {
        (Arc::clone(&self.global), self.by_class.clone())
    }
}

/// Those of the ConfigMap, and those of classes.
pub(crate) type AllSettings = (Arc<ClassSetting>, BTreeMap<Arc<str>, Arc<ClassSetting>>);

/// Lays the parameters of each of our classes over the settings of the ConfigMap.
pub(crate) fn resolve(objects: &Objects, ours: &BTreeSet<&Arc<str>>, global: Settings) -> ClassSettings {
    let (mut by_class, mut named, mut problems) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
    let mut read: BTreeMap<&str, Arc<ClassSetting>> = BTreeMap::new();
    for (name, class) in objects.ingress_classes.iter().filter(|(name, _)| ours.contains(name)) {
        let Some(reference) = reference(class) else { continue };
        let found = match find(objects, reference) {
            Ok(found) => found,
            Err((field, reason, message)) => {
                let mut settings = global.clone();
                let closed = settings::class::fail_closed(&mut settings);
                let mut notes = Notes::new(&Arc::new(Origin::new("IngressClass", "", name)));
                let message = format!("{message}. Its Ingresses are served as the ConfigMap has it, but {closed}");
                notes.error(field, reason, message);
                problems.extend(notes.into_problems());
                by_class.insert(Arc::clone(name), ClassSetting::new(settings));
                continue;
            }
        };
        let setting = read.entry(&reference.name).or_insert_with(|| {
            let origin = Arc::new(Origin::new(KIND, "", &reference.name));
            let overlaid = settings::class::overlay(&global, &found.spec.fields, &origin);
            problems.extend(overlaid.problems);
            ClassSetting::new(overlaid.settings)
        });
        by_class.insert(Arc::clone(name), Arc::clone(setting));
        named.insert(Arc::from(&*reference.name), found.metadata.generation);
    }
    ClassSettings { global: ClassSetting::new(global), by_class, named, problems }
}

fn reference(class: &IngressClass) -> Option<&IngressClassParametersReference> {
    class.spec.as_ref()?.parameters.as_ref()
}

/// The parameters that a class names, or the field that is wrong, a reason and a message.
fn find<'a>(
    objects: &'a Objects,
    reference: &IngressClassParametersReference,
) -> Result<&'a IngressClassParameters, (&'static str, Reason, String)> {
    let IngressClassParametersReference { api_group, kind, name, namespace: _, scope } = reference;
    if api_group.as_deref() != Some(GROUP) || kind != KIND {
        let message = format!(
            "only {KIND} of the API group {GROUP} are read, not {kind} of {:?}",
            api_group.as_deref().unwrap_or_default()
        );
        return Err(("spec.parameters", Reason::ParametersNotSupported, message));
    }
    if scope.as_deref().is_some_and(|scope| scope != "Cluster") {
        let message = format!("{KIND} have no namespace: the scope is Cluster");
        return Err(("spec.parameters.scope", Reason::ParametersNotSupported, message));
    }
    objects.parameters.get(&**name).map(|found| &**found).ok_or_else(|| {
        let message = format!(
            "{KIND} {name} does not exist, or cannot be read: its CustomResourceDefinition (`tidegate crds` prints it) or the \
             permission may be missing"
        );
        ("spec.parameters.name", Reason::ParametersNotFound, message)
    })
}
