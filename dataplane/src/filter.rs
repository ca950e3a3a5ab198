//! What happens to a request before and around its action: one file for each feature, one enum over all.

mod deny;
mod https_redirect;

use http::Response;

use crate::exchange::{Body, Exchange, Failure};

/// What comes after a filter.
#[derive(Debug)]
pub enum Flow {
    /// The next filter, and in the end the route's action.
    Continue,
    /// Nothing: this is the answer.
    Respond(Response<Body>),
}

/// The live form of a [`snapshot::Filter`].
#[derive(Debug, Clone)]
pub enum Filter {
    /// Refuse every request.
    Deny(deny::Deny),
    /// Send http to https.
    HttpsRedirect(https_redirect::HttpsRedirect),
}

impl Filter {
    /// Builds it.
    pub fn new(source: &snapshot::Filter) -> Self {
        match source {
            snapshot::Filter::Deny(source) => Self::Deny(deny::Deny::new(source)),
            snapshot::Filter::HttpsRedirect(source) => Self::HttpsRedirect(https_redirect::HttpsRedirect::new(source)),
        }
    }

    /// Its part on the way in.
    ///
    /// # Errors
    /// The request is refused.
    pub fn request(&self, exchange: &mut Exchange) -> Result<Flow, Failure> {
        match self {
            Self::Deny(filter) => filter.request(),
            Self::HttpsRedirect(filter) => Ok(filter.request(exchange)),
        }
    }
}
