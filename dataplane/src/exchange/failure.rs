//! What can go wrong with a request: whose fault it is, whether another try is safe, and what the client gets to see.

use http::StatusCode;
use thiserror::Error;

/// Whose fault it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The client's.
    Client,
    /// The backend's.
    Upstream,
    /// Ours or our configuration's.
    Gateway,
}

/// When another endpoint may be tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetryIf {
    /// Never: the answer would be no other, or the request may be acted on right now.
    Never,
    /// Whatever the method is: no byte of the request was sent, or nobody acted on it.
    Untouched,
    /// Only where the method is idempotent (RFC 9110 section 9.2.2): it may have been acted on.
    Idempotent,
}

/// Why a request was not answered by its backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Cause {
    /// RFC 9110 or 9112 forbids it, or it would mean different things to different readers.
    #[error("bad request: {0}")]
    BadRequest(&'static str),
    /// CONNECT and TRACE.
    #[error("method not allowed")]
    MethodNotAllowed,
    /// A transfer coding other than chunked (RFC 9112 section 6.1).
    #[error("transfer coding not implemented")]
    TransferCoding,
    /// An extended CONNECT (RFC 8441) for a protocol that we, or the endpoints, do not speak.
    #[error("protocol not implemented")]
    Protocol,
    /// No randomness for the key of a WebSocket: our fault, and no other request would fare better.
    #[error("no key for a WebSocket")]
    NoKey,
    /// Above `HeadLimits::target`.
    #[error("request target too long")]
    TargetTooLong,
    /// Above another limit of `HeadLimits`.
    #[error("request head too large")]
    HeadTooLarge,
    /// Above `Route::max_body`.
    #[error("request body too large")]
    BodyTooLarge,
    /// The client sent no byte of its body for `HttpOptions::body_timeout`.
    #[error("timed out waiting for the request body")]
    BodyTimeout,
    /// The body's framing is broken, or the client went away within it.
    #[error("broken request body")]
    BodyBroken,
    /// Its host needs a certificate of the client, and there is none (nginx's 496).
    #[error("no client certificate")]
    CertificateMissing,
    /// The client's certificate is not accepted (nginx's 495).
    #[error("client certificate refused: {0}")]
    CertificateRefused(&'static str),
    /// The subject of the client's certificate is not one that the host wants.
    #[error("client certificate of somebody else")]
    CertificateSubject,
    /// Its host asks for clients' certificates otherwise than the one that the connection was made for (RFC 9110 section
    /// 15.5.20).
    #[error("misdirected request")]
    Misdirected,
    /// No rule names the host or path.
    #[error("no route")]
    NoRoute,
    /// A route that is not to be served, or that has no backend.
    #[error("refused by configuration")]
    Configured(StatusCode),
    /// The service has no endpoint.
    #[error("no endpoint")]
    NoEndpoint,
    /// All connections to the endpoint carry as many requests as they may.
    #[error("no room on the connections to the endpoint")]
    Overloaded,
    /// No connection to the endpoint, or one that took nothing.
    #[error("cannot connect to the endpoint")]
    Connect,
    /// `Timeouts::connect` has passed.
    #[error("timed out connecting to the endpoint")]
    ConnectTimeout,
    /// No TLS with the endpoint: it or we did not take the other's certificate, or there is no common way to speak.
    #[error("cannot speak TLS with the endpoint")]
    Tls,
    /// The endpoint broke TLS off before it answered: in TLS 1.3 it may refuse our certificate that late.
    #[error("the endpoint refused to speak TLS")]
    TlsRefused,
    /// The endpoint has left while it was being connected to.
    #[error("the endpoint has left")]
    Left,
    /// The endpoint closed the connection before the first byte of its answer.
    #[error("the endpoint closed the connection")]
    Closed,
    /// The same on a connection that had been kept for further requests, as its endpoint may close one at any time.
    #[error("the endpoint closed a connection that it had kept")]
    Stale,
    /// The endpoint says that it did not act on the request (RFC 9113 section 8.7).
    #[error("the endpoint refused the request")]
    Refused,
    /// `Timeouts::read` has passed.
    #[error("timed out waiting for the endpoint's answer")]
    ReadTimeout,
    /// `Timeouts::send` has passed.
    #[error("timed out sending to the endpoint")]
    SendTimeout,
    /// An answer that is not HTTP, or whose end is not certain.
    #[error("bad answer from the endpoint")]
    BadAnswer,
}

/// The one table: cause → fault, status, retry.
const fn verdict(cause: Cause) -> (Fault, StatusCode, RetryIf) {
    use Fault::{Client, Gateway, Upstream};
    use RetryIf::{Idempotent, Never, Untouched};
    match cause {
        Cause::BadRequest(_) | Cause::BodyBroken | Cause::CertificateMissing | Cause::CertificateRefused(_) => {
            (Client, StatusCode::BAD_REQUEST, Never)
        }
        Cause::CertificateSubject => (Client, StatusCode::FORBIDDEN, Never),
        Cause::Misdirected => (Client, StatusCode::MISDIRECTED_REQUEST, Never),
        Cause::MethodNotAllowed => (Client, StatusCode::METHOD_NOT_ALLOWED, Never),
        Cause::TransferCoding | Cause::Protocol => (Client, StatusCode::NOT_IMPLEMENTED, Never),
        Cause::NoKey => (Gateway, StatusCode::INTERNAL_SERVER_ERROR, Never),
        Cause::TargetTooLong => (Client, StatusCode::URI_TOO_LONG, Never),
        Cause::HeadTooLarge => (Client, StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, Never),
        Cause::BodyTooLarge => (Client, StatusCode::PAYLOAD_TOO_LARGE, Never),
        Cause::BodyTimeout => (Client, StatusCode::REQUEST_TIMEOUT, Never),
        Cause::NoRoute => (Client, StatusCode::NOT_FOUND, Never),
        Cause::Configured(status) => (Gateway, status, Never),
        Cause::NoEndpoint => (Upstream, StatusCode::SERVICE_UNAVAILABLE, Never),
        Cause::Overloaded | Cause::Left => (Upstream, StatusCode::SERVICE_UNAVAILABLE, Untouched),
        Cause::Connect | Cause::Tls | Cause::Refused => (Upstream, StatusCode::BAD_GATEWAY, Untouched),
        Cause::ConnectTimeout => (Upstream, StatusCode::GATEWAY_TIMEOUT, Untouched),
        Cause::Closed | Cause::Stale | Cause::TlsRefused => (Upstream, StatusCode::BAD_GATEWAY, Idempotent),
        Cause::ReadTimeout | Cause::SendTimeout => (Upstream, StatusCode::GATEWAY_TIMEOUT, Never),
        Cause::BadAnswer => (Upstream, StatusCode::BAD_GATEWAY, Never),
    }
}

/// A request that was not answered by its backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("{cause}")]
pub struct Failure {
    /// Whose fault it is.
    pub fault: Fault,
    /// When another endpoint may be tried.
    pub retry: RetryIf,
    /// What happened.
    pub cause: Cause,
}

impl Failure {
    /// The status that the client gets.
    pub fn status(&self) -> StatusCode {
        verdict(self.cause).1
    }

    /// Whether the client's connection is to end: where its next request begins is not certain, or it is up to no good.
    pub fn ends_connection(&self) -> bool {
        self.fault == Fault::Client
            && !matches!(
                self.cause,
                Cause::NoRoute | Cause::MethodNotAllowed | Cause::BodyTooLarge | Cause::CertificateSubject
            )
    }
}

impl From<Cause> for Failure {
    fn from(cause: Cause) -> Self {
        let (fault, _, retry) = verdict(cause);
        Self { fault, retry, cause }
    }
}
