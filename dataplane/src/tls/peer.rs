//! What the handshake of a connection told of the client.

use std::{cell::RefCell, rc::Rc, sync::Arc};

use base64::{Engine, engine::general_purpose::STANDARD};
use http::HeaderValue;
use rustls::{
    ServerConnection,
    pki_types::{CertificateDer, UnixTime},
};
use snapshot::ClientAuth;
use x509_parser::parse_x509_certificate;

use super::{
    authority::{Authority, Objection},
    name,
};

/// The client at the other end of an encrypted connection.
#[derive(Debug)]
pub struct Peer {
    /// Whether it named a host (RFC 6066 section 3).
    pub named_host: bool,
    /// What it showed when it was asked for a certificate; none: it was not asked.
    pub asked: Option<Box<Asked>>,
}

/// A client that was asked for a certificate.
#[derive(Debug)]
pub struct Asked {
    /// The host that it named (RFC 6066 section 3), in lower case.
    pub host: Option<Box<str>>,
    /// How.
    pub auth: Arc<ClientAuth>,
    /// Its own first; empty: it has none.
    chain: Vec<CertificateDer<'static>>,
    /// What came of looking at it last, and by whose word.
    judged: RefCell<Option<(Arc<Authority>, Judgement)>>,
    shown: RefCell<Option<Rc<Shown>>>,
}

/// What there is to say about a client's certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judgement {
    /// There is none.
    Missing,
    /// It is good.
    Good,
    /// It is not.
    Bad(Objection),
}

/// What a certificate says, as fields have it.
#[derive(Debug)]
pub struct Shown {
    /// Whom it is for (RFC 4514).
    pub subject: String,
    /// Who issued it (RFC 4514).
    pub issuer: String,
    /// The certificate in PEM, percent-encoded.
    pub certificate: Option<HeaderValue>,
}

impl Peer {
    /// The client of a handshake that is done, and how it was asked for a certificate.
    pub fn new(session: &ServerConnection, auth: Option<&Arc<ClientAuth>>) -> Self {
        let chain = || session.peer_certificates().unwrap_or_default().iter().map(|der| der.clone().into_owned());
        let host = || session.server_name().map(|name| name.to_ascii_lowercase().into());
        let asked = auth.map(|auth| {
            Box::new(Asked {
                host: host(),
                auth: Arc::clone(auth),
                chain: chain().collect(),
                judged: RefCell::default(),
                shown: RefCell::default(),
            })
        });
        Self { named_host: session.server_name().is_some(), asked }
    }
}

impl Asked {
    /// Judges the certificate by an authority's word, once for each.
    pub fn judge(&self, authority: &Arc<Authority>) -> Judgement {
        if self.chain.is_empty() {
            return Judgement::Missing;
        }
        if let Some((by, judgement)) = &*self.judged.borrow()
            && Arc::ptr_eq(by, authority)
        {
            return *judgement;
        }
        let judgement = match authority.check(&self.chain, self.auth.depth, UnixTime::now()) {
            Ok(()) => Judgement::Good,
            Err(objection) => Judgement::Bad(objection),
        };
        self.judged.replace(Some((Arc::clone(authority), judgement)));
        judgement
    }

    /// What the certificate says; none: there is none, or nobody can read it.
    pub fn shown(&self) -> Option<Rc<Shown>> {
        if let Some(shown) = &*self.shown.borrow() {
            return Some(Rc::clone(shown));
        }
        let leaf = self.chain.first()?;
        let (_, cert) = parse_x509_certificate(leaf).ok()?;
        let (subject, issuer) = (name::text(cert.subject()), name::text(cert.issuer()));
        let shown = Rc::new(Shown { subject, issuer, certificate: HeaderValue::try_from(escaped_pem(leaf)).ok() });
        self.shown.replace(Some(Rc::clone(&shown)));
        Some(shown)
    }
}

/// As nginx's `$ssl_client_escaped_cert`: only unreserved characters (RFC 3986 section 2.3) stand for themselves.
fn escaped_pem(der: &[u8]) -> String {
    let base64 = STANDARD.encode(der);
    let mut escaped = String::with_capacity(base64.len().saturating_mul(5) / 4 + 128);
    escaped.push_str("-----BEGIN%20CERTIFICATE-----%0A");
    for (at, character) in base64.chars().enumerate() {
        if at > 0 && at % 64 == 0 {
            escaped.push_str("%0A");
        }
        match character {
            '+' => escaped.push_str("%2B"),
            '/' => escaped.push_str("%2F"),
            '=' => escaped.push_str("%3D"),
            plain => escaped.push(plain),
        }
    }
    escaped.push_str("%0A-----END%20CERTIFICATE-----%0A");
    escaped
}
