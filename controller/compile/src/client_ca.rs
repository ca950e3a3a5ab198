//! Secret → who vouches for clients: certificates of CAs (`ca.crt`) and their revocation lists (`ca.crl`).

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use aws_lc_rs::digest;
use k8s_openapi::api::core::v1::Secret;
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer, pem::PemObject};
use snapshot::{CaBundle, Origin};
use webpki::{OwnedCertRevocationList, anchor_from_trusted_cert};
use x509_parser::parse_x509_certificate;

use crate::{
    NamespacedName, Objects, Problem, Reason,
    cert::{hexadecimal, value},
    draft::Draft,
    memo::Memo,
    notes::{Notes, shortened},
    pem::pem_problem,
};

/// The key of a Secret that holds certificates of CAs.
const CERTS: &str = "ca.crt";
/// The key of a Secret that holds their revocation lists.
const CRLS: &str = "ca.crl";

/// Bytes of the names of CAs that a handshake carries. More make it slow for every client, and some give up.
const MOST_NAMES: usize = 8 << 10;

/// The bundle of a Secret, or why there is none.
pub(crate) type Parsed = Result<Arc<CaBundle>, String>;

/// The bundles that drafts name.
pub(crate) struct ClientCas {
    by_secret: BTreeMap<NamespacedName, Arc<Parsed>>,
}

impl ClientCas {
    /// Whether there is such a Secret, whatever it holds.
    pub fn is_known(&self, secret: &NamespacedName) -> bool {
        self.by_secret.contains_key(secret)
    }

    /// The bundle of a Secret, or why there is none.
    pub fn find(&self, secret: &NamespacedName) -> Result<&Arc<CaBundle>, String> {
        match self.by_secret.get(secret).map(|parsed| &**parsed) {
            Some(Ok(bundle)) => Ok(bundle),
            Some(Err(error)) => Err(format!("Secret {secret}: {}", shortened(error))),
            None => Err(format!("Secret {secret} does not exist")),
        }
    }
}

/// The Secret that a draft checks clients' certificates with.
pub(crate) fn named(draft: &Draft) -> Option<&NamespacedName> {
    Some(&draft.stated.client_cert.as_ref()?.secret)
}

/// Parses every bundle that drafts name.
pub(crate) fn resolve(objects: &Objects, drafts: &[Arc<Draft>], memo: &mut Memo) -> (ClientCas, Vec<Problem>) {
    let named: BTreeSet<&NamespacedName> = drafts.iter().filter_map(|draft| named(draft)).collect();
    let parsed = named.into_iter().filter_map(|name| {
        let secret = objects.secrets.get(name)?;
        Some((name.clone(), memo.client_cas.find(name, secret, || parse(name, secret))))
    });
    let by_secret: BTreeMap<_, _> = parsed.collect();
    let problems = by_secret.values().filter_map(|parsed| large(parsed.as_ref().as_ref().ok()?)).flatten().collect();
    (ClientCas { by_secret }, problems)
}

fn large(bundle: &CaBundle) -> Option<Vec<Problem>> {
    if bundle.tell_names {
        return None;
    }
    let mut notes = Notes::new(&bundle.origin);
    let message = format!(
        "holds {} certificates: their names are too long for a handshake, so clients are not told which of their \
         certificates are taken; those that have several may show a wrong one",
        bundle.certs.len()
    );
    notes.warning(&format!("data[{CERTS}]"), Reason::ClientCaTooLarge, message);
    Some(notes.into_problems())
}

fn parse(name: &NamespacedName, secret: &Secret) -> Parsed {
    let certs = certs(&value(secret, CERTS)?)?;
    let (data, text) = (secret.data.as_ref(), secret.string_data.as_ref());
    let has_crls = data.is_some_and(|data| data.contains_key(CRLS)) || text.is_some_and(|text| text.contains_key(CRLS));
    // There need not be one; but where there is one, it has to be right.
    let crls = if has_crls { crls(&value(secret, CRLS)?)? } else { Vec::new() };
    let names = names(&certs)?;
    Ok(Arc::new(CaBundle {
        origin: Arc::new(Origin::new("Secret", &name.namespace, &name.name)),
        fingerprint: fingerprint(&certs, &crls),
        tell_names: names <= MOST_NAMES,
        certs,
        crls,
    }))
}

fn certs(pem: &[u8]) -> Result<Vec<Vec<u8>>, String> {
    let certs: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).map(|der| der.map(|der| der.to_vec())).collect();
    let certs = certs.map_err(|error| format!("{CERTS} is not valid PEM: {}", pem_problem(&error)))?;
    if certs.is_empty() { Err(format!("{CERTS} holds no certificate in PEM")) } else { Ok(certs) }
}

fn crls(pem: &[u8]) -> Result<Vec<Vec<u8>>, String> {
    let lists: Result<Vec<_>, _> = CertificateRevocationListDer::pem_slice_iter(pem).collect();
    let lists = lists.map_err(|error| format!("{CRLS} is not valid PEM: {}", pem_problem(&error)))?;
    if lists.is_empty() {
        return Err(format!("{CRLS} holds no revocation list in PEM"));
    }
    let check = |(at, list): (usize, &CertificateRevocationListDer<'_>)| {
        OwnedCertRevocationList::from_der(list)
            .map(drop)
            .map_err(|error| format!("revocation list {} in {CRLS} cannot be used: {error:?}", at.saturating_add(1)))
    };
    lists.iter().enumerate().try_for_each(check)?;
    Ok(lists.iter().map(|list| list.to_vec()).collect())
}

/// How many bytes the names of the CAs take in a handshake.
fn names(certs: &[Vec<u8>]) -> Result<usize, String> {
    let mut bytes: usize = 0;
    for (at, der) in certs.iter().enumerate() {
        let der = CertificateDer::from(der.as_slice());
        let cannot = |error: String| format!("certificate {} in {CERTS} cannot be used: {error}", at.saturating_add(1));
        let anchor = anchor_from_trusted_cert(&der).map_err(|error| cannot(format!("{error:?}")))?;
        // The data plane asks each one how long it is valid.
        parse_x509_certificate(&der).map_err(|error| cannot(error.to_string()))?;
        bytes = bytes.saturating_add(anchor.subject.len()).saturating_add(6);
    }
    Ok(bytes)
}

fn fingerprint(certs: &[Vec<u8>], crls: &[Vec<u8>]) -> Arc<str> {
    let mut context = digest::Context::new(&digest::SHA256);
    // The number of certificates keeps what is a certificate apart from what is a list.
    context.update(&certs.len().to_be_bytes());
    certs.iter().chain(crls).for_each(|der| context.update(der));
    hexadecimal(context.finish().as_ref())
}
