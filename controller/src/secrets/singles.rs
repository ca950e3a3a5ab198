//! Watches of one Secret each.

use std::sync::Arc;

use compile::NamespacedName;
use k8s_openapi::api::core::v1::Secret;
use kube::Client;
use tokio::sync::Semaphore;

use crate::{
    board::Board,
    cycle::Update,
    source::cluster::{self, Watches, Without},
};

/// So many Secrets are asked for at the same time, of those that are asked for once.
const AT_ONCE: usize = 16;

/// Those that are open, by name.
pub(super) struct Singles {
    client: Client,
    watches: Watches<NamespacedName>,
    once: Arc<Semaphore>,
}

impl Singles {
    pub(super) fn new(client: Client, board: Arc<Board>) -> Self {
        Self { client, watches: Watches::new(board), once: Arc::new(Semaphore::new(AT_ONCE)) }
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &NamespacedName> {
        self.watches.names()
    }

    pub(super) fn is_open(&self, name: &NamespacedName) -> bool {
        self.watches.is_open(name)
    }

    /// Watches a Secret. `once`: it will be closed after the first answer, which is why that must be no old one, and waits
    /// until few others are so.
    pub(super) fn open(&mut self, name: NamespacedName, once: bool, without: Without) {
        if self.is_open(&name) {
            return;
        }
        let planned = cluster::one::<Secret>(&self.client, "secret", &name).without(without);
        match once {
            true => self.watches.open(name, planned.consistent(), Some(Arc::clone(&self.once))),
            false => self.watches.open(name, planned, None),
        }
    }

    pub(super) fn close(&mut self, name: &NamespacedName) {
        self.watches.close(name);
    }

    pub(super) fn close_all(&mut self, which: impl Fn(&NamespacedName) -> bool) {
        self.watches.retain(|name| !which(name));
    }

    /// What one of them tells.
    pub(super) async fn next(&mut self) -> (NamespacedName, Update) {
        self.watches.next().await
    }
}
