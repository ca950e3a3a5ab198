//! What lasts is logged once: most changes are of endpoints alone, many a minute, and say it again each time.

use std::{collections::BTreeSet, net::SocketAddr};

use snapshot::Rejection;

/// What was logged last, and still is so.
#[derive(Debug, Default)]
pub(super) struct Said {
    rejected: Vec<Rejection>,
    skipped: BTreeSet<SocketAddr>,
}

impl Said {
    /// These items cannot be used. Returns those that are to be logged.
    pub(super) fn rejected(&mut self, now: &[Rejection]) -> Vec<Rejection> {
        if now == self.rejected {
            return Vec::new();
        }
        let new = now.iter().filter(|rejection| !self.rejected.contains(rejection)).cloned().collect();
        self.rejected = now.to_vec();
        new
    }

    /// These addresses are skipped. Returns those that are to be logged.
    pub(super) fn skipped(&mut self, now: BTreeSet<SocketAddr>) -> Vec<SocketAddr> {
        let new = now.difference(&self.skipped).copied().collect();
        self.skipped = now;
        new
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use snapshot::Origin;

    use super::*;

    #[test]
    fn what_lasts_is_said_once() {
        let one = |name: &str| Rejection::new(Arc::new(Origin::new("Service", "default", name)), "taken");
        let mut said = Said::default();
        assert_eq!(said.rejected(&[one("a")]), [one("a")]);
        assert_eq!(said.rejected(&[one("a")]), []);
        assert_eq!(said.rejected(&[one("b"), one("a")]), [one("b")]);
        assert_eq!(said.rejected(&[]), []);
        assert_eq!(said.rejected(&[one("a")]), [one("a")]);
        let (v6, other): (SocketAddr, SocketAddr) = ("[::]:80".parse().unwrap(), "[::]:443".parse().unwrap());
        assert_eq!(said.skipped([v6].into()), [v6]);
        assert_eq!(said.skipped([v6, other].into()), [other]);
        assert_eq!(said.skipped([v6, other].into()), []);
    }
}
