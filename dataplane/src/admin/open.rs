//! The open connections of the admin port, of which there are always few.

use std::{
    cmp::Reverse,
    collections::HashMap,
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Instant,
};

use tokio::task::{AbortHandle, Id};

/// When a connection was last of use: when it was accepted, or a request came.
#[derive(Debug, Clone)]
pub struct Used {
    epoch: Instant,
    at: Arc<AtomicU64>,
}

impl Used {
    /// A request came.
    pub fn now(&self) {
        self.at.store(u64::try_from(self.epoch.elapsed().as_nanos()).unwrap_or(u64::MAX), Relaxed);
    }
}

/// The connections.
#[derive(Debug)]
pub struct Open {
    epoch: Instant,
    connections: HashMap<Id, Connection>,
}

#[derive(Debug)]
struct Connection {
    client: IpAddr,
    used: Used,
    task: AbortHandle,
}

impl Open {
    /// None yet.
    pub fn new() -> Self {
        Self { epoch: Instant::now(), connections: HashMap::new() }
    }

    /// For a connection that was accepted just now.
    pub fn used(&self) -> Used {
        let used = Used { epoch: self.epoch, at: Arc::default() };
        used.now();
        used
    }

    /// One more, of `client`.
    pub fn add(&mut self, client: IpAddr, used: Used, task: AbortHandle) {
        self.connections.insert(task.id(), Connection { client, used, task });
    }

    /// It has ended.
    pub fn remove(&mut self, id: Id) {
        self.connections.remove(&id);
    }

    /// Makes room where there are `most`: of the client that has most of them, the one is closed that was of no use for
    /// longest. So nobody who holds connections open keeps a probe out.
    pub fn make_room(&mut self, most: usize) {
        while self.connections.len() >= most {
            let Some(id) = self.least_useful() else { return };
            if let Some(connection) = self.connections.remove(&id) {
                tracing::debug!(client = %connection.client, "too many connections to the admin port: one is closed");
                connection.task.abort();
            }
        }
    }

    fn least_useful(&self) -> Option<Id> {
        let mut of_client = HashMap::<IpAddr, usize>::new();
        for connection in self.connections.values() {
            let count = of_client.entry(connection.client).or_default();
            *count = count.saturating_add(1);
        }
        let rank = |connection: &Connection| {
            (of_client.get(&connection.client).copied(), Reverse(connection.used.at.load(Relaxed)))
        };
        self.connections.iter().max_by_key(|(_, connection)| rank(connection)).map(|(id, _)| *id)
    }
}
