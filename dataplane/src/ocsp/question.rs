//! Which certificate is asked about, and whom.

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use http::Uri;
use rustls::pki_types::CertificateDer;
use x509_cert::{
    der::{Encode, asn1::OctetString, oid::ObjectIdentifier},
    serial_number::SerialNumber,
    spki::AlgorithmIdentifierOwned,
};
use x509_ocsp::{CertId, OcspRequest, Request, TbsRequest, Version};
use x509_parser::{
    certificate::X509Certificate,
    extensions::{GeneralName, ParsedExtension},
    oid_registry::OID_PKIX_ACCESS_DESCRIPTOR_OCSP,
    parse_x509_certificate,
};

/// The hash that names an issuer. It guards nothing, and is the one that every responder knows (RFC 5019 section 2.1.1).
const SHA1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.14.3.2.26");

/// A question about one certificate.
pub(super) struct Question {
    /// Whom to ask: http, as the certificate names it.
    pub(super) responder: Uri,
    /// Whether that may be an address of this machine or its link.
    pub(super) allow_local: bool,
    /// The request in DER.
    pub(super) request: Vec<u8>,
    /// The certificate of who issued it.
    pub(super) issuer: CertificateDer<'static>,
    id: CertId,
}

impl Question {
    /// About the first certificate of a chain; none where it names nobody to ask.
    ///
    /// # Errors
    /// It names somebody, but cannot be asked about; the text says why.
    pub(super) fn of(chain: &[CertificateDer<'static>], allow_local: bool) -> Result<Option<Self>, String> {
        let parse = |der| parse_x509_certificate(der).map(|(_, cert)| cert).map_err(|error| error.to_string());
        let Some(leaf) = chain.first() else { return Ok(None) };
        let leaf = parse(leaf)?;
        let Some(responder) = responder(&leaf) else { return Ok(None) };
        let responder: Uri = responder.parse().map_err(|_| format!("`{responder}`, which it names, is no URL"))?;
        if responder.scheme_str() != Some("http") || responder.host().is_none() {
            return Err(format!("`{responder}`, which it names, is not of http"));
        }
        let der = chain.get(1).ok_or("the certificate of its issuer is not in its chain")?;
        let issuer = parse(der)?;
        if issuer.subject().as_raw() != leaf.issuer().as_raw() {
            return Err("the second certificate of its chain is not that of its issuer".to_owned());
        }
        let id = id(&leaf, &issuer).map_err(|error| error.to_string())?;
        let asked = Request { req_cert: id.clone(), single_request_extensions: None };
        let (version, requestor_name, request_extensions) = (Version::V1, None, None);
        let tbs_request = TbsRequest { version, requestor_name, request_list: vec![asked], request_extensions };
        let request = OcspRequest { tbs_request, optional_signature: None }.to_der();
        let request = request.map_err(|error| error.to_string())?;
        Ok(Some(Self { responder, allow_local, request, issuer: der.clone(), id }))
    }

    /// Whether an answer is about this certificate. Parameters of the hash may be NULL or absent.
    pub(super) fn is_about(&self, id: &CertId) -> bool {
        let CertId { hash_algorithm, issuer_name_hash, issuer_key_hash, serial_number } = id;
        hash_algorithm.oid == self.id.hash_algorithm.oid
            && *issuer_name_hash == self.id.issuer_name_hash
            && *issuer_key_hash == self.id.issuer_key_hash
            && *serial_number == self.id.serial_number
    }
}

/// The first URL of http, else of anything, at which a certificate says that one can ask (RFC 5280 section 4.2.2.1).
fn responder<'a>(leaf: &'a X509Certificate<'_>) -> Option<&'a str> {
    let access = leaf.extensions().iter().filter_map(|extension| match extension.parsed_extension() {
        ParsedExtension::AuthorityInfoAccess(access) => Some(access),
        _ => None,
    });
    let named = access.flat_map(|access| &access.accessdescs);
    let ocsp = named.filter(|access| access.access_method == OID_PKIX_ACCESS_DESCRIPTOR_OCSP);
    let urls: Vec<&str> = ocsp
        .filter_map(|access| match access.access_location {
            GeneralName::URI(url) => Some(url),
            _ => None,
        })
        .collect();
    urls.iter().find(|url| url.starts_with("http://")).or_else(|| urls.first()).copied()
}

fn id(leaf: &X509Certificate<'_>, issuer: &X509Certificate<'_>) -> Result<CertId, x509_cert::der::Error> {
    let hash = |bytes: &[u8]| OctetString::new(digest(&SHA1_FOR_LEGACY_USE_ONLY, bytes).as_ref());
    Ok(CertId {
        hash_algorithm: AlgorithmIdentifierOwned { oid: SHA1, parameters: None },
        issuer_name_hash: hash(leaf.issuer().as_raw())?,
        issuer_key_hash: hash(&issuer.public_key().subject_public_key.data)?,
        serial_number: SerialNumber::new(leaf.raw_serial())?,
    })
}
