//! Secret → certificate and key, checked here, so that whoever checks objects sees it too.
//! <https://kubernetes.io/docs/concepts/configuration/secret/#tls-secrets>

mod cover;
mod issuer;
mod key;
mod leaf;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use k8s_openapi::api::core::v1::Secret;
use rustls_pki_types::{CertificateDer, pem::PemObject};
use snapshot::{Cert, CertId, Origin, PrivateKey, Snapshot};

use crate::{
    NamespacedName, Objects, Options, Problem, Reason,
    draft::Draft,
    memo::Memo,
    notes::{Notes, shortened},
    pem::pem_problem,
};

use cover::CoveredNames;
pub(crate) use cover::names_covering;
pub(crate) use leaf::{fingerprint, hexadecimal};

/// The key of a Secret that holds the certificate chain, the leaf first.
pub(crate) const CHAIN: &str = "tls.crt";
/// The key of a Secret that holds the private key.
pub(crate) const KEY: &str = "tls.key";

/// A certificate that can be served.
#[derive(Debug)]
pub(crate) struct Pair {
    pub id: CertId,
    pub cert: Arc<Cert>,
    pub key: Key,
    /// Which hosts it is for.
    pub names: CoveredNames,
    /// Why no CA can be asked about it, though it says which.
    hindrance: Option<String>,
}

/// A private key that `Debug` says nothing of.
pub(crate) struct Key(pub Arc<PrivateKey>);

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key")
    }
}

/// The certificate of a Secret, or why there is none.
pub(crate) type Parsed = Result<Pair, String>;

/// The certificates that drafts and options name.
pub(crate) struct Certs {
    by_secret: BTreeMap<NamespacedName, Arc<Parsed>>,
    /// `--default-ssl-certificate`.
    pub default: Option<NamespacedName>,
}

impl Certs {
    /// All that can be served.
    pub fn usable(&self) -> impl Iterator<Item = &Pair> {
        self.by_secret.values().filter_map(|parsed| parsed.as_ref().as_ref().ok())
    }

    /// The certificate of a Secret, or why there is none.
    pub fn find(&self, secret: &NamespacedName) -> Result<&Pair, String> {
        match self.by_secret.get(secret).map(|parsed| &**parsed) {
            Some(Ok(pair)) => Ok(pair),
            Some(Err(error)) => Err(format!("Secret {secret}: {}", shortened(error))),
            None => Err(format!("Secret {secret} does not exist")),
        }
    }
}

/// The Secrets that a draft's `spec.tls` names.
pub(crate) fn named(draft: &Draft) -> impl Iterator<Item = &NamespacedName> {
    draft.tls.iter().filter_map(|tls| tls.secret.as_ref())
}

/// Parses every certificate that drafts and options name.
pub(crate) fn resolve(
    objects: &Objects,
    options: &Options,
    drafts: &[Arc<Draft>],
    memo: &mut Memo,
) -> (Certs, Vec<Problem>) {
    let default = options.default_ssl_certificate.clone();
    let named: BTreeSet<&NamespacedName> = drafts.iter().flat_map(|draft| named(draft)).chain(&default).collect();
    let parsed = named.into_iter().filter_map(|name| {
        let secret = objects.secrets.get(name)?;
        Some((name.clone(), memo.certs.find(name, secret, || parse(name, secret))))
    });
    let certs = Certs { by_secret: parsed.collect(), default };
    let problems = default_problem(&certs).into_iter().flatten().collect();
    (certs, problems)
}

fn default_problem(certs: &Certs) -> Option<Vec<Problem>> {
    let secret = certs.default.as_ref()?;
    let error = certs.find(secret).err()?;
    let mut notes = Notes::new(&Arc::new(Origin::new("Secret", &secret.namespace, &secret.name)));
    let message = format!("{error}; as --default-ssl-certificate it is replaced by a self-signed certificate");
    notes.error("data", Reason::CertificateUnusable, message);
    Some(notes.into_problems())
}

/// The certificates among these about which no CA can be asked: they are served without its answer (`enable-ocsp`).
pub(crate) fn not_stapled(certs: &Certs, served: &BTreeMap<CertId, Arc<Cert>>) -> Vec<Problem> {
    let pairs = certs.usable().filter(|pair| served.contains_key(&pair.id));
    let problems = pairs.filter_map(|pair| {
        let mut notes = Notes::new(&pair.cert.origin);
        let message = format!("the certificate is served without an OCSP response: {}", pair.hindrance.as_ref()?);
        notes.warning(&field(CHAIN), Reason::IssuerMissing, message);
        Some(notes.into_problems())
    });
    problems.flatten().collect()
}

/// The served certificates that have expired at `now` (seconds since 1970): they are served all the same, because a
/// client that does not mind is better off with them than with another name's. Apart from [`crate::compile`], which
/// knows no time.
pub fn expired(snapshot: &Snapshot, now: i64) -> Vec<Problem> {
    let expired = snapshot.certs.values().filter(|cert| cert.not_after < now);
    let problems = expired.flat_map(|cert| {
        let mut notes = Notes::new(&cert.origin);
        notes.warning(
            &field(CHAIN),
            Reason::CertificateExpired,
            "the certificate has expired; it is served all the same",
        );
        notes.into_problems()
    });
    problems.collect()
}

fn field(key: &str) -> String {
    format!("data[{key}]")
}

/// Its certificate and key.
pub(crate) fn parse(name: &NamespacedName, secret: &Secret) -> Parsed {
    let chain = certificates(CHAIN, &value(secret, CHAIN)?)?;
    let key = key::Key::from_pem(&value(secret, KEY)?).map_err(|error| format!("{KEY} {error}"))?;
    let origin = Arc::new(Origin::new("Secret", &name.namespace, &name.name));
    let (cert, public_key) = leaf::read(origin, chain).map_err(|error| format!("{CHAIN} {error}"))?;
    if key.public != public_key {
        return Err(format!("the key in {KEY} does not belong to the certificate in {CHAIN}"));
    }
    let hindrance = issuer::hindrance(&cert.chain);
    let names = CoveredNames::new(&cert.names);
    let (id, key) = (CertId::from(name.to_string()), Key(Arc::new(key.private)));
    Ok(Pair { id, cert: Arc::new(cert), key, names, hindrance })
}

/// A value of the Secret. `stringData` is merged into `data` by the API server; manifests still have it.
pub(crate) fn value(secret: &Secret, key: &str) -> Result<Vec<u8>, String> {
    let text = secret.string_data.as_ref().and_then(|data| data.get(key)).map(|text| text.clone().into_bytes());
    let value = text.or_else(|| secret.data.as_ref()?.get(key).map(|bytes| bytes.0.clone()));
    match value {
        Some(value) if !value.is_empty() => Ok(value),
        Some(_) => Err(format!("{key} is empty")),
        None => Err(format!("{key} is missing")),
    }
}

/// The certificates in the PEM text of a key.
pub(crate) fn certificates(key: &str, pem: &[u8]) -> Result<Vec<Vec<u8>>, String> {
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).map(|der| der.map(|der| der.to_vec())).collect();
    match all {
        Ok(all) if all.is_empty() => Err(format!("{key} holds no certificate in PEM")),
        // In a handshake there is none without a byte (RFC 8446 section 4.4.2), and clients end it there.
        Ok(all) if all.iter().any(Vec::is_empty) => Err(format!("{key} holds a certificate with nothing in it")),
        Ok(all) => Ok(all),
        Err(error) => Err(format!("{key} is not valid PEM: {}", pem_problem(&error))),
    }
}
