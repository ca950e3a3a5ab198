//! Which hosts a certificate's names cover (RFC 6125 section 6.4).

use snapshot::HostPattern;

/// Whether one of `names` covers `host`: the same name, or a wildcard for its first label. Nothing covers every host.
pub(crate) fn covers<S: AsRef<str>>(names: &[S], host: &HostPattern) -> bool {
    match host {
        HostPattern::Any => false,
        HostPattern::Exact(host) => {
            let suffix = host.split_once('.').map(|(_, suffix)| suffix);
            names
                .iter()
                .map(AsRef::as_ref)
                .any(|name| name == &**host || (suffix.is_some() && suffix == wildcard(name)))
        }
        HostPattern::Wildcard(suffix) => names.iter().any(|name| wildcard(name.as_ref()) == Some(&**suffix)),
    }
}

fn wildcard(name: &str) -> Option<&str> {
    name.strip_prefix("*.")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_covered(name: &str, host: &str) -> bool {
        covers(&[name], &host.parse().unwrap())
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
