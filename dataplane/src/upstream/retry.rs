//! Which endpoint, and whether another one.

use std::{net::SocketAddr, sync::Arc};

use snapshot::{Retry, Timeouts};

use super::{
    LiveUpstream, Tries,
    send::{Answered, Caller, attempt},
};
use crate::exchange::{Cause, Exchange, Failure, RequestBody, RetryIf};

/// A route's way to its backend.
#[derive(Debug)]
pub struct LiveForward {
    /// The backend.
    pub upstream: Arc<LiveUpstream>,
    /// How long each step may take.
    pub timeouts: Timeouts,
    /// When another endpoint is tried.
    pub retry: Retry,
}

/// Gets an answer from one endpoint or another.
///
/// # Errors
/// No endpoint answered, and another try is not safe or not allowed.
pub async fn forward(
    caller: &mut Caller<'_>,
    exchange: &mut Exchange,
    forward: &LiveForward,
) -> Result<Answered, Failure> {
    let mut tries = Tries::new(&forward.retry);
    let mut failure = Failure::from(Cause::NoEndpoint);
    while let Some(address) = next(&mut tries, &forward.upstream, &failure) {
        caller.ticket.begin_try(address);
        failure = match attempt(caller, exchange, forward, address).await {
            Ok(answered) => return Ok(answered),
            Err(cause) => cause.into(),
        };
        caller.ticket.fail_try(&failure);
        tracing::debug!(%address, %failure, "try failed");
        if !may_go_on(&mut tries, &failure, exchange) {
            break;
        }
    }
    Err(failure)
}

/// An endpoint that closed its connection may be asked once more where there is no other: a re-used connection can end
/// at any time without its endpoint being unwell. So may one that did not come to the request.
fn next(tries: &mut Tries, upstream: &LiveUpstream, last: &Failure) -> Option<SocketAddr> {
    let again = matches!(last.cause, Cause::Closed | Cause::Stale | Cause::Refused);
    tries.next(&upstream.endpoints(), &upstream.balance, again)
}

fn may_go_on(tries: &mut Tries, failure: &Failure, exchange: &Exchange) -> bool {
    if matches!(failure.cause, Cause::Connect | Cause::Left | Cause::Stale) {
        tries.pass_over();
    }
    let safe = match failure.retry {
        RetryIf::Never => false,
        RetryIf::Untouched => !matches!(exchange.body, RequestBody::Gone),
        RetryIf::Idempotent => exchange.is_repeatable(),
    };
    safe && !tries.is_over()
}
