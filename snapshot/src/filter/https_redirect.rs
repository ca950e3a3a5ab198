//! http to https.

use serde::{Deserialize, Serialize};

/// Answer a request that came over http with a redirect to https (`ssl-redirect`, `http-redirect-code`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct HttpsRedirect {
    /// 301, 302, 307 or 308.
    pub status: u16,
}
