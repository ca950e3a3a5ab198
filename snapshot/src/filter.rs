//! What happens to a request before and around its action: one variant for each feature.

mod deny;
mod https_redirect;

use serde::{Deserialize, Serialize};

pub use deny::Deny;
pub use https_redirect::HttpsRedirect;

/// One configured step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Filter {
    /// Refuse every request.
    Deny(Deny),
    /// Send http to https.
    HttpsRedirect(HttpsRedirect),
}

/// The order in which filters run: the declaration order here, as ingress-nginx's phases have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Before the https redirect: ingress-nginx answers 503 for a location it had to deny on either scheme.
    Deny,
    /// Before everything that looks at credentials, so that none is asked for in the clear.
    HttpsRedirect,
}

impl Filter {
    /// When it runs.
    pub fn stage(&self) -> Stage {
        match self {
            Self::Deny(_) => Stage::Deny,
            Self::HttpsRedirect(_) => Stage::HttpsRedirect,
        }
    }
}
