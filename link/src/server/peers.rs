//! Who may connect.

use std::collections::BTreeSet;

use tokio::net::UnixStream;

/// The users whose processes may be the data plane: what it is sent holds private keys.
#[derive(Debug, Clone)]
pub struct Peers(BTreeSet<u32>);

impl Peers {
    /// Our own user, root, and these.
    pub fn new(more: impl IntoIterator<Item = u32>) -> Self {
        let own = rustix::process::geteuid().as_raw();
        Self(more.into_iter().chain([own, 0]).collect())
    }

    /// Asks the kernel who is at the other end (`SO_PEERCRED`, unix(7)).
    pub(super) fn check(&self, stream: &UnixStream) -> Result<(), String> {
        let user = stream.peer_cred().map_err(|error| format!("its user is unknown: {error}"))?.uid();
        if self.0.contains(&user) {
            return Ok(());
        }
        Err(format!("its user {user} may not connect (--socket-peer-uid)"))
    }
}
