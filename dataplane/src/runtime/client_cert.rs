//! What a host wants of clients' certificates, live.

use std::sync::Arc;

use http::HeaderValue;
use regex::Regex;
use snapshot::{ClientCertRule, Rejection};

use crate::tls::Authority;

/// The rule of a host.
#[derive(Debug)]
pub struct LiveClientCert {
    /// What it was built from.
    pub source: Arc<ClientCertRule>,
    /// Who vouches for clients; none: they are not asked.
    pub authority: Option<Arc<Authority>>,
    /// What the subject of a certificate must match.
    pub subject: Option<Subject>,
    /// Where clients are sent whose certificate is missing or not accepted.
    pub error_page: Option<HeaderValue>,
}

/// A pattern of subjects.
#[derive(Debug)]
pub enum Subject {
    /// One that matches some.
    Pattern(Regex),
    /// One that cannot be used, and why: it matches none.
    Nobody(String),
}

impl Subject {
    /// Whether it matches somewhere in a text, as nginx has it.
    pub fn matches(&self, subject: &str) -> bool {
        match self {
            Self::Pattern(pattern) => pattern.is_match(subject),
            Self::Nobody(_) => false,
        }
    }
}

impl LiveClientCert {
    /// Builds it. What of it cannot be used lets nobody in; the controller has checked all of it.
    pub fn new(source: Arc<ClientCertRule>, authority: Option<Arc<Authority>>) -> Self {
        let subject = source.subject.as_deref().map(|pattern| match Regex::new(pattern) {
            Ok(pattern) => Subject::Pattern(pattern),
            Err(error) => Subject::Nobody(error.to_string()),
        });
        let error_page = source.error_page.as_deref().and_then(|page| HeaderValue::try_from(page).ok());
        Self { source, authority, subject, error_page }
    }

    /// What of the rule itself cannot be used.
    pub fn rejection(&self) -> Option<Rejection> {
        match &self.subject {
            Some(Subject::Nobody(why)) => {
                let reason =
                    format!("the subject that is wanted is no pattern, so no client certificate is accepted: {why}");
                Some(Rejection::new(Arc::clone(&self.source.origin), reason))
            }
            Some(Subject::Pattern(_)) | None => None,
        }
    }
}
