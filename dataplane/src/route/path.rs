//! Path to route: Kubernetes' `pathType` (<https://kubernetes.io/docs/concepts/services-networking/ingress/#path-types>).

use std::sync::Arc;

use ahash::AHashMap;
use snapshot::{PathMatch, Route};

/// The paths of one host. Finds what a walk through the routes in their order would find first, without the walk.
#[derive(Debug, Clone, Default)]
pub struct PathTable {
    exact: AHashMap<Arc<str>, usize>,
    prefix: AHashMap<Arc<str>, usize>,
    /// The lengths that prefixes have, in bytes, longest first. Looking at these, and not at every slash of the path,
    /// bounds the work by what is configured instead of by what a client sends.
    lengths: Vec<usize>,
}

impl PathTable {
    /// A table of routes in the order of [`snapshot::RouteTable`]: exact ones, then prefixes, longest first. Of two
    /// with the same match, the first serves.
    pub fn new(routes: &[Arc<Route>]) -> Self {
        let mut table = Self::default();
        for (index, route) in routes.iter().enumerate() {
            let (map, path) = match &route.path {
                PathMatch::Exact(path) => (&mut table.exact, path),
                PathMatch::Prefix(path) => (&mut table.prefix, path),
            };
            map.entry(Arc::clone(path)).or_insert(index);
        }
        table.lengths = table.prefix.keys().map(|path| path.len()).collect();
        table.lengths.sort_unstable_by(|a, b| b.cmp(a));
        table.lengths.dedup();
        table
    }

    /// The index of the route that serves a normalised path (see [`crate::route::normalize()`]).
    pub fn find(&self, path: &str) -> Option<usize> {
        if let Some(&index) = self.exact.get(path) {
            return Some(index);
        }
        let first = self.lengths.partition_point(|&length| length > path.len());
        self.lengths.iter().skip(first).find_map(|&length| self.find_prefix(path, length))
    }

    /// A prefix of this length that ends where an element of the path ends.
    fn find_prefix(&self, path: &str, length: usize) -> Option<usize> {
        match path.as_bytes().get(length) {
            None | Some(b'/') => self.prefix.get(path.get(..length)?).copied(),
            Some(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use snapshot::{Action, Origin};

    use super::*;

    fn route(path: PathMatch) -> Arc<Route> {
        Arc::new(Route {
            origin: Arc::new(Origin::new("Ingress", "default", "a")),
            path,
            label: "/".into(),
            max_body: None,
            filters: Vec::new(),
            then: Action::Respond { status: 200, reason: "test".into() },
        })
    }

    fn exact(path: &str) -> Arc<Route> {
        route(PathMatch::Exact(path.into()))
    }

    fn prefix(path: &str) -> Arc<Route> {
        route(PathMatch::Prefix(path.into()))
    }

    #[test]
    fn exact_beats_prefix_and_long_beats_short() {
        let table = PathTable::new(&[exact("/foo"), exact("/"), prefix("/foo/bar"), prefix("/foo"), prefix("")]);
        for (path, index) in [
            ("/foo", 0),
            ("/", 1),
            ("/foo/", 3),
            ("/foo/x", 3),
            ("/foo/bar", 2),
            ("/foo/bar/", 2),
            ("/foo/barn", 3),
            ("/foobar", 4),
            ("/Foo", 4),
        ] {
            assert_eq!(table.find(path), Some(index), "{path}");
        }
    }

    #[test]
    fn nothing_without_a_match() {
        assert_eq!(PathTable::new(&[]).find("/"), None);
        let table = PathTable::new(&[exact("/a"), prefix("/b")]);
        assert_eq!(table.find("/a/"), None);
        assert_eq!(table.find("/bb"), None);
        assert_eq!(table.find(""), None);
    }

    #[test]
    fn the_first_of_equals_serves() {
        assert_eq!(PathTable::new(&[prefix("/a"), prefix("/a"), prefix("")]).find("/a/b"), Some(0));
    }

    #[test]
    fn characters_of_several_bytes_are_never_split() {
        let table = PathTable::new(&[prefix("/a"), prefix("/é/b")]);
        assert_eq!(table.find("/é"), None);
        assert_eq!(table.find("/é/b/c"), Some(1));
    }

    /// Straight from the definition of `pathType`.
    fn matches(pattern: &PathMatch, path: &str) -> bool {
        match pattern {
            PathMatch::Exact(exact) => &**exact == path,
            PathMatch::Prefix(prefix) => {
                let wanted: Vec<&str> = prefix.split('/').collect();
                path.split('/').take(wanted.len()).eq(wanted)
            }
        }
    }

    /// The order of [`snapshot::RouteTable`].
    fn rank(route: &Arc<Route>) -> (u8, usize) {
        match &route.path {
            PathMatch::Exact(_) => (0, 0),
            PathMatch::Prefix(path) => (1, usize::MAX - path.len()),
        }
    }

    fn any_path() -> impl Strategy<Value = String> {
        prop::collection::vec("[abé]{0,2}", 1..5).prop_map(|elements| format!("/{}", elements.join("/")))
    }

    fn any_route() -> impl Strategy<Value = Arc<Route>> {
        (any::<bool>(), any_path()).prop_map(|(is_exact, path)| match is_exact {
            true => exact(&path),
            false => prefix(path.trim_end_matches('/')),
        })
    }

    proptest! {
        #[test]
        fn finds_what_a_walk_would_find(mut routes in prop::collection::vec(any_route(), 0..12), paths in prop::collection::vec(any_path(), 12)) {
            routes.sort_by_key(rank);
            let table = PathTable::new(&routes);
            for path in paths {
                let first = routes.iter().position(|route| matches(&route.path, &path));
                prop_assert_eq!(table.find(&path), first, "{}", path);
            }
        }
    }
}
