//! Who vouches for clients: whether a client's certificate comes from them (RFC 5280 section 6).

use std::sync::Arc;

use rustls::{
    DistinguishedName,
    crypto::WebPkiSupportedAlgorithms,
    pki_types::{CertificateDer, CertificateRevocationListDer, TrustAnchor, UnixTime},
};
use snapshot::CaBundle;
use webpki::{
    CertRevocationList, EndEntityCert, Error, ExpirationPolicy, KeyUsage, OwnedCertRevocationList,
    RevocationOptionsBuilder, VerifiedPath, anchor_from_trusted_cert,
};
use x509_parser::{certificate::X509Certificate, parse_x509_certificate};

use super::depth::check_depth;

/// What there is to say against a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Objection {
    /// Whether it is only that nobody knows who issued it: `optional_no_ca` does not mind.
    pub is_unknown_ca: bool,
    /// In OpenSSL's words where it has some: backends that nginx served before know them.
    pub reason: &'static str,
}

/// The certificates of a bundle, ready to check chains with.
pub struct Authority {
    anchors: Vec<TrustAnchor<'static>>,
    /// From when to when each anchor is valid, in seconds since 1970: the library does not look.
    valid: Vec<(i64, i64)>,
    /// What stands between an anchor and a client, for clients that do not send it.
    between: Vec<CertificateDer<'static>>,
    crls: Vec<CertRevocationList<'static>>,
    algorithms: WebPkiSupportedAlgorithms,
    /// What clients are told in the handshake.
    pub names: Vec<DistinguishedName>,
}

impl Authority {
    /// From a bundle. Certificates that issued themselves are trusted, the others only stand in between; where there is
    /// none of the former, all are trusted.
    ///
    /// # Errors
    /// Something in it cannot be used. Nothing of it may be used then: a revocation list that is missing would let in
    /// whom it names.
    pub fn new(bundle: &CaBundle, algorithms: WebPkiSupportedAlgorithms) -> Result<Self, String> {
        let mut authority = Self::nobody(algorithms);
        let certs: Vec<CertificateDer<'_>> = bundle.certs.iter().map(|der| der.as_slice().into()).collect();
        let parsed: Result<Vec<X509Certificate<'_>>, _> =
            certs.iter().map(|der| parse_x509_certificate(der).map(|(_, cert)| cert)).collect();
        let parsed = parsed.map_err(|error| error.to_string())?;
        let any_root = parsed.iter().any(issued_itself);
        for (der, cert) in certs.iter().zip(&parsed) {
            if any_root && !issued_itself(cert) {
                authority.between.push(der.clone().into_owned());
                continue;
            }
            let anchor = anchor_from_trusted_cert(der).map_err(|error| format!("{error:?}"))?;
            authority.anchors.push(anchor.to_owned());
            let validity = cert.validity();
            authority.valid.push((validity.not_before.timestamp(), validity.not_after.timestamp()));
        }
        for der in &bundle.crls {
            let list = OwnedCertRevocationList::from_der(&CertificateRevocationListDer::from(der.as_slice()));
            authority.crls.push(list.map_err(|error| format!("{error:?}"))?.into());
        }
        if bundle.tell_names {
            let names = authority.anchors.iter().map(|anchor| DistinguishedName::in_sequence(&anchor.subject));
            authority.names = names.collect();
        }
        Ok(authority)
    }

    /// One that vouches for nobody.
    pub fn nobody(algorithms: WebPkiSupportedAlgorithms) -> Self {
        let (anchors, valid, between, crls) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Self { anchors, valid, between, crls, algorithms, names: Vec::new() }
    }

