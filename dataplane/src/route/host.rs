//! Host to table: exact before wildcard before none, as Kubernetes has it
//! (<https://kubernetes.io/docs/concepts/services-networking/ingress/#hostname-wildcards>).

use std::sync::Arc;

use ahash::AHashMap;
use snapshot::HostPattern;

/// What is served for which hosts. Built once for each snapshot, read by every request.
#[derive(Debug, Clone)]
pub struct HostTable<T> {
    exact: AHashMap<Arc<str>, T>,
    /// By what follows the first label.
    wildcard: AHashMap<Arc<str>, T>,
    any: Option<T>,
}

impl<T> HostTable<T> {
    /// What serves a host, given in lower case and without port (see [`crate::route::host_of`]). A wildcard stands
    /// for exactly one label.
    pub fn find(&self, host: &str) -> Option<&T> {
        if let Some(found) = self.exact.get(host) {
            return Some(found);
        }
        self.find_wildcard(host).or(self.any.as_ref())
    }

    /// What stands for a pattern itself.
    pub fn get(&self, pattern: &HostPattern) -> Option<&T> {
        match pattern {
            HostPattern::Exact(name) => self.exact.get(name),
            HostPattern::Wildcard(suffix) => self.wildcard.get(suffix),
            HostPattern::Any => self.any.as_ref(),
        }
    }

    /// All that is served, in no order.
    pub fn values(&self) -> impl Iterator<Item = &T> {
        self.exact.values().chain(self.wildcard.values()).chain(&self.any)
    }

    /// Whether a pattern other than "every host" covers this host.
    pub fn names(&self, host: &str) -> bool {
        self.exact.contains_key(host) || self.find_wildcard(host).is_some()
    }

    fn find_wildcard(&self, host: &str) -> Option<&T> {
        if self.wildcard.is_empty() {
            return None;
        }
        let (label, suffix) = host.split_once('.')?;
        if label.is_empty() { None } else { self.wildcard.get(suffix) }
    }
}

impl<T> Default for HostTable<T> {
    fn default() -> Self {
        Self { exact: AHashMap::new(), wildcard: AHashMap::new(), any: None }
    }
}

impl<T> FromIterator<(HostPattern, T)> for HostTable<T> {
    fn from_iter<I: IntoIterator<Item = (HostPattern, T)>>(hosts: I) -> Self {
        let mut table = Self::default();
        for (pattern, value) in hosts {
            match pattern {
                HostPattern::Exact(name) => drop(table.exact.insert(name, value)),
                HostPattern::Wildcard(suffix) => drop(table.wildcard.insert(suffix, value)),
                HostPattern::Any => table.any = Some(value),
            }
        }
        table
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(patterns: &[&str]) -> HostTable<String> {
        patterns.iter().map(|p| (p.parse().unwrap(), (*p).to_owned())).collect()
    }

    #[test]
    fn exact_then_wildcard_then_any() {
        let hosts = table(&["a.b.c", "*.b.c", ""]);
        let find = |host| hosts.find(host).map(String::as_str);
        assert_eq!(find("a.b.c"), Some("a.b.c"));
        assert_eq!(find("x.b.c"), Some("*.b.c"));
        assert_eq!(find("b.c"), Some(""));
        assert_eq!(find("x.a.b.c"), Some(""), "a wildcard is one label");
        assert_eq!(find(".b.c"), Some(""), "and not an empty one");
        assert_eq!(find("[::1]"), Some(""));
    }

    #[test]
    fn nothing_where_nothing_is_for_it() {
        let hosts = table(&["a.b", "*.c"]);
        assert_eq!(hosts.find("b"), None);
        assert_eq!(hosts.find(""), None);
        assert_eq!(HostTable::<()>::default().find("a"), None);
    }

    #[test]
    fn any_names_no_host() {
        let hosts = table(&["a.b", "*.c", ""]);
        assert!(hosts.names("a.b") && hosts.names("x.c"));
        assert!(!hosts.names("b.a"));
    }
}
