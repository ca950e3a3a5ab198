//! What is left out of objects before they are kept.

use compile::IngressClassParameters;
use k8s_openapi::{
    api::{
        core::v1::{ConfigMap, Namespace, Secret, Service},
        discovery::v1::EndpointSlice,
        networking::v1::{Ingress, IngressClass},
    },
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};

/// Holds the whole object again, of Secrets too.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// The keys of a Secret that are of use: a certificate, its key, CAs, and what they revoked.
const USED: [&str; 4] = ["tls.crt", "tls.key", "ca.crt", "ca.crl"];

/// Those without which the others are of none.
const WANTED: [&str; 2] = ["tls.crt", "ca.crt"];

/// Takes out what we have no use for.
pub(crate) trait Trim {
    /// Does so.
    fn trim(&mut self);
}

fn meta(meta: &mut ObjectMeta) {
    meta.managed_fields = None;
    if let Some(annotations) = &mut meta.annotations {
        annotations.remove(LAST_APPLIED);
    }
}

impl Trim for Secret {
    /// Passwords and tokens of others are not kept in our memory. The object stays, without data, so that "it has no
    /// certificate" can be told from "it does not exist".
    fn trim(&mut self) {
        meta(&mut self.metadata);
        let Some(data) = &mut self.data else { return };
        if WANTED.iter().any(|key| data.contains_key(*key)) {
            data.retain(|key, _| USED.contains(&key.as_str()));
        } else {
            self.data = None;
        }
    }
}

macro_rules! trim_meta {
    ($($kind:ty),*) => {
        $(impl Trim for $kind {
            fn trim(&mut self) {
                meta(&mut self.metadata);
            }
        })*
    };
}

trim_meta!(Ingress, IngressClass, IngressClassParameters, Service, EndpointSlice, ConfigMap, Namespace);

#[cfg(test)]
mod tests {
    use k8s_openapi::ByteString;

    use super::*;

    fn secret(keys: &[&str]) -> Secret {
        let data = keys.iter().map(|key| ((*key).to_owned(), ByteString(b"x".to_vec()))).collect();
        let mut secret = Secret { data: Some(data), ..Secret::default() };
        secret.metadata.annotations = Some([(LAST_APPLIED.to_owned(), "data".to_owned())].into());
        secret.trim();
        secret
    }

    #[test]
    fn of_secrets_only_certificates_are_kept() {
        let kept = |keys| secret(keys).data.map(|data| data.into_keys().collect::<Vec<_>>());
        assert_eq!(kept(&["password"]), None);
        assert_eq!(kept(&["tls.crt", "tls.key", "password"]), Some(vec!["tls.crt".to_owned(), "tls.key".to_owned()]));
        assert_eq!(kept(&["ca.crt", "ca.crl", "token"]), Some(vec!["ca.crl".to_owned(), "ca.crt".to_owned()]));
        assert_eq!(kept(&["ca.crl", "tls.key"]), None);
        assert_eq!(secret(&[]).metadata.annotations.unwrap().len(), 0);
    }
}
