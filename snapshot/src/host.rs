//! Host names of rules, certificates and listeners.

use std::{fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize, de::Error as _};

/// Which hosts something is for. Ordered as they are tried: exact, wildcard, any.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HostPattern {
    /// This name alone, in lower case.
    Exact(Arc<str>),
    /// `*.suffix`: one label and then the suffix (kept without `*.`), in lower case.
    /// <https://kubernetes.io/docs/concepts/services-networking/ingress/#hostname-wildcards>
    Wildcard(Arc<str>),
    /// Every host that nothing else names.
    Any,
}

/// A text that is no host of a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidHost(&'static str);

impl fmt::Display for InvalidHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for InvalidHost {}

impl FromStr for HostPattern {
    type Err = InvalidHost;

    /// Reads a DNS-1123 subdomain, `*.` and one, or (for every host) the empty text or `*`.
    ///
    /// # Errors
    /// The text is none of these; IP addresses are refused as Kubernetes refuses them.
    fn from_str(text: &str) -> Result<Self, InvalidHost> {
        if text.is_empty() || text == "*" {
            return Ok(Self::Any);
        }
        let text = text.to_ascii_lowercase();
        match text.strip_prefix("*.") {
            Some(suffix) => Ok(Self::Wildcard(dns_name(suffix)?.into())),
            None => Ok(Self::Exact(dns_name(&text)?.into())),
        }
    }
}

fn dns_name(name: &str) -> Result<&str, InvalidHost> {
    if name.contains('*') {
        return Err(InvalidHost("a wildcard must be the whole first label, as in *.example.com"));
    }
    if name.len() > 253 {
        return Err(InvalidHost("longer than 253 characters"));
    }
    if name.parse::<std::net::IpAddr>().is_ok() {
        return Err(InvalidHost("an IP address; a host must be a DNS name"));
    }
    name.split('.').try_for_each(dns_label)?;
    Ok(name)
}

fn dns_label(label: &str) -> Result<(), InvalidHost> {
    if label.is_empty() || label.len() > 63 {
        return Err(InvalidHost("a label is empty or longer than 63 characters"));
    }
    if label.starts_with('-') || label.ends_with('-') {
        return Err(InvalidHost("a label begins or ends with a hyphen"));
    }
    if !label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-') {
        return Err(InvalidHost("a label holds something other than letters, digits and hyphens"));
    }
    Ok(())
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(name) => f.write_str(name),
            Self::Wildcard(suffix) => write!(f, "*.{suffix}"),
            Self::Any => f.write_str("*"),
        }
    }
}

// As text, so that it can be the key of a map in JSON and YAML.
impl Serialize for HostPattern {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for HostPattern {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_kubernetes_allows() {
        assert_eq!("Foo.Example".parse(), Ok(HostPattern::Exact("foo.example".into())));
        assert_eq!("*.b.c".parse(), Ok(HostPattern::Wildcard("b.c".into())));
        assert_eq!("".parse(), Ok(HostPattern::Any));
    }

    #[test]
    fn refuses_what_kubernetes_refuses() {
        for bad in ["a.*.b", "*a.b", "*.", "*.*.b", "a..b", "-a.b", "a-.b", "a_b.c", "10.0.0.1", "::1", "a b", "ü.de"]
        {
            assert!(bad.parse::<HostPattern>().is_err(), "{bad}");
        }
        assert!("a".repeat(64).parse::<HostPattern>().is_err());
    }

    #[test]
    fn is_tried_exact_first() {
        let mut hosts: Vec<HostPattern> = ["", "*.a.b", "x.a.b"].map(|h| h.parse().unwrap()).into();
        hosts.sort();
        assert_eq!(hosts.iter().map(ToString::to_string).collect::<Vec<_>>(), ["x.a.b", "*.a.b", "*"]);
    }
}