    /// Checks a chain as the client sent it, its own certificate first, at most `depth` between that and the CA's.
    ///
    /// # Errors
    /// What there is to say against it.
    pub fn check(&self, chain: &[CertificateDer<'_>], depth: u32, now: UnixTime) -> Result<(), Objection> {
        let (leaf, rest) = chain.split_first().ok_or(refused("no certificate"))?;
        let leaf = EndEntityCert::try_from(leaf).map_err(|error| objection(&error, false))?;
        let issued_itself = leaf.subject() == leaf.issuer();
        let sent = rest.iter().map(|der| CertificateDer::from(der.as_ref()));
        let between: Vec<CertificateDer<'_>> =
            sent.chain(self.between.iter().map(|der| CertificateDer::from(der.as_ref()))).collect();
        let crls: Vec<&CertRevocationList<'_>> = self.crls.iter().collect();
        // Where there is a list there must be one for each certificate, and none may be outdated, as in nginx.
        let revocation = RevocationOptionsBuilder::new(&crls).ok();
        let revocation = revocation.map(|builder| builder.with_expiration_policy(ExpirationPolicy::Enforce).build());
        let path = |path: &VerifiedPath<'_>| self.check_path(path, depth, now);
        let result = leaf.verify_for_usage(
            self.algorithms.all,
            &self.anchors,
            &between,
            now,
            KeyUsage::client_auth(),
            revocation,
            Some(&path),
        );
        result.map(drop).map_err(|error| objection(&error, issued_itself))
    }

    fn check_path(&self, path: &VerifiedPath<'_>, depth: u32, now: UnixTime) -> Result<(), Error> {
        check_depth(path, depth)?;
        let found = path.anchor();
        let now_seconds = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
        let is_valid = |(from, to): &(i64, i64)| (*from..=*to).contains(&now_seconds);
        let mut of_anchor = self.anchors.iter().zip(&self.valid).filter(|(anchor, _)| *anchor == found);
        if of_anchor.any(|(_, valid)| is_valid(valid)) {
            Ok(())
        } else {
            Err(Error::CertExpired { time: now, not_after: now })
        }
    }
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authority").field("anchors", &self.anchors.len()).finish_non_exhaustive()
    }
}

fn issued_itself(cert: &X509Certificate<'_>) -> bool {
    cert.subject().as_raw() == cert.issuer().as_raw()
}

const fn refused(reason: &'static str) -> Objection {
    Objection { is_unknown_ca: false, reason }
}

fn objection(error: &Error, issued_itself: bool) -> Objection {
    match error {
        Error::UnknownIssuer => Objection { is_unknown_ca: true, reason: "unable to get local issuer certificate" },
        // One that issued itself, and says that it is a CA: nobody else vouches for it.
        Error::CaUsedAsEndEntity if issued_itself => {
            Objection { is_unknown_ca: true, reason: "self-signed certificate" }
        }
        Error::CertExpired { .. } => refused("certificate has expired"),
        Error::CertNotValidYet { .. } => refused("certificate is not yet valid"),
        Error::CertRevoked => refused("certificate revoked"),
        Error::CrlExpired { .. } => refused("CRL has expired"),
        Error::UnknownRevocationStatus => refused("unable to get certificate CRL"),
        Error::MaximumPathDepthExceeded => refused("certificate chain too long"),
        Error::InvalidSignatureForPublicKey => refused("certificate signature failure"),
        Error::RequiredEkuNotFoundContext(_) => refused("unsuitable certificate purpose"),
        _ => refused("invalid certificate"),
    }
}

/// Authorities by their bundles' contents.
#[derive(Default)]
pub struct Authorities(ahash::AHashMap<Arc<str>, Known>);

/// An authority, and why it vouches for nobody where its bundle cannot be used.
pub type Known = (Arc<Authority>, Option<String>);

impl Authorities {
    /// That of a bundle.
    pub fn find(&mut self, bundle: &CaBundle, algorithms: WebPkiSupportedAlgorithms) -> Known {
        let key = format!("{}{}", bundle.fingerprint, bundle.tell_names);
        let make = || match Authority::new(bundle, algorithms) {
            Ok(authority) => (Arc::new(authority), None),
            Err(reason) => (Arc::new(Authority::nobody(algorithms)), Some(reason)),
        };
        self.0.entry(key.into()).or_insert_with(make).clone()
    }

    /// Forgets those that nobody else holds.
    pub fn sweep(&mut self) {
        self.0.retain(|_, (authority, _)| Arc::strong_count(authority) > 1);
    }
}
