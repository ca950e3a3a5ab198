//! http to https.

use http::{HeaderValue, Response, StatusCode, header};

use super::Flow;
use crate::exchange::{Body, Exchange, Scheme};

/// Redirects a request that came over http.
#[derive(Debug, Clone)]
pub struct HttpsRedirect {
    status: StatusCode,
}

impl HttpsRedirect {
    /// A status that is no redirect becomes 308.
    pub fn new(source: &snapshot::HttpsRedirect) -> Self {
        let status = StatusCode::from_u16(source.status).ok().filter(StatusCode::is_redirection);
        Self { status: status.unwrap_or(StatusCode::PERMANENT_REDIRECT) }
    }

    /// Answers what came in the clear. An HTTP/1.0 client that named no host can be sent nowhere: it goes on.
    pub fn request(&self, exchange: &Exchange) -> Flow {
        if exchange.client.scheme == Scheme::Https || exchange.host.is_empty() {
            return Flow::Continue;
        }
        let Ok(location) = HeaderValue::try_from(location(&exchange.host, &exchange.uri)) else {
            return Flow::Continue;
        };
        let mut response = Response::new(Body::Empty);
        *response.status_mut() = self.status;
        response.headers_mut().insert(header::LOCATION, location);
        Flow::Respond(response)
    }
}

/// The same target over https: without port, and without one trailing slash of the path, as ingress-nginx has it. Its
/// cutting the slash from the end of the query too is not copied.
fn location(host: &str, uri: &http::Uri) -> String {
    let path = uri.path();
    let path = path.strip_suffix('/').unwrap_or(path);
    match uri.query() {
        Some(query) => format!("https://{host}{path}?{query}"),
        None => format!("https://{host}{path}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_path_and_query_and_cuts_one_slash_of_the_path() {
        for (target, expected) in [
            ("/", "https://a.b"),
            ("/x", "https://a.b/x"),
            ("/x/", "https://a.b/x"),
            ("/x//", "https://a.b/x/"),
            ("/x?y=/", "https://a.b/x?y=/"),
            ("/x/?y", "https://a.b/x?y"),
        ] {
            assert_eq!(location("a.b", &target.parse().unwrap()), expected, "{target}");
        }
    }
}
