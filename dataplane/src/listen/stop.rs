//! How a socket is told to close.

use std::cell::Cell;

use tokio::sync::Notify;

/// Tells one socket's task to take what waits and to end.
#[derive(Debug, Default)]
pub struct Stop {
    told: Notify,
    leaving: Cell<bool>,
}

impl Stop {
    /// The address is not served any more.
    pub fn close(&self) {
        self.told.notify_one();
    }

    /// The worker is to leave: what came by the socket ends with it, and not with the socket.
    pub fn leave(&self) {
        self.leaving.set(true);
        self.told.notify_one();
    }

    /// Waits until it is told. Returns whether the worker is to leave.
    pub async fn told(&self) -> bool {
        self.told.notified().await;
        self.leaving.get()
    }
}
