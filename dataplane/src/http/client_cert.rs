//! Requests and the certificate of the client who sends them.
//!
//! The handshake asked for it as the host wants it that the client named then; a request may be for another host. What is
//! wrong is answered before anything else of the host is looked at, even whether there is such a path.

use std::rc::Rc;

use http::{HeaderValue, Response, StatusCode, header};
use snapshot::{ClientAuth, VerifyClient};

use super::connection::Connection;
use crate::{
    exchange::{Body, Cause, CertificateFields, Exchange, Failure},
    filter::Flow,
    observe::CertificateRefusal,
    runtime::{LiveClientCert, LiveTable},
    tls::{Asked, Judgement},
};

/// Checks a request for a host. Costs nothing where neither the host nor the connection is about certificates.
///
/// # Errors
/// The request may not be answered.
pub fn check(connection: &Connection, table: Option<&LiveTable>, exchange: &mut Exchange) -> Result<Flow, Failure> {
    let rule = table.and_then(|table| table.client_cert.as_deref());
    let asked = connection.asked_for_certificate();
    let Some(rule) = rule else {
        // The host that was named may ask for nothing by now, and who named none has no other connection to make.
        let named = asked.and_then(|asked| asked.host.as_deref());
        let is_elsewhere = named.is_some_and(|named| named != &*exchange.host);
        if is_elsewhere {
            connection.context.gauges.certificates.count(CertificateRefusal::Misdirected);
            return Err(Cause::Misdirected.into());
        }
        return Ok(Flow::Continue);
    };
    match judged(connection, rule, asked) {
        Ok(fields) => {
            exchange.certificate = Some(Rc::new(fields));
            Ok(Flow::Continue)
        }
        Err(cause) => {
            if let Some(why) = counted(cause) {
                connection.context.gauges.certificates.count(why);
            }
            refuse(rule, cause)
        }
    }
}

fn counted(cause: Cause) -> Option<CertificateRefusal> {
    match cause {
        Cause::CertificateMissing => Some(CertificateRefusal::Missing),
        Cause::CertificateRefused(_) => Some(CertificateRefusal::Bad),
        Cause::CertificateSubject => Some(CertificateRefusal::Subject),
        Cause::Misdirected => Some(CertificateRefusal::Misdirected),
        _ => None,
    }
}

fn refuse(rule: &LiveClientCert, cause: Cause) -> Result<Flow, Failure> {
    tracing::debug!(rule = %rule.source.origin, %cause, "a request is refused on account of its client's certificate");
    match (cause, &rule.error_page) {
        (Cause::CertificateMissing | Cause::CertificateRefused(_), Some(page)) => {
            let mut response = Response::new(Body::Empty);
            *response.status_mut() = StatusCode::FOUND;
            response.headers_mut().insert(header::LOCATION, page.clone());
            Ok(Flow::Respond(response))
        }
        _ => Err(cause.into()),
    }
}

/// What the upstream is told, or why it gets nothing.
fn judged(connection: &Connection, rule: &LiveClientCert, asked: Option<&Asked>) -> Result<CertificateFields, Cause> {
    let Some(peer) = &connection.tls else {
        // In the clear nobody can be asked; a subject that is wanted is wanted there too, as in ingress-nginx.
        return with_subject(rule, CertificateFields::default(), "");
    };
    match (&rule.source.auth, asked) {
        (None, None) => with_subject(rule, none(), ""),
        (Some(auth), Some(asked)) if auth.accepts_connections_of(&asked.auth) => of_certificate(rule, auth, asked),
        // Who names no host has no other connection to make.
        (Some(_), None) if !peer.named_host => Err(Cause::CertificateMissing),
        (None, Some(_)) | (Some(_), None | Some(_)) => Err(Cause::Misdirected),
    }
}

fn of_certificate(rule: &LiveClientCert, auth: &ClientAuth, asked: &Asked) -> Result<CertificateFields, Cause> {
    let judgement = rule.authority.as_ref().map_or(Judgement::Missing, |authority| asked.judge(authority));
    let verify = match (judgement, auth.verify) {
        (Judgement::Missing, VerifyClient::Required) => return Err(Cause::CertificateMissing),
        (Judgement::Missing, VerifyClient::Optional | VerifyClient::OptionalNoCa) => {
            return with_subject(rule, none(), "");
        }
        (Judgement::Good, _) => HeaderValue::from_static("SUCCESS"),
        (Judgement::Bad(objection), VerifyClient::OptionalNoCa) if objection.is_unknown_ca => {
            HeaderValue::try_from(format!("FAILED:{}", objection.reason)).unwrap_or(HeaderValue::from_static("FAILED"))
        }
        (Judgement::Bad(objection), _) => return Err(Cause::CertificateRefused(objection.reason)),
    };
    let shown = asked.shown().ok_or(Cause::CertificateRefused("unreadable certificate"))?;
    let field = |text: &str| HeaderValue::try_from(text).ok();
    let fields = CertificateFields {
        verify: Some(verify),
        subject: field(&shown.subject),
        issuer: field(&shown.issuer),
        certificate: shown.certificate.clone().filter(|_| rule.source.pass_certificate),
    };
    with_subject(rule, fields, &shown.subject)
}

fn with_subject(rule: &LiveClientCert, fields: CertificateFields, subject: &str) -> Result<CertificateFields, Cause> {
    match &rule.subject {
        Some(wanted) if !wanted.matches(subject) => Err(Cause::CertificateSubject),
        _ => Ok(fields),
    }
}

/// Over TLS, and without a certificate.
fn none() -> CertificateFields {
    CertificateFields { verify: Some(HeaderValue::from_static("NONE")), ..CertificateFields::default() }
}
