//! Session tickets (RFC 5077, RFC 8446 section 4.6.1): sealed under keys that change, so that who steals one opens no
//! older traffic.

use std::{fmt, sync::Arc, time::Duration};

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey},
    hkdf::{HKDF_SHA256, KeyType, Prk, Salt},
};
use rustls::{crypto::GetRandomFailed, pki_types::UnixTime, server::ProducesTickets, ticketer::TicketRotator};
use snapshot::TicketKey;

/// Bytes of a session that goes into a ticket: one holds the client's certificates, and a ticket has to fit a message. Who
/// has more does full handshakes.
const MOST: usize = 16 << 10;

/// Bytes of a key.
const KEY: usize = 32;

/// Tickets that are taken for `lifetime`, under keys of this process alone.
///
/// # Errors
/// There is no randomness.
pub fn own(lifetime: Duration) -> Result<Arc<dyn ProducesTickets>, rustls::Error> {
    // The key before is still taken: a ticket lives for one to two turns of the key.
    let turn = turn(lifetime);
    Ok(Arc::new(TicketRotator::new(u32::try_from(turn).unwrap_or(u32::MAX), fresh)?))
}

/// The same under keys that everybody derives from `key`: replicas take each other's tickets. `purpose` keeps apart what
/// must not be taken for one another.
pub fn shared(lifetime: Duration, key: &TicketKey, purpose: String) -> Arc<dyn ProducesTickets> {
    let root = Salt::new(HKDF_SHA256, b"tidegate session tickets").extract(key.secret());
    Arc::new(Derived { root, purpose, turn: turn(lifetime) })
}

/// Seconds for which one key seals.
fn turn(lifetime: Duration) -> u64 {
    (lifetime.as_secs() / 2).max(1)
}

fn fresh() -> Result<Box<dyn ProducesTickets>, GetRandomFailed> {
    let mut bytes = [0; KEY];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| GetRandomFailed)?;
    Ok(Box::new(Sealed::new(&bytes).ok_or(GetRandomFailed)?))
}

/// Seals with one key: a random nonce, then the ciphertext with its tag.
struct Sealed(RandomizedNonceKey);

impl Sealed {
    fn new(key: &[u8; KEY]) -> Option<Self> {
        RandomizedNonceKey::new(&AES_256_GCM, key).ok().map(Self)
    }

    fn seal(&self, plain: &[u8]) -> Option<Vec<u8>> {
        if plain.len() > MOST {
            return None;
        }
        let mut sealed = plain.to_vec();
        let nonce = self.0.seal_in_place_append_tag(Aad::empty(), &mut sealed).ok()?;
        Some([nonce.as_ref().as_slice(), &sealed].concat())
    }

    fn open(&self, ticket: &[u8]) -> Option<Vec<u8>> {
        let (nonce, sealed) = ticket.split_at_checked(NONCE_LEN)?;
        let mut plain = sealed.to_vec();
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        self.0.open_in_place(nonce, Aad::empty(), &mut plain).ok().map(|plain| plain.to_vec())
    }
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealed")
    }
}

impl ProducesTickets for Sealed {
    fn enabled(&self) -> bool {
        true
    }

    fn lifetime(&self) -> u32 {
        // The rotator around it says it.
        0
    }

    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        self.seal(plain)
    }

    fn decrypt(&self, ticket: &[u8]) -> Option<Vec<u8>> {
        self.open(ticket)
    }
}

/// Seals with the key of the present turn, which every replica derives for itself; opens with that and its neighbours,
/// since clocks differ.
struct Derived {
    root: Prk,
    purpose: String,
    turn: u64,
}

/// How long a derived key is.
struct KeyLength;

impl KeyType for KeyLength {
    fn len(&self) -> usize {
        KEY
    }
}

impl Derived {
    fn key(&self, number: u64) -> Option<Sealed> {
        let mut bytes = [0; KEY];
        let number = number.to_be_bytes();
        let info = [number.as_slice(), self.purpose.as_bytes()];
        self.root.expand(&info, KeyLength).ok()?.fill(&mut bytes).ok()?;
        Sealed::new(&bytes)
    }

    fn seal_at(&self, now: u64, plain: &[u8]) -> Option<Vec<u8>> {
        self.key(now.checked_div(self.turn)?)?.seal(plain)
    }

    fn open_at(&self, now: u64, ticket: &[u8]) -> Option<Vec<u8>> {
        let present = now.checked_div(self.turn)?;
        let numbers = [Some(present), present.checked_sub(1), present.checked_add(1)];
        numbers.into_iter().flatten().find_map(|number| self.key(number)?.open(ticket))
    }
}

impl fmt::Debug for Derived {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Derived").field("purpose", &self.purpose).finish_non_exhaustive()
    }
}

impl ProducesTickets for Derived {
    fn enabled(&self) -> bool {
        true
    }

    fn lifetime(&self) -> u32 {
        u32::try_from(self.turn.saturating_mul(2)).unwrap_or(u32::MAX)
    }

    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        self.seal_at(UnixTime::now().as_secs(), plain)
    }

    fn decrypt(&self, ticket: &[u8]) -> Option<Vec<u8>> {
        self.open_at(UnixTime::now().as_secs(), ticket)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn derived(secret: &[u8], purpose: &str) -> Derived {
        let root = Salt::new(HKDF_SHA256, b"tidegate session tickets").extract(secret);
        Derived { root, purpose: purpose.to_owned(), turn: 300 }
    }

    #[test]
    fn replicas_take_each_others_tickets_for_their_lifetime() {
        let (here, there) = (derived(b"secret", "a"), derived(b"secret", "a"));
        let ticket = here.seal_at(3000, b"session").unwrap();
        for (now, taken) in [(2700, true), (2699, false), (3000, true), (3599, true), (3600, false)] {
            assert_eq!(there.open_at(now, &ticket).is_some(), taken, "{now}");
        }
    }

    #[test]
    fn another_purpose_or_secret_is_another_key() {
        let ticket = derived(b"secret", "a").seal_at(3000, b"session").unwrap();
        assert_eq!(derived(b"secret", "b").open_at(3000, &ticket), None);
        assert_eq!(derived(b"secrets", "a").open_at(3000, &ticket), None);
    }

    #[test]
    fn what_was_touched_is_no_ticket() {
        let tickets = own(Duration::from_secs(600)).unwrap();
        assert_eq!(tickets.lifetime(), 600);
        let ticket = tickets.encrypt(b"session").unwrap();
        assert_eq!(tickets.decrypt(&ticket).unwrap(), b"session");
        for at in 0..ticket.len() {
            let mut touched = ticket.clone();
            touched[at] ^= 1;
            assert_eq!(tickets.decrypt(&touched), None, "{at}");
            assert_eq!(tickets.decrypt(&ticket[..at]), None, "{at}");
        }
        assert_eq!(own(Duration::from_secs(600)).unwrap().decrypt(&ticket), None);
        assert!(tickets.encrypt(&[0; MOST]).is_some() && tickets.encrypt(&[0; MOST + 1]).is_none());
    }
}
