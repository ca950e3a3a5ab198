//! What a CA says of a certificate, and whether it is really the CA that says so.

use std::time::{Duration, SystemTime};

use rustls::{
    crypto::WebPkiSupportedAlgorithms,
    pki_types::{CertificateDer, UnixTime},
};
use thiserror::Error;
use webpki::{EndEntityCert, KeyUsage, anchor_from_trusted_cert};
use x509_cert::der::{Decode, Encode, Reader, SliceReader, asn1::AnyRef, oid::ObjectIdentifier};
use x509_ocsp::{BasicOcspResponse, CertStatus, OcspResponse, OcspResponseStatus, SingleResponse};

use super::question::Question;

/// `id-pkix-ocsp-basic` (RFC 6960 section 4.2.1), the one kind of response there is.
const BASIC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.48.1.1");

/// `id-kp-OCSPSigning` (RFC 6960 section 4.2.2.2), 1.3.6.1.5.5.7.3.9: who may answer in an issuer's place.
const OCSP_SIGNING: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 9];

/// By how much the responder's clock may be ahead of ours.
const SKEW: Duration = Duration::from_secs(300);

/// Certificates of a response that are looked at for who signed it.
const SIGNERS: usize = 4;

/// Why a response is not handed on to clients.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(super) enum Refusal {
    #[error("it is revoked")]
    Revoked,
    #[error("its CA does not know it")]
    Unknown,
    #[error("the response is malformed: {0}")]
    Malformed(String),
    #[error("the responder has no answer: {0:?}")]
    NoAnswer(OcspResponseStatus),
    #[error("the response is of an unknown kind")]
    Kind,
    #[error("the response is about another certificate")]
    Other,
    #[error("neither the issuer nor anybody whom it charged with it has signed the response")]
    Signature,
    #[error("the response is of the future")]
    Early,
    #[error("the response is outdated")]
    Late,
    #[error("the response does not say until when it holds")]
    Endless,
}

impl From<x509_cert::der::Error> for Refusal {
    fn from(error: x509_cert::der::Error) -> Self {
        Self::Malformed(error.to_string())
    }
}

/// Until when a response in DER may be handed on that says that the certificate is good.
///
/// # Errors
/// It may not be.
pub(super) fn check(
    response: &[u8],
    question: &Question,
    algorithms: WebPkiSupportedAlgorithms,
    now: SystemTime,
) -> Result<SystemTime, Refusal> {
    let OcspResponse { response_status, response_bytes } = OcspResponse::from_der(response)?;
    let bytes = match (response_status, response_bytes) {
        (OcspResponseStatus::Successful, Some(bytes)) => bytes,
        (OcspResponseStatus::Successful, None) => return Err(Refusal::Kind),
        (status, _) => return Err(Refusal::NoAnswer(status)),
    };
    if bytes.response_type != BASIC {
        return Err(Refusal::Kind);
    }
    let basic = BasicOcspResponse::from_der(bytes.response.as_bytes())?;
    let signed = Signed::new(bytes.response.as_bytes(), &basic)?;
    if !signed.is_by_issuer(question, &basic, algorithms, now) {
        return Err(Refusal::Signature);
    }
    let answers = &basic.tbs_response_data.responses;
    let answer = answers.iter().find(|answer| question.is_about(&answer.cert_id)).ok_or(Refusal::Other)?;
    let until = validity(answer, now)?;
    match answer.cert_status {
        CertStatus::Good(_) => Ok(until),
        CertStatus::Revoked(_) => Err(Refusal::Revoked),
        CertStatus::Unknown(_) => Err(Refusal::Unknown),
    }
}

fn validity(answer: &SingleResponse, now: SystemTime) -> Result<SystemTime, Refusal> {
    let from = answer.this_update.0.to_system_time();
    let until = answer.next_update.as_ref().ok_or(Refusal::Endless)?.0.to_system_time();
    if from > now.checked_add(SKEW).unwrap_or(now) {
        return Err(Refusal::Early);
    }
    if until <= now { Err(Refusal::Late) } else { Ok(until) }
}

/// The parts that a signature is checked with, byte for byte as they came.
struct Signed<'a> {
    message: &'a [u8],
    /// The contents of the `AlgorithmIdentifier`.
    algorithm: &'a [u8],
    signature: &'a [u8],
}

impl<'a> Signed<'a> {
    fn new(der: &'a [u8], basic: &'a BasicOcspResponse) -> Result<Self, Refusal> {
        let (message, algorithm) = SliceReader::new(der)?.sequence(|fields| {
            let parts = (fields.tlv_bytes()?, fields.tlv_bytes()?);
            while !fields.is_finished() {
                fields.tlv_bytes()?;
            }
            Ok(parts)
        })?;
        let algorithm = AnyRef::from_der(algorithm)?.value();
        let signature = basic.signature.as_bytes().ok_or(Refusal::Signature)?;
        Ok(Self { message, algorithm, signature })
    }

    /// Whether the issuer has signed it, or one whom the issuer gave a certificate for just that.
    fn is_by_issuer(
        &self,
        question: &Question,
        basic: &BasicOcspResponse,
        algorithms: WebPkiSupportedAlgorithms,
        now: SystemTime,
    ) -> bool {
        if self.is_by(&question.issuer, algorithms) {
            return true;
        }
        let since = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let now = UnixTime::since_unix_epoch(since);
        let signers = basic.certs.iter().flatten().take(SIGNERS).filter_map(|cert| cert.to_der().ok());
        let mut signers = signers.map(CertificateDer::from);
        signers.any(|signer| is_charged(&signer, &question.issuer, algorithms, now) && self.is_by(&signer, algorithms))
    }

    fn is_by(&self, signer: &CertificateDer<'_>, algorithms: WebPkiSupportedAlgorithms) -> bool {
        let Ok(signer) = EndEntityCert::try_from(signer) else { return false };
        let fitting = algorithms.all.iter().filter(|known| known.signature_alg_id().as_ref() == self.algorithm);
        fitting.into_iter().any(|known| signer.verify_signature(*known, self.message, self.signature).is_ok())
    }
}

/// Whether a certificate is one that the issuer itself has given to somebody who is to answer for it.
fn is_charged(
    signer: &CertificateDer<'_>,
    issuer: &CertificateDer<'_>,
    algorithms: WebPkiSupportedAlgorithms,
    now: UnixTime,
) -> bool {
    let (Ok(signer), Ok(anchor)) = (EndEntityCert::try_from(signer), anchor_from_trusted_cert(issuer)) else {
        return false;
    };
    let usage = KeyUsage::required(OCSP_SIGNING);
    signer.verify_for_usage(algorithms.all, &[anchor], &[], now, usage, None, None).is_ok()
}
