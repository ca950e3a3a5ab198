//! What a leaf certificate says.

use std::{fmt::Write, sync::Arc};

use aws_lc_rs::digest;
use snapshot::{Cert, CertInfo, Origin};
use x509_parser::{
    certificate::X509Certificate,
    extensions::GeneralName,
    oid_registry::{OID_KEY_TYPE_EC_PUBLIC_KEY, OID_PKCS1_RSAENCRYPTION, OID_SIG_ED25519},
    parse_x509_certificate,
    x509::X509Name,
};

/// The certificate, and the public key of its leaf as a private key's own is encoded.
pub(super) fn read(origin: Arc<Origin>, chain: Vec<Vec<u8>>) -> Result<(Cert, Vec<u8>), String> {
    let der = chain.first().ok_or("holds no certificate")?;
    let (_, leaf) =
        parse_x509_certificate(der).map_err(|error| format!("holds no valid X.509 certificate: {error}"))?;
    let public_key = leaf.public_key().subject_public_key.data.to_vec();
    let (names, info) = (names(&leaf), info(&leaf));
    let (not_after, fingerprint) = (leaf.validity().not_after.timestamp(), fingerprint(der));
    Ok((Cert { origin, chain, names, info, not_after, fingerprint }, public_key))
}

/// The DNS names among the subject's alternative names; without any alternative name, the common name, which
/// ingress-nginx still honours.
fn names(leaf: &X509Certificate<'_>) -> Vec<Arc<str>> {
    let alternative = leaf.subject_alternative_name().ok().flatten();
    let Some(alternative) = alternative else {
        return common_name(leaf.subject()).map(|name| name.to_ascii_lowercase().into()).into_iter().collect();
    };
    let names = alternative.value.general_names.iter().filter_map(|name| match name {
        GeneralName::DNSName(name) => Some(name.to_ascii_lowercase().into()),
        _ => None,
    });
    names.collect()
}

fn info(leaf: &X509Certificate<'_>) -> CertInfo {
    let organization = leaf.issuer().iter_organization().next().and_then(|name| name.as_str().ok());
    let algorithm = &leaf.public_key().algorithm.algorithm;
    let algorithms =
        [(OID_PKCS1_RSAENCRYPTION, "RSA"), (OID_KEY_TYPE_EC_PUBLIC_KEY, "ECDSA"), (OID_SIG_ED25519, "Ed25519")];
    let algorithm = algorithms.iter().find(|(oid, _)| oid == algorithm).map_or("unknown", |(_, name)| name);
    CertInfo {
        issuer_common_name: common_name(leaf.issuer()).unwrap_or_default().into(),
        issuer_organization: organization.unwrap_or_default().into(),
        serial_number: leaf.serial.to_string().into(),
        public_key_algorithm: algorithm.into(),
    }
}

fn common_name<'a>(name: &'a X509Name<'_>) -> Option<&'a str> {
    name.iter_common_name().next().and_then(|name| name.as_str().ok())
}

/// SHA-256 in hexadecimal.
pub(crate) fn fingerprint(der: &[u8]) -> Arc<str> {
    hexadecimal(digest::digest(&digest::SHA256, der).as_ref())
}

/// Bytes as text.
pub(crate) fn hexadecimal(bytes: &[u8]) -> Arc<str> {
    let mut text = String::with_capacity(bytes.len().saturating_mul(2));
    for byte in bytes {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text.into()
}
