//! How long the other end may take.

use std::time::Duration;

/// Time limits of both ends.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// From connecting to the other end's first message.
    pub hello: Duration,
    /// Between two parts of a push that has begun; and how long the other end may take none of what is sent.
    pub step: Duration,
    /// From the end of a push to the report of its fate: much is built, and names are looked up, in between.
    pub answer: Duration,
    /// How long a data plane that holds a snapshot from before waits for a controller, before it serves that one.
    pub start: Duration,
    /// How long a data plane waits before it tries again to serve a first snapshot that it had to refuse: a port may have
    /// become free.
    pub retry: Duration,
    /// How long what was logged is not logged again where nothing changed.
    pub again: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            hello: Duration::from_secs(5),
            step: Duration::from_secs(30),
            answer: Duration::from_secs(60),
            start: Duration::from_millis(250),
            retry: Duration::from_secs(2),
            again: Duration::from_secs(600),
        }
    }
}
