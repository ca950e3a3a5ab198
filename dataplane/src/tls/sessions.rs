//! Sessions that we keep, for clients to take up again without tickets.

use std::{fmt, sync::Arc, time::Duration};

use rustls::{
    pki_types::UnixTime,
    server::{ServerSessionMemoryCache, StoresServerSessions},
};

/// Bytes of the time that stands before each session.
const STAMP: usize = size_of::<u64>();

/// A cache in memory, shared by all workers, whose sessions end after a time.
pub struct Sessions {
    cache: Arc<ServerSessionMemoryCache>,
    lifetime: u64,
}

impl Sessions {
    /// Keeps `most` sessions, the latest ones, for `lifetime`.
    pub fn new(most: u32, lifetime: Duration) -> Self {
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        Self { cache: ServerSessionMemoryCache::new(most), lifetime: lifetime.as_secs() }
    }

    fn stamped(now: u64, value: &[u8]) -> Vec<u8> {
        [now.to_be_bytes().as_slice(), value].concat()
    }

    fn fresh(&self, now: u64, stamped: &[u8]) -> Option<Vec<u8>> {
        let (stamp, value) = stamped.split_first_chunk::<STAMP>()?;
        let age = now.saturating_sub(u64::from_be_bytes(*stamp));
        (age < self.lifetime).then(|| value.to_vec())
    }
}

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sessions").finish_non_exhaustive()
    }
}

impl StoresServerSessions for Sessions {
    fn put(&self, key: Vec<u8>, value: Vec<u8>) -> bool {
        self.cache.put(key, Self::stamped(UnixTime::now().as_secs(), &value))
    }

    fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.fresh(UnixTime::now().as_secs(), &self.cache.get(key)?)
    }

    fn take(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.fresh(UnixTime::now().as_secs(), &self.cache.take(key)?)
    }

    fn can_cache(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_ends_with_its_time() {
        let sessions = Sessions::new(8, Duration::from_secs(600));
        let kept = Sessions::stamped(1000, b"session");
        assert_eq!(sessions.fresh(1599, &kept).unwrap(), b"session");
        assert_eq!(sessions.fresh(1600, &kept), None);
        assert_eq!(sessions.fresh(900, &kept).unwrap(), b"session", "a clock that was set back");
        assert!(sessions.put(b"a".to_vec(), b"b".to_vec()));
        assert_eq!(sessions.take(b"a").unwrap(), b"b");
        assert_eq!(sessions.take(b"a"), None);
    }
}
