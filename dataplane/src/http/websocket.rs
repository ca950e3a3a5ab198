//! WebSockets over HTTP/2 (RFC 8441): an extended CONNECT towards us is a switch of protocols towards the endpoint.

use aws_lc_rs::{
    digest::{SHA1_FOR_LEGACY_USE_ONLY, digest},
    rand,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderValue, Method, Response, StatusCode, Version, header, request::Parts};
use hyper::ext::Protocol;

use super::forward::Outcome;
use crate::exchange::{Body, Cause, Failure};

/// What the endpoint is asked to switch to.
pub const NAME: HeaderValue = HeaderValue::from_static("websocket");

/// Makes the hash one that nobody but who knows WebSockets can answer with (RFC 6455 section 1.3).
const SALT: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// A WebSocket that a client of HTTP/2 asks for.
#[derive(Debug)]
pub struct WebSocket {
    /// What the endpoint must answer in `Sec-WebSocket-Accept`.
    accept: String,
}

/// Turns an extended CONNECT into the request that HTTP/1.1 has for it (RFC 8441 section 5). None: it is another request,
/// and left as it is.
///
/// # Errors
/// An extended CONNECT for another protocol (501, as RFC 9220 section 3 has it for HTTP/3), or no randomness (500).
pub fn translate(head: &mut Parts) -> Result<Option<WebSocket>, Failure> {
    if head.method != Method::CONNECT || head.version != Version::HTTP_2 {
        return Ok(None);
    }
    let Some(protocol) = head.extensions.remove::<Protocol>() else { return Ok(None) };
    if !protocol.as_str().eq_ignore_ascii_case("websocket") {
        return Err(Cause::Protocol.into());
    }
    let mut nonce = [0; 16];
    rand::fill(&mut nonce).map_err(|_| Cause::NoKey)?;
    let key = STANDARD.encode(nonce);
    let field = HeaderValue::from_str(&key).map_err(|_| Cause::NoKey)?;
    head.method = Method::GET;
    head.headers.insert(header::SEC_WEBSOCKET_KEY, field);
    Ok(Some(WebSocket { accept: accept_of(&key) }))
}

/// The endpoint's switch as an answer to the extended CONNECT. What is no switch keeps its status, unless it would tell
/// the client that there is a tunnel.
///
/// # Errors
/// The outcome was none, or the endpoint did not understand what it was asked for (502).
pub fn seen_by_client(websocket: Option<WebSocket>, outcome: Result<Outcome, Failure>) -> Result<Outcome, Failure> {
    let Some(websocket) = websocket else { return outcome };
    match outcome? {
        Outcome::Message(response) if response.status().is_success() => Err(Cause::BadAnswer.into()),
        Outcome::Message(response) => Ok(Outcome::Message(response)),
        Outcome::Tunnel(response, half) => Ok(Outcome::Tunnel(websocket.open(response)?, half)),
    }
}

impl WebSocket {
    fn open(&self, mut response: Response<Body>) -> Result<Response<Body>, Failure> {
        let headers = response.headers_mut();
        let said = headers.remove(header::SEC_WEBSOCKET_ACCEPT);
        if said.is_none_or(|said| said.as_bytes() != self.accept.as_bytes()) {
            return Err(Cause::BadAnswer.into());
        }
        headers.remove(header::UPGRADE);
        headers.remove(header::CONNECTION);
        // A tunnel has no length.
        headers.remove(header::CONTENT_LENGTH);
        *response.status_mut() = StatusCode::OK;
        Ok(response)
    }
}

/// RFC 6455 section 4.2.2.
fn accept_of(key: &str) -> String {
    let salted = [key.as_bytes(), SALT].concat();
    STANDARD.encode(digest(&SHA1_FOR_LEGACY_USE_ONLY, &salted))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_accept_of_the_rfc() {
        assert_eq!(accept_of("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    #[test]
    fn only_websockets_are_translated() {
        let head = |method: &str, protocol: Option<&'static str>| {
            let mut request = http::Request::builder().method(method).uri("https://a.b/c").version(Version::HTTP_2);
            if let Some(protocol) = protocol {
                request = request.extension(Protocol::from_static(protocol));
            }
            request.body(()).unwrap().into_parts().0
        };
        let mut asked = head("CONNECT", Some("websocket"));
        assert!(translate(&mut asked).unwrap().is_some());
        assert_eq!(asked.method, Method::GET);
        assert_eq!(asked.headers[header::SEC_WEBSOCKET_KEY].len(), 24);
        assert_eq!(translate(&mut head("CONNECT", Some("connect-udp"))).err().unwrap().cause, Cause::Protocol);
        assert!(translate(&mut head("CONNECT", None)).unwrap().is_none());
        assert!(translate(&mut head("GET", None)).unwrap().is_none());
    }
}
