//! Sessions that we keep, for clients to take up again without tickets.

use std::{fmt, sync::Arc, time::Duration};

use rustls::{
    pki_types::UnixTime,
    server::{ServerSessionMemoryCache, StoresServerSessions},
};

use super::resumption::Audience;

/// Bytes of a session that is kept: one holds the client's certificates, and memory is to be bounded. Who has more does full
/// handshakes.
const MOST: usize = 2 << 10;

/// Bytes of the time that stands before each session.
const STAMP: usize = size_of::<u64>();

/// Sessions of one audience in a cache that all share, so that many audiences take no more memory than one. They end
/// after a time.
pub struct Sessions {
    cache: Arc<ServerSessionMemoryCache>,
    audience: Audience,
    lifetime: u64,
}

impl Sessions {
    /// Keeps sessions in `cache` for `lifetime`.
    pub fn new(cache: Arc<ServerSessionMemoryCache>, audience: Audience, lifetime: Duration) -> Self {
        Self { cache, audience, lifetime: lifetime.as_secs() }
    }

    /// No two audiences have a key in common: the library's own are all of one length.
    fn key(&self, key: &[u8]) -> Vec<u8> {
        [key, self.audience.as_bytes()].concat()
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
        value.len() <= MOST && self.cache.put(self.key(&key), Self::stamped(UnixTime::now().as_secs(), &value))
    }

    fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.fresh(UnixTime::now().as_secs(), &self.cache.get(&self.key(key))?)
    }

    fn take(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.fresh(UnixTime::now().as_secs(), &self.cache.take(&self.key(key))?)
    }

    fn can_cache(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use snapshot::{CaBundle, ClientAuth, Origin, VerifyClient};

    use super::*;

    fn sessions(cache: &Arc<ServerSessionMemoryCache>, audience: Audience) -> Sessions {
        Sessions::new(Arc::clone(cache), audience, Duration::from_secs(600))
    }

    #[test]
    fn a_session_ends_with_its_time() {
        let sessions = sessions(&ServerSessionMemoryCache::new(8), Audience::of(None));
        let kept = Sessions::stamped(1000, b"session");
        assert_eq!(sessions.fresh(1599, &kept).unwrap(), b"session");
        assert_eq!(sessions.fresh(1600, &kept), None);
        assert_eq!(sessions.fresh(900, &kept).unwrap(), b"session", "a clock that was set back");
    }

    #[test]
    fn a_session_is_of_its_audience() {
        let bundle = CaBundle {
            origin: Arc::new(Origin::new("Secret", "default", "ca")),
            certs: Vec::new(),
            crls: Vec::new(),
            fingerprint: "".into(),
            tell_names: true,
        };
        let auth = ClientAuth { ca: Arc::new(bundle), verify: VerifyClient::Required, depth: 1 };
        let cache = ServerSessionMemoryCache::new(8);
        let (all, some) = (sessions(&cache, Audience::of(None)), sessions(&cache, Audience::of(Some(&auth))));
        assert!(all.put(b"a".to_vec(), b"b".to_vec()));
        assert_eq!((some.get(b"a"), some.take(b"a")), (None, None));
        assert_eq!(all.take(b"a").unwrap(), b"b");
        assert_eq!(all.take(b"a"), None);
        assert!(!all.put(b"large".to_vec(), vec![0; MOST + 1]) && all.get(b"large").is_none());
    }
}
