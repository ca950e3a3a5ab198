//! Whether a CA can be asked about a certificate (OCSP, RFC 6960): the data plane asks, and needs to know who issued it.

use x509_parser::{
    certificate::X509Certificate, extensions::ParsedExtension, oid_registry::OID_PKIX_ACCESS_DESCRIPTOR_OCSP,
    parse_x509_certificate,
};

use super::CHAIN;

/// What of a chain keeps everybody from asking, though its first certificate says whom to ask.
pub(super) fn hindrance(chain: &[Vec<u8>]) -> Option<String> {
    let (_, leaf) = parse_x509_certificate(chain.first()?).ok()?;
    if !names_responder(&leaf) {
        return None;
    }
    let Some(issuer) = chain.get(1) else {
        return Some(format!("the certificate of who issued it is not in {CHAIN}"));
    };
    let is_issuer =
        parse_x509_certificate(issuer).is_ok_and(|(_, issuer)| issuer.subject().as_raw() == leaf.issuer().as_raw());
    (!is_issuer).then(|| format!("the second certificate in {CHAIN} is not that of who issued the first"))
}

/// By `id-ad-ocsp` of its authority information access (RFC 5280 section 4.2.2.1).
fn names_responder(leaf: &X509Certificate<'_>) -> bool {
    leaf.extensions().iter().any(|extension| match extension.parsed_extension() {
        ParsedExtension::AuthorityInfoAccess(access) => {
            access.accessdescs.iter().any(|access| access.access_method == OID_PKIX_ACCESS_DESCRIPTOR_OCSP)
        }
        _ => false,
    })
}
