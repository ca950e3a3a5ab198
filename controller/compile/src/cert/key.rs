//! Private keys.

use aws_lc_rs::{
    rsa,
    signature::{
        ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING, ECDSA_P521_SHA512_ASN1_SIGNING, EcdsaKeyPair,
        Ed25519KeyPair, KeyPair, RsaKeyPair,
    },
};
use rustls_pki_types::{PrivateKeyDer, pem, pem::PemObject};
use snapshot::{KeyFormat, PrivateKey};

use crate::pem::pem_problem;

/// A key that can sign, and its public half as certificates have it.
pub(super) struct Key {
    pub private: PrivateKey,
    pub public: Vec<u8>,
}

impl Key {
    /// The first private key in `pem`.
    ///
    /// # Errors
    /// There is none, or it is of a kind that TLS is not spoken with; the text follows the name of its place.
    pub fn from_pem(text: &[u8]) -> Result<Self, String> {
        let der = PrivateKeyDer::from_pem_slice(text).map_err(|error| match error {
            pem::Error::NoItemsFound => "holds no unencrypted private key in PEM".to_owned(),
            error => format!("is not valid PEM: {}", pem_problem(&error)),
        })?;
        let (format, public) = match &der {
            PrivateKeyDer::Pkcs1(key) => (KeyFormat::Pkcs1, rsa_pkcs1(key.secret_pkcs1_der())),
            PrivateKeyDer::Sec1(key) => (KeyFormat::Sec1, ecdsa(key.secret_sec1_der())),
            PrivateKeyDer::Pkcs8(key) => (KeyFormat::Pkcs8, pkcs8(key.secret_pkcs8_der())),
            _ => return Err(UNKNOWN.to_owned()),
        };
        let public = public.ok_or(UNKNOWN)?;
        Ok(Self { private: PrivateKey::new(format, der.secret_der()), public })
    }
}

const UNKNOWN: &str = "holds a key that is none of RSA (2048 to 8192 bits), ECDSA (P-256, P-384, P-521) and Ed25519";

fn pkcs8(der: &[u8]) -> Option<Vec<u8>> {
    let rsa = || RsaKeyPair::from_pkcs8(der).ok().map(|key| key.public_key().as_ref().to_vec());
    let ed25519 = || Ed25519KeyPair::from_pkcs8_maybe_unchecked(der).ok().map(|key| key.public_key().as_ref().to_vec());
    rsa().or_else(|| ecdsa(der)).or_else(ed25519)
}

fn rsa_pkcs1(der: &[u8]) -> Option<Vec<u8>> {
    let key: rsa::KeyPair = RsaKeyPair::from_der(der).ok()?;
    Some(key.public_key().as_ref().to_vec())
}

/// PKCS#8 and SEC1: the library tells them apart.
fn ecdsa(der: &[u8]) -> Option<Vec<u8>> {
    let curves = [&ECDSA_P256_SHA256_ASN1_SIGNING, &ECDSA_P384_SHA384_ASN1_SIGNING, &ECDSA_P521_SHA512_ASN1_SIGNING];
    let key = curves.into_iter().find_map(|curve| EcdsaKeyPair::from_private_key_der(curve, der).ok())?;
    Some(key.public_key().as_ref().to_vec())
}
