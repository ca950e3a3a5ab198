//! Secret → what TLS to backends is spoken with (`proxy-ssl-secret`): the CA that they are checked against, and the
//! certificate and key that they are shown.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use k8s_openapi::api::core::v1::Secret;
use snapshot::{Origin, TrustAnchors};
use x509_parser::parse_x509_certificate;

use crate::{
    NamespacedName, Objects,
    cert::{self, Pair},
    draft::Draft,
    memo::Memo,
    notes::shortened,
};

/// The key of a Secret that holds the certificates of CAs.
const ANCHORS: &str = "ca.crt";

/// What a Secret holds.
#[derive(Debug)]
pub(crate) struct Credentials {
    /// What backends are shown that ask for it.
    pub identity: Option<Pair>,
    /// What they are checked against.
    pub anchors: Option<Arc<TrustAnchors>>,
}

/// What a Secret holds, or why it cannot be used.
pub(crate) type ParsedCredentials = Result<Credentials, String>;

/// The Secrets that drafts name.
pub(crate) struct AllCredentials {
    by_secret: BTreeMap<NamespacedName, Arc<ParsedCredentials>>,
}

impl AllCredentials {
    /// What a Secret holds, or why it cannot be used.
    pub fn find(&self, secret: &NamespacedName) -> Result<&Credentials, String> {
        match self.by_secret.get(secret).map(|parsed| &**parsed) {
            Some(Ok(credentials)) => Ok(credentials),
            Some(Err(error)) => Err(format!("Secret {secret}: {}", shortened(error))),
            None => Err(format!("Secret {secret} does not exist")),
        }
    }
}

/// The Secret that a draft speaks TLS to backends with.
pub(crate) fn named(draft: &Draft) -> Option<&NamespacedName> {
    draft.stated.upstream.as_ref()?.tls.secret.as_ref().filter(|secret| draft.may_name(secret))
}

/// Parses each Secret that a draft names.
pub(crate) fn resolve(objects: &Objects, drafts: &[Arc<Draft>], memo: &mut Memo) -> AllCredentials {
    let named: BTreeSet<&NamespacedName> = drafts.iter().filter_map(|draft| named(draft)).collect();
    let parsed = named.into_iter().filter_map(|name| {
        let secret = objects.secrets.get(name)?;
        Some((name.clone(), memo.credentials.find(name, secret, || parse(name, secret))))
    });
    AllCredentials { by_secret: parsed.collect() }
}

/// One of both is enough, as in ingress-nginx; what is there must be right.
fn parse(name: &NamespacedName, secret: &Secret) -> ParsedCredentials {
    let has = |key: &str| {
        secret.data.as_ref().is_some_and(|data| data.contains_key(key))
            || secret.string_data.as_ref().is_some_and(|data| data.contains_key(key))
    };
    let has_identity = has(cert::CHAIN) || has(cert::KEY);
    if !has_identity && !has(ANCHORS) {
        return Err(format!("it has neither {ANCHORS} nor {} and {}", cert::CHAIN, cert::KEY));
    }
    let identity = if has_identity { Some(cert::parse(name, secret)?) } else { None };
    let anchors = if has(ANCHORS) { Some(anchors(name, secret)?) } else { None };
    Ok(Credentials { identity, anchors })
}

fn anchors(name: &NamespacedName, secret: &Secret) -> Result<Arc<TrustAnchors>, String> {
    let certificates = cert::certificates(ANCHORS, &cert::value(secret, ANCHORS)?)?;
    for (at, der) in certificates.iter().enumerate() {
        if let Err(error) = parse_x509_certificate(der) {
            return Err(format!(
                "certificate {} of {ANCHORS} is no valid X.509 certificate: {error}",
                at.saturating_add(1)
            ));
        }
    }
    let origin = Arc::new(Origin::new("Secret", &name.namespace, &name.name));
    let fingerprint = cert::fingerprint(&certificates.concat());
    Ok(Arc::new(TrustAnchors { origin, certificates, fingerprint }))
}
