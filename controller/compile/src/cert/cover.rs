//! Which hosts a certificate's names cover (RFC 6125 section 6.4).

use std::{collections::HashSet, sync::Arc};

use snapshot::HostPattern;

/// The names of a certificate, to look hosts up: there may be thousands of both.
#[derive(Debug)]
pub(crate) struct CoveredNames(HashSet<Arc<str>>);

impl CoveredNames {
    pub fn new(names: &[Arc<str>]) -> Self {
        Self(names.iter().cloned().collect())
    }

    /// Whether one of the names covers `host`.
    pub fn cover(&self, host: &HostPattern) -> bool {
        names_covering(host).any(|name| self.0.contains(&*name))
    }
}

/// The names that cover a host: the same one, or a wildcard for its first label. None covers every host.
pub(crate) fn names_covering(host: &HostPattern) -> impl Iterator<Item = String> {
    let wildcard = |suffix: &str| format!("*.{suffix}");
    let (same, above) = match host {
        HostPattern::Any => (None, None),
        HostPattern::Exact(name) => (Some(name.to_string()), name.split_once('.').map(|(_, suffix)| wildcard(suffix))),
        HostPattern::Wildcard(suffix) => (Some(wildcard(suffix)), None),
    };
    same.into_iter().chain(above)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_covered(name: &str, host: &str) -> bool {
        CoveredNames::new(&[name.into()]).cover(&host.parse().unwrap())
    }

    #[test]
    fn a_wildcard_is_one_label() {
        assert!(is_covered("a.b.c", "a.b.c"));
        assert!(is_covered("*.b.c", "a.b.c"));
        assert!(is_covered("*.b.c", "*.b.c"));
        assert!(!is_covered("*.b.c", "b.c"));
        assert!(!is_covered("*.b.c", "x.a.b.c"));
        assert!(!is_covered("a.b.c", "*.b.c"));
        assert!(!is_covered("*", "localhost"));
        assert!(!is_covered("*.b.c", ""));
    }
}
