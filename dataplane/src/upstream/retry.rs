//! Which endpoint, and whether another one.

use std::{net::SocketAddr, sync::Arc};

use smallvec::SmallVec;
use snapshot::{Retry, Timeouts};
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
    let mut tries = Tries::new(&forward.retry);
    let mut failure = Failure::from(Cause::NoEndpoint);
    while let Some(address) = tries.next(&forward.upstream, &failure) {
        caller.ticket.begin_try(address);
        failure = match attempt(caller, exchange, forward, address).await {
            Ok(answered) => return Ok(answered),
            Err(cause) => cause.into(),
        };
        caller.ticket.fail_try(&failure);
        tracing::debug!(%address, %failure, "try failed");
        if !tries.may_go_on(&failure, exchange) {
            break;
        }
    }
    Err(failure)
}

/// Endpoints that may refuse a request's connection without that being a try. Pods that leave together refuse together,
/// until the controller has heard of it, and asking the next one costs next to nothing.
const REFUSALS: u32 = 10;

/// The tries of one request.
struct Tries {
    /// One is the rule.
    tried: SmallVec<[SocketAddr; 2]>,
    refusals: u32,
    most: u32,
    until: Option<Instant>,
}

impl Tries {
    fn new(retry: &Retry) -> Self {
        let until = if retry.timeout.is_zero() { None } else { Instant::now().checked_add(retry.timeout) };
        Self { tried: SmallVec::new(), refusals: 0, most: retry.tries, until }
    }

    /// An endpoint that was not tried yet, of those that there are now: they may have changed since the last try.
    /// One that closed its connection may be asked once more where there is no other: a re-used connection can end at
    /// any time without its endpoint being unwell.
    fn next(&mut self, upstream: &LiveUpstream, last: &Failure) -> Option<SocketAddr> {
        let set = upstream.endpoints();
        let len = set.endpoints.len();
        let index = if self.tried.is_empty() {
            upstream.balance.pick(len)
        } else {
            let was_tried = |index: usize| set.endpoints.get(index).is_none_or(|e| self.tried.contains(&e.address));
            let again = || if last.cause == Cause::Closed { upstream.balance.pick(len) } else { None };
            upstream.balance.pick_except(len, was_tried).or_else(again)
        };
        let address = set.endpoints.get(index?)?.address;
        self.tried.push(address);
        Some(address)
    }

    fn may_go_on(&mut self, failure: &Failure, exchange: &Exchange) -> bool {
        if matches!(failure.cause, Cause::Connect | Cause::Left) {
            self.refusals = self.refusals.saturating_add(1).min(REFUSALS);
        }
        let safe = match failure.retry {
            RetryIf::Never => false,
            RetryIf::Untouched => !matches!(exchange.body, RequestBody::Gone),
            RetryIf::Idempotent => exchange.is_repeatable(),
        };
        safe && !self.is_used_up() && self.until.is_none_or(|until| Instant::now() < until)
    }

    /// 0 is as many as there are endpoints: [`Self::next`] ends it.
    fn is_used_up(&self) -> bool {
        let most = self.most.saturating_add(self.refusals);
        self.most != 0 && u32::try_from(self.tried.len()).is_ok_and(|tried| tried >= most)
    }
}
