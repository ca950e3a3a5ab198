//! How sessions are taken up again: what outlives a configuration.

use std::{num::NonZeroU32, sync::Arc};

use ahash::{AHashMap, AHashSet};
use rustls::{
    ServerConfig,
    server::{NoServerSessionStorage, ProducesTickets, ServerSessionMemoryCache},
};
use snapshot::{ClientAuth, Resumption, TicketKey};

use super::{sessions::Sessions, tickets};

/// Whom a session was made with: never taken up by any other.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Audience(Option<String>);

impl Audience {
    /// Those who were asked for certificates like this; none: those who were not asked.
    pub fn of(auth: Option<&ClientAuth>) -> Self {
        Self(auth.map(|ClientAuth { ca, verify, depth }| format!("{} {verify:?} {depth}", ca.origin)))
    }

    /// What tells it from all others.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_deref().unwrap_or_default().as_bytes()
    }
}

/// How sessions are resumed, and with whom.
pub type Kept = (Resumption, Audience);

/// Ticket keys and sessions, for all listeners, workers and configurations, so that a change costs no handshakes; but
/// apart for each way to authenticate clients, so that a session made where no certificate is needed opens nothing
/// where one is.
#[derive(Default)]
pub struct Resumptions {
    kept: AHashMap<Kept, Means>,
    key: Option<TicketKey>,
    /// Sessions of all audiences, and how many it may hold.
    cache: Option<(NonZeroU32, Arc<ServerSessionMemoryCache>)>,
}

#[derive(Clone)]
enum Means {
    Off,
    Tickets(Arc<dyn ProducesTickets>),
    Sessions(Arc<Sessions>),
}

impl Resumptions {
    /// Another key ends all tickets. Returns whether it is another one.
    pub fn set_key(&mut self, key: Option<&TicketKey>) -> bool {
        let changed = self.key.as_ref() != key;
        if changed {
            self.key = key.cloned();
            self.kept.clear();
        }
        changed
    }

    /// Makes a configuration resume sessions as `how` says.
    ///
    /// # Errors
    /// There is no randomness.
    pub fn apply(
        &mut self,
        how: Resumption,
        audience: &Audience,
        config: &mut ServerConfig,
    ) -> Result<(), rustls::Error> {
        config.session_storage = Arc::new(NoServerSessionStorage {});
        match self.means(how, audience)? {
            Means::Off => config.send_tls13_tickets = 0,
            Means::Tickets(tickets) => config.ticketer = tickets,
            Means::Sessions(sessions) => config.session_storage = sessions,
        }
        Ok(())
    }

    /// Forgets what is not `wanted` any more.
    pub fn sweep(&mut self, wanted: &AHashSet<Kept>) {
        self.kept.retain(|kept, _| wanted.contains(kept));
        self.cache = self.cache.take().filter(|(_, cache)| Arc::strong_count(cache) > 1);
    }

    fn means(&mut self, how: Resumption, audience: &Audience) -> Result<Means, rustls::Error> {
        let key = (how, audience.clone());
        if let Some(means) = self.kept.get(&key) {
            return Ok(means.clone());
        }
        let means = match (how, &self.key) {
            (Resumption::Off, _) => Means::Off,
            (Resumption::Tickets { lifetime }, None) => Means::Tickets(tickets::own(lifetime)?),
            (Resumption::Tickets { lifetime }, Some(key)) => {
                Means::Tickets(tickets::shared(lifetime, key, audience.0.clone().unwrap_or_default()))
            }
            (Resumption::Sessions { most, lifetime }, _) => {
                Means::Sessions(Arc::new(Sessions::new(self.cache(most), audience.clone(), lifetime)))
            }
        };
        self.kept.insert(key, means.clone());
        Ok(means)
    }

    fn cache(&mut self, most: NonZeroU32) -> Arc<ServerSessionMemoryCache> {
        match &self.cache {
            Some((room, cache)) if *room == most => Arc::clone(cache),
            _ => {
                let cache = ServerSessionMemoryCache::new(usize::try_from(most.get()).unwrap_or(usize::MAX));
                self.cache = Some((most, Arc::clone(&cache)));
                cache
            }
        }
    }
}
