//! Which hosts have patterns for paths.

use std::sync::Arc;

use super::HostDraft;

/// What an object says that makes patterns of paths, in ingress-nginx of all paths of a host, those of other objects too.
/// None of them is served as one yet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Patterns {
    /// `use-regex`.
    pub regex: bool,
    /// `rewrite-target`, where it is not empty.
    pub target: Option<Arc<str>>,
}

impl Patterns {
    /// Whether they make patterns of the paths of a host.
    pub fn apply_to(&self, host: &HostDraft) -> bool {
        self.regex || self.rewrite(host)
    }

    /// Whether paths of a host are rewritten. ingress-nginx does so where the target and the path of a location differ, and
    /// makes patterns of all paths of the host then. A host has a location `/` even where nobody asks for it, with the
    /// annotations of whoever brings the host: only `/` may be the target of nothing but itself.
    pub fn rewrite(&self, host: &HostDraft) -> bool {
        let Some(target) = &self.target else { return false };
        **target != *"/" || host.has_unread || host.routes.iter().any(|route| *route.label != *"/")
    }
}

#[cfg(test)]
mod tests {
    use snapshot::HostPattern;

    use super::*;
    use crate::draft::{PathClass, Place, RouteDraft};

    fn host(paths: &[(&str, PathClass)]) -> HostDraft {
        let route = |(path, class): &(&str, PathClass)| RouteDraft {
            place: Place::DefaultBackend,
            class: *class,
            path: (*path).into(),
            label: (*path).into(),
            backend: Err("".into()),
        };
        HostDraft { host: HostPattern::Any, routes: paths.iter().map(route).collect(), has_unread: false }
    }

    #[test]
    fn only_a_target_that_differs_makes_patterns() {
        let root = Patterns { regex: false, target: Some("/".into()) };
        for class in [PathClass::Exact, PathClass::Prefix, PathClass::ImplementationSpecific, PathClass::Default] {
            assert!(!root.apply_to(&host(&[("/", class)])), "{class:?}");
            assert!(root.apply_to(&host(&[("/", class), ("/a", class)])), "{class:?}");
        }
        let a = Patterns { regex: false, target: Some("/a".into()) };
        // The server that ingress-nginx makes of a host has a location `/` of its own, which is rewritten then.
        assert!(a.apply_to(&host(&[("/a", PathClass::Exact)])));
        assert!(a.apply_to(&host(&[("/a", PathClass::Prefix)])));
        assert!(a.apply_to(&host(&[("/a", PathClass::ImplementationSpecific)])));
    }

    #[test]
    fn a_path_that_is_left_out_may_have_been_one() {
        let root = Patterns { regex: false, target: Some("/".into()) };
        let unread = HostDraft { has_unread: true, ..host(&[("/", PathClass::Prefix)]) };
        assert!(root.apply_to(&unread) && !Patterns::default().apply_to(&unread));
    }

    #[test]
    fn expressions_make_patterns_whatever_the_paths_are() {
        let regex = Patterns { regex: true, target: None };
        assert!(regex.apply_to(&host(&[])) && regex.apply_to(&host(&[("/", PathClass::Exact)])));
        assert!(!Patterns::default().apply_to(&host(&[("/a", PathClass::Prefix)])));
    }
}
