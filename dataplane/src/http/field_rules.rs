//! What the fields of a message go through, without a connection around it: for those who measure it.

use std::{net::SocketAddr, sync::Arc};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request};
use snapshot::{HttpOptions, Protocol};

use super::{
    answer::set_fields,
    connection::Accepted,
    forwarded,
    head::{self, Target},
    request::upgrade_of,
    survey::Survey,
};
use crate::{
    exchange::{Client, Exchange, RequestBody, Socket},
    upstream::{AnswerFields, request_fields},
};

/// The rules for fields, as [`super::serve`] and [`super::forward`] apply them to a request without a body and to its
/// answer.
pub struct FieldRules {
    http: Arc<HttpOptions>,
    accepted: Accepted,
    peer: Client,
    socket: Arc<Socket>,
}

impl FieldRules {
    /// For requests that come in the clear from `peer`.
    pub fn new(http: HttpOptions, peer: SocketAddr) -> Self {
        let accepted = Accepted {
            listener: "http".into(),
            peer,
            local: SocketAddr::from(([0, 0, 0, 0], 80)),
            tls: false,
            proxied: false,
        };
        let socket = Arc::new(Socket::new(&http));
        Self { http: Arc::new(http), peer: forwarded::peer(&accepted), accepted, socket }
    }

    /// The fields that an upstream of HTTP/1.1 is to see; none where the request is refused.
    pub fn request(&self, request: Request<()>) -> Option<HeaderMap> {
        let (head, ()) = request.into_parts();
        let client = forwarded::client(&head.headers, &self.accepted, &self.peer, &self.http.trusted_proxies);
        let survey = Survey::of(&head.headers);
        let length = head::length(&head, &survey);
        let Target { authority, host, uri, path } = head::check(&head, &survey, length, &self.http.head).ok()?;
        let upgrade = if survey.upgrades { upgrade_of(&head) } else { None };
        let exchange = Exchange {
            method: head.method,
            uri,
            path,
            headers: head.headers,
            authority,
            host,
            request_id: HeaderValue::from_static("0123456789abcdef0123456789abcdef"),
            client,
            body: RequestBody::Complete(Bytes::new()),
            upgrade,
            options: Arc::clone(&self.http),
            socket: Arc::clone(&self.socket),
            certificate: None,
            hsts: None,
        };
        Some(request_fields(&exchange, Protocol::Http1))
    }

    /// Makes the fields of an upstream's answer those that the client is to see.
    pub fn answer(&self, headers: &mut HeaderMap) {
        AnswerFields::of(headers).clean(headers);
        set_fields(headers, &self.http, None);
    }
}
