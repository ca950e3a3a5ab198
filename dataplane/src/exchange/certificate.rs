//! What the upstream is told of the client's certificate.

use std::rc::Rc;

use http::{HeaderMap, HeaderName, HeaderValue};

/// Fields about a client's certificate, as ingress-nginx names them.
#[derive(Debug, Clone, Default)]
pub struct CertificateFields {
    /// `SUCCESS`, `NONE`, or `FAILED:` and why; none: the request came in the clear.
    pub verify: Option<HeaderValue>,
    /// Whom it is for.
    pub subject: Option<HeaderValue>,
    /// Who issued it.
    pub issuer: Option<HeaderValue>,
    /// It itself.
    pub certificate: Option<HeaderValue>,
}

/// Shared by the tries of a request.
pub type Certificate = Rc<CertificateFields>;

const VERIFY: HeaderName = HeaderName::from_static("ssl-client-verify");
const SUBJECT: HeaderName = HeaderName::from_static("ssl-client-subject-dn");
const ISSUER: HeaderName = HeaderName::from_static("ssl-client-issuer-dn");
const CERTIFICATE: HeaderName = HeaderName::from_static("ssl-client-cert");

impl CertificateFields {
    /// Sets them. What the client sent under these names goes, whatever we have to say ourselves.
    pub fn set(&self, headers: &mut HeaderMap) {
        let Self { verify, subject, issuer, certificate } = self;
        for (name, value) in [(VERIFY, verify), (SUBJECT, subject), (ISSUER, issuer), (CERTIFICATE, certificate)] {
            match value {
                Some(value) => drop(headers.insert(name, value.clone())),
                None => drop(headers.remove(name)),
            }
        }
    }
}
