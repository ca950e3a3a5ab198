//! One request in flight: what is known of it, its bodies, its time limits, and what went wrong.

mod body;
mod certificate;
mod client_body;
mod deadline;
mod driver;
mod failure;
mod lease;
mod moment;
mod socket;
mod ticket;
mod traffic;
mod upstream_body;
mod watchdog;

pub use body::{Body, BodyError};
pub use certificate::{Certificate, CertificateFields};
pub use client_body::{ClientBody, Upload};
pub use deadline::{Deadlines, Elapsed, Wait, after};
pub use driver::Driver;
pub use failure::{Cause, Failure, RetryIf};
pub use lease::{Home, Lease, Peer, Seat, Seats, Sender, Wire};
pub use moment::{Moment, time_of_day};
pub use socket::Socket;
pub use ticket::{Answer, Facts, Sink, Ticket};
pub use upstream_body::UpstreamBody;
pub use watchdog::Watchdog;

use std::{net::IpAddr, sync::Arc};

use http::{HeaderMap, HeaderValue, Method, Uri};
use snapshot::HttpOptions;

/// A request that was checked and is to be answered.
#[derive(Debug)]
pub struct Exchange {
    /// The method.
    pub method: Method,
    /// The target in origin form (RFC 9112 section 3.2.1), as the client sent it.
    pub uri: Uri,
    /// The path of it that is matched, and that decides about access.
    pub path: Path,
    /// The fields, as the client sent them ([`crate::upstream`] makes those that the upstream is to see).
    pub headers: HeaderMap,
    /// The host as the client named it, port and all: what the upstream gets to see.
    pub authority: HeaderValue,
    /// The host in lower case without port; empty where an HTTP/1.0 client named none.
    pub host: Box<str>,
    /// Names the request in logs, here and at the upstream.
    pub request_id: HeaderValue,
    /// Who asks.
    pub client: Client,
    /// The request's body.
    pub body: RequestBody,
    /// The protocol that the client wants to switch to (RFC 9110 section 7.8).
    pub upgrade: Option<HeaderValue>,
    /// How HTTP is spoken on the listener.
    pub options: Arc<HttpOptions>,
    /// The client's connection or stream, whose task keeps the time limits.
    pub socket: Arc<Socket>,
    /// What the upstream is told of the client's certificate; none: nothing, its host does not ask for one.
    pub certificate: Option<Certificate>,
    /// `Strict-Transport-Security` as the answer says it; none: it does not.
    pub hsts: Option<HeaderValue>,
}

/// Who asks, after `X-Forwarded-*` of trusted proxies was taken into account.
#[derive(Debug, Clone)]
pub struct Client {
    /// The client's address.
    pub address: IpAddr,
    /// The same as it stands in fields.
    pub address_text: HeaderValue,
    /// `http` or `https`, as the client sees it.
    pub scheme: Scheme,
    /// The port as the client sees it: 443 for TLS, whatever the listening port is.
    pub port: HeaderValue,
    /// The host as the client sees it, where a trusted proxy says that it is another one than ours.
    pub host: Option<HeaderValue>,
}

/// How the client reached us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// In the clear.
    Http,
    /// Over TLS.
    Https,
}

impl Scheme {
    /// The scheme's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}

/// The normalised path of a request (see [`crate::route::normalize`]).
#[derive(Debug)]
pub enum Path {
    /// There is none: `OPTIONS *`.
    None,
    /// That of the target, which is normal already, as nearly all are.
    Same,
    /// Another one.
    Normalized(String),
}

impl Path {
    /// It itself, for the request's target.
    pub fn of<'a>(&'a self, target: &'a Uri) -> Option<&'a str> {
        match self {
            Self::None => None,
            Self::Same => Some(target.path()),
            Self::Normalized(path) => Some(path),
        }
    }
}

/// A request's body before it is sent.
#[derive(Debug)]
pub enum RequestBody {
    /// All of it is here: it can be sent again.
    Complete(bytes::Bytes),
    /// It comes while it is sent: once it was touched it is gone.
    Streaming(Box<ClientBody>),
    /// It was given to an upstream.
    Gone,
}

impl Exchange {
    /// The path that is matched, and that decides about access; none for `OPTIONS *`.
    pub fn path(&self) -> Option<&str> {
        self.path.of(&self.uri)
    }

    /// Whether it may be sent again after an endpoint may have acted on it: idempotent (RFC 9110 section 9.2.2), and
    /// all of it still here.
    pub fn is_repeatable(&self) -> bool {
        self.method.is_idempotent() && matches!(self.body, RequestBody::Complete(_)) && self.upgrade.is_none()
    }
}
