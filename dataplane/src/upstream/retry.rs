//! Which endpoint, and whether another one.

use std::sync::Arc;

use snapshot::{EndpointSet, Retry, Timeouts};
use tokio::time::Instant;

use super::{
    LiveUpstream,
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
    let set = forward.upstream.endpoints();
    let mut tries = Tries::new(&set, &forward.retry);
    loop {
        let Some(endpoint) = tries.next(forward) else { return Err(Cause::NoEndpoint.into()) };
        caller.ticket.begin_try(endpoint.address);
        let failure = match attempt(caller, exchange, forward, endpoint.address).await {
            Ok(answered) => return Ok(answered),
            Err(cause) => Failure::from(cause),
        };
        caller.ticket.fail_try(&failure);
        tracing::debug!(address = %endpoint.address, %failure, "try failed");
        if !tries.may_go_on(&failure, exchange) {
            return Err(failure);
        }
    }
}

/// The tries at one set of endpoints.
struct Tries<'a> {
    set: &'a EndpointSet,
    tried: Vec<usize>,
    left: u32,
    until: Option<Instant>,
}

impl<'a> Tries<'a> {
    fn new(set: &'a EndpointSet, retry: &Retry) -> Self {
        let all = u32::try_from(set.endpoints.len()).unwrap_or(u32::MAX);
        let left = if retry.tries == 0 { all } else { retry.tries };
        let until = if retry.timeout.is_zero() { None } else { Instant::now().checked_add(retry.timeout) };
        Self { set, tried: Vec::new(), left, until }
    }

    /// Another endpoint than those tried; where all were, one of them again: it may have been a passing fault.
    fn next(&mut self, forward: &LiveForward) -> Option<snapshot::Endpoint> {
        let (balance, len) = (&forward.upstream.balance, self.set.endpoints.len());
        let fresh = if self.tried.is_empty() {
            balance.pick(len)
        } else {
            balance.pick_except(len, |index| self.tried.contains(&index))
        };
        let index = fresh.or_else(|| balance.pick(len))?;
        self.tried.push(index);
        self.left = self.left.saturating_sub(1);
        self.set.endpoints.get(index).copied()
    }

    fn may_go_on(&self, failure: &Failure, exchange: &Exchange) -> bool {
        let safe = match failure.retry {
            RetryIf::Never => false,
            RetryIf::Untouched => !matches!(exchange.body, RequestBody::Gone),
            RetryIf::Idempotent => exchange.is_repeatable(),
        };
        safe && self.left > 0 && self.until.is_none_or(|until| Instant::now() < until)
    }
}
