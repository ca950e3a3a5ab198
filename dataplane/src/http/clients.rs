//! How many connections each client has, over all workers.

use std::{
    net::{IpAddr, Ipv6Addr},
    num::NonZeroU32,
    sync::{Arc, Mutex, PoisonError},
};

use ahash::{AHashMap, RandomState};

/// Parts of the table. Two workers seldom need the same one at the same time.
const PARTS: usize = 64;

/// The table. Only clients with a connection are in it.
#[derive(Debug, Clone)]
pub struct Clients(Arc<Table>);

#[derive(Debug)]
struct Table {
    hasher: RandomState,
    parts: [Mutex<AHashMap<IpAddr, u32>>; PARTS],
}

impl Default for Clients {
    fn default() -> Self {
        let parts = std::array::from_fn(|_| Mutex::default());
        Self(Arc::new(Table { hasher: RandomState::new(), parts }))
    }
}

impl Clients {
    /// Counts a connection of the client at `address` until what is returned is dropped; none where the client has
    /// `most` already.
    pub fn enter(&self, address: IpAddr, most: NonZeroU32) -> Option<Seen> {
        let client = client(address);
        let entered = self.0.with(client, |counts| {
            let count = counts.entry(client).or_default();
            let has_room = *count < most.get();
            *count += u32::from(has_room);
            has_room
        });
        entered.unwrap_or(false).then(|| Seen { clients: self.clone(), client })
    }
}

impl Table {
    fn with<T>(&self, client: IpAddr, change: impl FnOnce(&mut AHashMap<IpAddr, u32>) -> T) -> Option<T> {
        let part = usize::try_from(self.hasher.hash_one(client)).unwrap_or_default() % PARTS;
        let mut counts = self.parts.get(part)?.lock().unwrap_or_else(PoisonError::into_inner);
        Some(change(&mut counts))
    }
}

/// Who counts as one: an address; of IPv6 the network of 64 bits, since that is what one client gets (RFC 7421).
fn client(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        v4 => v4,
    }
}

/// A client's connection that is counted.
#[derive(Debug)]
pub struct Seen {
    clients: Clients,
    client: IpAddr,
}

impl Drop for Seen {
    fn drop(&mut self) {
        self.clients.0.with(self.client, |counts| {
            let left = counts.get(&self.client).map_or(0, |count| count.saturating_sub(1));
            if left == 0 {
                counts.remove(&self.client);
            } else {
                counts.insert(self.client, left);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(clients: &Clients) -> usize {
        clients.0.parts.iter().map(|part| part.lock().unwrap().len()).sum()
    }

    #[test]
    fn counts_until_the_last_has_ended() {
        let (clients, two) = (Clients::default(), NonZeroU32::new(2).unwrap());
        let enter = |address: &str| clients.enter(address.parse().unwrap(), two);
        let mut held = vec![enter("192.0.2.1"), enter("::ffff:192.0.2.1")];
        assert!(held.iter().all(Option::is_some));
        assert!(enter("192.0.2.1").is_none());
        assert!(enter("192.0.2.2").is_some());
        held.pop();
        held.push(enter("192.0.2.1"));
        assert!(held[1].is_some());
        drop(held);
        assert_eq!(entries(&clients), 0);
    }

    #[test]
    fn a_network_of_ipv6_is_one_client() {
        let (clients, one) = (Clients::default(), NonZeroU32::MIN);
        let _held = clients.enter("2001:db8::1".parse().unwrap(), one).unwrap();
        assert!(clients.enter("2001:db8::ffff".parse().unwrap(), one).is_none());
        assert!(clients.enter("2001:db8:0:1::1".parse().unwrap(), one).is_some());
    }
}
