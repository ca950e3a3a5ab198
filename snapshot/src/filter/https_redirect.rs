//! http to https.

use serde::{Deserialize, Serialize};

/// Answer a request that came over http with a redirect to https (`ssl-redirect`, `force-ssl-redirect`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct HttpsRedirect {
    /// 301, 302, 307 or 308 (`http-redirect-code`).
    pub status: u16,
    /// Whether a slash at the end of the path is kept (`preserve-trailing-slash`).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub preserve_trailing_slash: bool,
}
