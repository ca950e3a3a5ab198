//! Connections whose bytes are handed on: they have no request at whose end they could leave.

use tokio::sync::watch;

/// Those of one worker. Where they cannot be waited for any longer they are cut, and still say what they were like.
#[derive(Debug, Default)]
pub struct Sessions(watch::Sender<bool>);

/// One of them.
#[derive(Debug)]
pub struct Session(watch::Receiver<bool>);

impl Sessions {
    /// One begins; it has ended when what is returned is dropped.
    pub fn begin(&self) -> Session {
        Session(self.0.subscribe())
    }

    /// Tells all of them that they are to end at once, and waits until they have.
    pub async fn cut(&self) {
        self.0.send_replace(true);
        self.0.closed().await;
    }
}

impl Session {
    /// Waits until it is to end at once.
    pub async fn cut(&mut self) {
        // Who could say so is there for as long as the worker is.
        self.0.wait_for(|cut| *cut).await.ok();
    }
}
