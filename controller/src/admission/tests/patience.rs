//! The limit of time of a review.

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body::{Body, Frame};
use http_body_util::{Full, StreamBody};
use tokio::sync::watch;

use super::*;
use crate::admission::{limits, server::Reviewer};

fn reviewer(patience: Duration) -> Arc<Reviewer> {
    let bases = watch::Sender::new(Some(basis(&[]))).subscribe();
    let metrics = Metrics::new(&Registry::new()).unwrap();
    Arc::new(Reviewer::new(Arc::new(Options::default()), bases, metrics, patience))
}

async fn status(
    reviewer: &Arc<Reviewer>,
    body: impl Body<Data = Bytes, Error = std::convert::Infallible>,
) -> StatusCode {
    let request = Request::post("/networking/v1/ingresses").body(body).unwrap();
    Arc::clone(reviewer).answer(request).await.unwrap().status()
}

fn good() -> Full<Bytes> {
    Full::new(Bytes::from(request("CREATE", &ingress("a", "a.example", "/", 1)).to_string()))
}

/// It gave back what it had taken.
fn is_idle(reviewer: &Reviewer) -> bool {
    (reviewer.places.available_permits(), reviewer.room.available_permits())
        == (limits::REVIEWS, limits::ROOM_KIB as usize)
}

const SHORT: Duration = Duration::from_millis(20);

#[tokio::test]
async fn a_body_that_does_not_come_ends_a_review() {
    let reviewer = reviewer(SHORT);
    let never = futures_util::stream::pending::<Result<Frame<Bytes>, std::convert::Infallible>>();
    assert_eq!(status(&reviewer, StreamBody::new(never)).await, StatusCode::GATEWAY_TIMEOUT);
    assert!(is_idle(&reviewer));
}

#[tokio::test]
async fn so_does_a_turn_that_does_not_come() {
    let reviewer = reviewer(SHORT);
    let turn = reviewer.pending.lock().await;
    assert_eq!(status(&reviewer, good()).await, StatusCode::GATEWAY_TIMEOUT);
    assert!(is_idle(&reviewer));
    drop(turn);
}

#[tokio::test]
async fn a_review_in_time_has_a_verdict() {
    assert_eq!(status(&reviewer(limits::REVIEW), good()).await, StatusCode::OK);
}
