//! Why a review has no verdict. The API server then does what the webhook's `failurePolicy` says.

use http::StatusCode;

/// Why nobody can say whether an Ingress would be served.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error("not all objects of the cluster are known yet")]
    NotReady,
    #[error("there are too many reviews at the same time")]
    Busy,
    #[error("the review has more than {} bytes", super::limits::BODY)]
    TooLarge,
    #[error("the review could not be read to its end: {0}")]
    Broken(String),
    #[error("this is no AdmissionReview of an Ingress of networking.k8s.io/v1: {0}")]
    NoReview(String),
    #[error("the review took more than {} seconds", super::limits::REVIEW.as_secs())]
    TooSlow,
    #[error("the review failed: {0}")]
    Failed(String),
}

impl Error {
    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::NotReady | Self::Failed(_) => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Busy => StatusCode::TOO_MANY_REQUESTS,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Broken(_) | Self::NoReview(_) => StatusCode::BAD_REQUEST,
            Self::TooSlow => StatusCode::GATEWAY_TIMEOUT,
        }
    }
}
