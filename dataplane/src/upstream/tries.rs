//! Which endpoints are tried, and how many.

use std::net::SocketAddr;

use smallvec::SmallVec;
use snapshot::{EndpointSet, Retry};
use tokio::time::Instant;

use crate::balance::RoundRobin;

/// Endpoints that may refuse a connection, or have closed a kept one, without that being a try. Pods that leave together do
/// so together, until the controller has heard of it, and asking the next one costs next to nothing.
const PASSED_OVER: u32 = 10;

/// The tries of one request, or of one connection that is handed on.
#[derive(Debug)]
pub struct Tries {
    /// One is the rule.
    tried: SmallVec<[SocketAddr; 2]>,
    passed_over: u32,
    most: u32,
    until: Option<Instant>,
}

impl Tries {
    /// None yet.
    pub fn new(retry: &Retry) -> Self {
        let until = if retry.timeout.is_zero() { None } else { Instant::now().checked_add(retry.timeout) };
        Self { tried: SmallVec::new(), passed_over: 0, most: retry.tries, until }
    }

    /// An endpoint that was not tried yet, of those that there are now: they may have changed since the last try. Where
    /// there is no other, one that was tried if it may be tried `again`; without a number of tries only one of them, once.
    pub fn next(&mut self, set: &EndpointSet, balance: &RoundRobin, again: bool) -> Option<SocketAddr> {
        let len = set.endpoints.len();
        let again = again && (self.most != 0 || self.tried.len() <= len);
        let index = if self.tried.is_empty() {
            balance.pick(len)
        } else {
            let was_tried = |index: usize| set.endpoints.get(index).is_none_or(|e| self.tried.contains(&e.address));
            balance.pick_except(len, was_tried).or_else(|| if again { balance.pick(len) } else { None })
        };
        let address = set.endpoints.get(index?)?.address;
        self.tried.push(address);
        Some(address)
    }

    /// The endpoint of the last try refused the connection, has left, or had closed a kept connection (nginx counts that as
    /// no try either).
    pub fn pass_over(&mut self) {
        self.passed_over = self.passed_over.saturating_add(1).min(PASSED_OVER);
    }

    /// Whether there was none.
    pub fn is_empty(&self) -> bool {
        self.tried.is_empty()
    }

    /// Whether there may be no other. `Retry::tries` 0 is as many as there are endpoints: [`Self::next`] ends it.
    pub fn is_over(&self) -> bool {
        let most = self.most.saturating_add(self.passed_over);
        let is_used_up = self.most != 0 && u32::try_from(self.tried.len()).is_ok_and(|tried| tried >= most);
        is_used_up || self.until.is_some_and(|until| Instant::now() >= until)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use snapshot::Endpoint;

    use super::*;

    #[test]
    fn without_a_number_of_tries_one_endpoint_is_asked_again_and_only_once() {
        let endpoint = |port| Endpoint { address: SocketAddr::from(([10, 0, 0, 1], port)) };
        let set = EndpointSet { endpoints: [1, 2, 3].map(endpoint).into() };
        let balance = RoundRobin::new(0);
        for (again, tries) in [(false, 3), (true, 4)] {
            let mut all = Tries::new(&Retry { tries: 0, timeout: Duration::ZERO });
            let asked: Vec<_> = std::iter::from_fn(|| all.next(&set, &balance, again)).take(100).collect();
            assert_eq!(asked.len(), tries);
        }
    }
}
