//! Which Ingresses are ours.

use std::{collections::BTreeSet, sync::Arc};

use k8s_openapi::api::networking::v1::{Ingress, IngressClass};

use crate::{NamespacedName, Objects, Options, selector::Selector};

/// The annotation that named the class before `spec.ingressClassName` did.
const CLASS_ANNOTATION: &str = "kubernetes.io/ingress.class";
/// Marks the IngressClass of Ingresses that name none.
const DEFAULT_CLASS_ANNOTATION: &str = "ingressclass.kubernetes.io/is-default-class";

/// What is ours.
pub(crate) struct Attached<'a> {
    /// By name.
    pub ingresses: Vec<Ours<'a>>,
    pub classes: Classes<'a>,
}

/// An Ingress of ours.
pub(crate) struct Ours<'a> {
    pub name: &'a NamespacedName,
    pub ingress: &'a Arc<Ingress>,
    /// Its IngressClass, if there is one.
    pub class: Option<&'a Arc<str>>,
}

/// Finds our Ingresses.
pub(crate) fn attach<'a>(objects: &'a Objects, options: &'a Options) -> Attached<'a> {
    let classes = Classes::new(objects, options);
    let namespaces = Namespaces::new(objects, options);
    let watched = objects.ingresses.iter().filter(|(name, _)| namespaces.watches(&name.namespace));
    let ingresses = watched.filter_map(|(name, ingress)| Some(Ours { name, ingress, class: classes.claims(ingress)? }));
    Attached { ingresses: ingresses.collect(), classes }
}

/// Whether an Ingress of this name is ours, if it were among these objects.
pub fn is_ours(objects: &Objects, options: &Options, name: &NamespacedName, ingress: &Ingress) -> bool {
    Namespaces::new(objects, options).watches(&name.namespace)
        && Classes::new(objects, options).claims(ingress).is_some()
}

/// Which classes are ours, and whether we serve Ingresses without one.
pub(crate) struct Classes<'a> {
    options: &'a Options,
    pub ours: BTreeSet<&'a Arc<str>>,
    /// Whether the name that `--ingress-class` gives is enough.
    by_name: bool,
    without: bool,
    /// The class of those that name none: the first by name.
    default: Option<&'a Arc<str>>,
}

/// The names of our classes and of the default one, whether the name by a flag is enough, and whether Ingresses without a
/// class are ours: with the options, all that decides of which class an Ingress is.
pub(crate) type ClassNames = (BTreeSet<Arc<str>>, Option<Arc<str>>, bool, bool);

impl<'a> Classes<'a> {
    fn new(objects: &'a Objects, options: &'a Options) -> Self {
        let ours = || objects.ingress_classes.iter().filter(|(name, class)| is_our_class(name, class, options));
        let default = ours().find(|(_, class)| is_default(class)).map(|(name, _)| name);
        Self {
            options,
            by_name: options.ingress_class_by_name || without_classes(objects, options),
            ours: ours().map(|(name, _)| name).collect(),
            without: options.watch_ingress_without_class || default.is_some(),
            default,
        }
    }

    pub fn names(&self) -> ClassNames {
        (self.ours.iter().copied().cloned().collect(), self.default.cloned(), self.by_name, self.without)
    }

    /// None: the Ingress is not ours; none within: it is, and of no IngressClass that is there. `spec.ingressClassName`
    /// comes first, then the annotation. An empty one of either names nothing.
    fn claims(&self, ingress: &Ingress) -> Option<Option<&'a Arc<str>>> {
        let own = |name: &str| self.ours.get(&Arc::from(name)).copied();
        let spec_name = ingress.spec.as_ref().and_then(|spec| spec.ingress_class_name.as_deref());
        if let Some(name) = spec_name.filter(|name| !name.is_empty()) {
            let class = own(name);
            let by_name = self.by_name && name == self.options.ingress_class;
            return (class.is_some() || by_name).then_some(class);
        }
        let annotation = ingress.metadata.annotations.as_ref().and_then(|all| all.get(CLASS_ANNOTATION));
        match annotation.filter(|name| !name.is_empty()) {
            Some(name) => (*name == self.options.ingress_class).then(|| own(name)),
            None => self.without.then_some(self.default),
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
