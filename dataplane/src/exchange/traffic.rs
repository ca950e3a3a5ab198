//! Whether an HTTP/2 connection is used for requests, or to keep us busy.
//!
//! Every frame is allowed by itself; what gives a flood away is that little comes of it. So it takes no list of kinds
//! of floods: pings, settings, priorities, window updates, empty frames and resets are all bytes without a message.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

/// How many bytes of frames may pass for each byte of a message, as in nginx.
const OVERHEAD: u64 = 8;

/// Bytes of messages that every connection is given in advance: a ping every ten seconds is worth two weeks.
const ADVANCE: u64 = 256 << 10;

/// As many requests may be taken back before their answers, whatever share of all they are.
const TAKEN_BACK: u32 = 256;

/// What came over an HTTP/2 connection, and what of it was of use.
#[derive(Debug, Default)]
pub struct Traffic {
    received: AtomicU64,
    useful: AtomicU64,
    requests: AtomicU32,
    taken_back: AtomicU32,
}

impl Traffic {
    /// Bytes came from the client.
    pub fn received(&self, bytes: usize) {
        self.received.fetch_add(u64::try_from(bytes).unwrap_or(u64::MAX), Relaxed);
    }

    /// Bytes of a request or an answer passed.
    pub fn used(&self, bytes: u64) {
        self.useful.fetch_add(bytes, Relaxed);
    }

    /// A request came.
    pub fn request(&self) {
        self.requests.fetch_add(1, Relaxed);
    }

    /// The client took a request back before the head of its answer.
    pub fn taken_back(&self) {
        self.taken_back.fetch_add(1, Relaxed);
    }

    /// Whether this is no use of the protocol that anybody needs.
    pub fn is_flood(&self) -> bool {
        let taken_back = self.taken_back.load(Relaxed);
        let resets = taken_back > TAKEN_BACK && taken_back > self.requests.load(Relaxed) / 2;
        resets || self.received.load(Relaxed) / OVERHEAD > self.useful.load(Relaxed).saturating_add(ADVANCE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_without_messages_are_a_flood() {
        let traffic = Traffic::default();
        traffic.received(2 << 20);
        assert!(!traffic.is_flood());
        traffic.received(1 << 20);
        assert!(traffic.is_flood());
        traffic.used(1 << 20);
        assert!(!traffic.is_flood());
    }

    #[test]
    fn requests_that_are_mostly_taken_back_are_a_flood() {
        let traffic = Traffic::default();
        for _ in 0..300 {
            traffic.request();
            traffic.taken_back();
        }
        assert!(traffic.is_flood());
        for _ in 0..300 {
            traffic.request();
        }
        assert!(!traffic.is_flood());
    }
}
