//! http to https.

use http::{HeaderValue, Response, StatusCode, header};

use super::Flow;
use crate::exchange::{Body, Exchange, Scheme};

/// Redirects a request that came over http.
#[derive(Debug, Clone)]
pub struct HttpsRedirect {
    status: StatusCode,
    preserve_trailing_slash: bool,
}

impl HttpsRedirect {
    /// A status that is no redirect becomes 308.
    pub fn new(source: &snapshot::HttpsRedirect) -> Self {
        let status = StatusCode::from_u16(source.status).ok().filter(StatusCode::is_redirection);
        let status = status.unwrap_or(StatusCode::PERMANENT_REDIRECT);
        Self { status, preserve_trailing_slash: source.preserve_trailing_slash }
    }

    /// Answers what came in the clear. An HTTP/1.0 client that named no host can be sent nowhere: it goes on.
    pub fn request(&self, exchange: &Exchange) -> Flow {
        if exchange.client.scheme == Scheme::Https || exchange.host.is_empty() {
            return Flow::Continue;
        }
        let Ok(location) = HeaderValue::try_from(self.location(&exchange.host, &exchange.uri)) else {
            return Flow::Continue;
        };
        let mut response = Response::new(Body::Empty);
        *response.status_mut() = self.status;
        response.headers_mut().insert(header::LOCATION, location);
        Flow::Respond(response)
    }

    /// The same target over https: without port, and without one trailing slash of the path unless it is to be kept, as
    /// ingress-nginx has it. Its cutting the slash from the end of the query too is not copied.
    fn location(&self, host: &str, uri: &http::Uri) -> String {
        let path = uri.path();
        let cut = if self.preserve_trailing_slash { None } else { path.strip_suffix('/') };
        let path = cut.unwrap_or(path);
        match uri.query() {
            Some(query) => format!("https://{host}{path}?{query}"),
            None => format!("https://{host}{path}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_path_and_query_and_cuts_one_slash_of_the_path() {
        for (target, cut, kept) in [
            ("/", "https://a.b", "https://a.b/"),
            ("/x", "https://a.b/x", "https://a.b/x"),
            ("/x/", "https://a.b/x", "https://a.b/x/"),
            ("/x//", "https://a.b/x/", "https://a.b/x//"),
            ("/x?y=/", "https://a.b/x?y=/", "https://a.b/x?y=/"),
            ("/x/?y", "https://a.b/x?y", "https://a.b/x/?y"),
        ] {
            for (preserve_trailing_slash, expected) in [(false, cut), (true, kept)] {
                let redirect = HttpsRedirect::new(&snapshot::HttpsRedirect { status: 308, preserve_trailing_slash });
                assert_eq!(redirect.location("a.b", &target.parse().unwrap()), expected, "{target}");
            }
        }
    }
}
