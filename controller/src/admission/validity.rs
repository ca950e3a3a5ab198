//! When the webhook's certificate ends, and who is told.

use compile::{Problem, Reason, Severity};
use x509_parser::parse_x509_certificate;

use crate::board::trouble;

/// At the most so long before its end it is said that a certificate ends, in seconds: a week.
const NOTICE: i64 = 7 * 86_400;

/// Where a certificate lives shorter: this part of its life. Issuers renew before its last third.
const NOTICE_PART: i64 = 6;

/// When a certificate is valid (RFC 5280 section 4.1.2.5), in seconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Validity {
    not_before: i64,
    pub(super) not_after: i64,
}

impl Validity {
    /// Of a certificate in DER.
    ///
    /// # Errors
    /// It is none.
    pub(super) fn of(der: &[u8]) -> Result<Self, String> {
        let (_, certificate) =
            parse_x509_certificate(der).map_err(|error| format!("it is no valid X.509 certificate: {error}"))?;
        let validity = certificate.validity();
        Ok(Self { not_before: validity.not_before.timestamp(), not_after: validity.not_after.timestamp() })
    }

    /// What there is to say of it at `now`. It is shown all the same, but API servers do not take it.
    pub(super) fn problem(self, now: i64) -> Option<Problem> {
        let left = self.not_after.saturating_sub(now);
        let life = self.not_after.saturating_sub(self.not_before);
        let (reason, severity, message) = if left < 0 {
            let message = "the certificate has expired: the API server refuses it, and does what the webhook's failurePolicy \
                           says";
            (Reason::WebhookCertificateExpired, Severity::Error, message.to_owned())
        } else if left <= NOTICE.min(life / NOTICE_PART) {
            let message = format!("the certificate expires in {} hours, and nobody has renewed it", left / 3600);
            (Reason::WebhookCertificateExpiring, Severity::Warning, message)
        } else {
            return None;
        };
        Some(trouble("--validating-webhook-certificate", reason, severity, message))
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    use super::*;

    const HOUR: i64 = 3600;

    fn made(from: (i32, u8, u8), until: (i32, u8, u8)) -> Validity {
        let mut params = CertificateParams::new(["webhook.test".to_owned()]).unwrap();
        params.not_before = date_time_ymd(from.0, from.1, from.2);
        params.not_after = date_time_ymd(until.0, until.1, until.2);
        let certificate = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        Validity::of(certificate.der()).unwrap()
    }

    fn told(validity: Validity, before_its_end: i64) -> Option<Reason> {
        validity.problem(validity.not_after - before_its_end).map(|problem| problem.reason)
    }

    #[test]
    fn the_end_is_told_a_week_before() {
        let validity = made((2030, 1, 1), (2031, 1, 1));
        assert_eq!(validity.not_after, 1_924_992_000);
        assert_eq!(told(validity, 8 * 24 * HOUR), None);
        assert_eq!(told(validity, 7 * 24 * HOUR), Some(Reason::WebhookCertificateExpiring));
        assert_eq!(told(validity, 0), Some(Reason::WebhookCertificateExpiring));
        assert_eq!(told(validity, -1), Some(Reason::WebhookCertificateExpired));
    }

    #[test]
    fn what_lives_shorter_is_told_later() {
        let day = made((2030, 1, 1), (2030, 1, 2));
        assert_eq!((told(day, 5 * HOUR), told(day, 4 * HOUR)), (None, Some(Reason::WebhookCertificateExpiring)));
        let message = day.problem(day.not_after - 4 * HOUR).unwrap().message;
        assert!(message.contains("4 hours"), "{message}");
    }

    #[test]
    fn what_is_no_certificate_has_no_end() {
        assert!(Validity::of(b"x").is_err());
    }
}
