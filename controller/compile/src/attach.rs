//! Which Ingresses are ours.

use std::{collections::BTreeSet, sync::Arc};

use k8s_openapi::api::networking::v1::{Ingress, IngressClass};
use snapshot::Origin;

use crate::{NamespacedName, Objects, Options, Problem, notes::Notes, selector::Selector};

/// The annotation that named the class before `spec.ingressClassName` did.
const CLASS_ANNOTATION: &str = "kubernetes.io/ingress.class";
/// Marks the IngressClass of Ingresses that name none.
const DEFAULT_CLASS_ANNOTATION: &str = "ingressclass.kubernetes.io/is-default-class";

/// Our Ingresses, by name, and what is wrong with our IngressClasses.
pub(crate) fn attach<'a>(
    objects: &'a Objects,
    options: &'a Options,
) -> (Vec<(&'a NamespacedName, &'a Arc<Ingress>)>, Vec<Problem>) {
    let classes = Classes::new(objects, options);
    let namespaces = Namespaces::new(objects, options);
    let ours = objects
        .ingresses
        .iter()
        .filter(|(name, ingress)| namespaces.watches(&name.namespace) && classes.claims(ingress))
        .collect();
    (ours, classes.problems)
}

/// Which classes are ours, and whether we serve Ingresses without one.
struct Classes<'a> {
    options: &'a Options,
    ours: BTreeSet<&'a str>,
    /// Whether the name that `--ingress-class` gives is enough.
    by_name: bool,
    without: bool,
    problems: Vec<Problem>,
}

impl<'a> Classes<'a> {
    fn new(objects: &'a Objects, options: &'a Options) -> Self {
        let ours = || objects.ingress_classes.iter().filter(|(name, class)| is_our_class(name, class, options));
        Self {
            options,
            by_name: options.ingress_class_by_name || without_classes(objects, options),
            ours: ours().map(|(name, _)| &**name).collect(),
            without: options.watch_ingress_without_class || ours().any(|(_, class)| is_default(class)),
            problems: ours().flat_map(|(name, class)| class_problems(name, class)).collect(),
        }
    }

    /// `spec.ingressClassName` comes first, then the annotation. An empty one of either names nothing.
    fn claims(&self, ingress: &Ingress) -> bool {
        let spec_name = ingress.spec.as_ref().and_then(|spec| spec.ingress_class_name.as_deref());
        if let Some(name) = spec_name.filter(|name| !name.is_empty()) {
            return self.ours.contains(name) || (self.by_name && name == self.options.ingress_class);
        }
        let annotation = ingress.metadata.annotations.as_ref().and_then(|all| all.get(CLASS_ANNOTATION));
        match annotation.filter(|name| !name.is_empty()) {
            Some(name) => *name == self.options.ingress_class,
            None => self.without,
        }
    }
}

/// Whether nothing is known of classes: with Roles alone, which are for one namespace, they cannot be read. Ingresses
/// still name them. (ingress-nginx then looks at the annotation alone, and would take an Ingress of another class.)
fn without_classes(objects: &Objects, options: &Options) -> bool {
    options.watch_namespace.as_ref().is_some_and(|namespace| !namespace.is_empty())
        && objects.ingress_classes.is_empty()
}

fn is_our_class(name: &str, class: &IngressClass, options: &Options) -> bool {
    let controller = class.spec.as_ref().and_then(|spec| spec.controller.as_deref());
    controller == Some(&options.controller_class) || (options.ingress_class_by_name && name == options.ingress_class)
}

fn is_default(class: &IngressClass) -> bool {
    let annotations = class.metadata.annotations.as_ref();
    annotations.and_then(|all| all.get(DEFAULT_CLASS_ANNOTATION)).is_some_and(|value| value == "true")
}

fn class_problems(name: &str, class: &IngressClass) -> Vec<Problem> {
    let mut notes = Notes::new(&Arc::new(Origin::new("IngressClass", "", name)));
    if class.spec.as_ref().is_some_and(|spec| spec.parameters.is_some()) {
        notes.warning("spec.parameters", "ParametersNotSupported", "parameters of a class are not read");
    }
    notes.into_problems()
}

/// Which namespaces we watch.
struct Namespaces<'a> {
    objects: &'a Objects,
    only: Option<&'a str>,
    /// None: a selector that cannot be read watches nothing (the options are checked at the start).
    selector: Option<Selector>,
}

impl<'a> Namespaces<'a> {
    fn new(objects: &'a Objects, options: &'a Options) -> Self {
        let only = options.watch_namespace.as_deref().filter(|namespace| !namespace.is_empty());
        Self { objects, only, selector: options.watch_namespace_selector.parse().ok() }
    }

    fn watches(&self, namespace: &str) -> bool {
        if self.only.is_some_and(|only| only != namespace) {
            return false;
        }
        let Some(selector) = &self.selector else { return false };
        if selector.is_empty() {
            return true;
        }
        // A namespace that is not known (yet) is not watched, as in ingress-nginx.
        let Some(object) = self.objects.namespaces.get(namespace) else { return false };
        selector.matches(object.metadata.labels.as_ref())
    }
}
