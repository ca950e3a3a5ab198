//! Watches of one Secret each.

use std::{collections::BTreeMap, sync::Arc};

use compile::NamespacedName;
use k8s_openapi::api::core::v1::Secret;
use kube::Client;
use tokio::{
    sync::{Semaphore, mpsc, oneshot},
    task::JoinSet,
};

use crate::{board::Board, cycle::Update, source::cluster};

/// So many Secrets are asked for at the same time, of those that are asked for once.
const AT_ONCE: usize = 16;

/// Updates that wait.
const UPDATES: usize = 64;

/// Those that are open, by name.
pub(super) struct Singles {
    client: Client,
    board: Arc<Board>,
    /// Dropping one ends its watch.
    open: BTreeMap<NamespacedName, oneshot::Sender<()>>,
    tasks: JoinSet<()>,
    once: Arc<Semaphore>,
    updates: mpsc::Sender<(NamespacedName, Update)>,
    inbox: mpsc::Receiver<(NamespacedName, Update)>,
}

impl Singles {
    pub(super) fn new(client: Client, board: Arc<Board>) -> Self {
        let (updates, inbox) = mpsc::channel(UPDATES);
        let once = Arc::new(Semaphore::new(AT_ONCE));
        Self { client, board, open: BTreeMap::new(), tasks: JoinSet::new(), once, updates, inbox }
    }

    pub(super) fn len(&self) -> usize {
        self.open.len()
    }

    pub(super) fn is_open(&self, name: &NamespacedName) -> bool {
        self.open.contains_key(name)
    }

    /// Watches a Secret. `once`: it will be closed after the first answer, which is why that must be no old one, and waits
    /// until few others are so.
    pub(super) fn open(&mut self, name: NamespacedName, once: bool) {
        if self.is_open(&name) {
            return;
        }
        while self.tasks.try_join_next().is_some() {}
        let (stop, stopped) = oneshot::channel();
        let planned = cluster::one::<Secret>(&self.client, "secret", &name);
        let planned = if once { planned.consistent() } else { planned };
        let permits = once.then(|| Arc::clone(&self.once));
        let (board, updates) = (Arc::clone(&self.board), self.updates.clone());
        self.open.insert(name.clone(), stop);
        self.tasks.spawn(async move {
            let list = planned.list.clone();
            let (sender, mut told) = mpsc::channel(1);
            let follow = async {
                let _permit = match permits {
                    Some(permits) => permits.acquire_owned().await.ok(),
                    None => None,
                };
                planned.run(sender, Arc::clone(&board)).await;
            };
            let tell = async {
                while let Some(update) = told.recv().await {
                    if updates.send((name.clone(), update)).await.is_err() {
                        break;
                    }
                }
            };
            tokio::select! {
                _ = stopped => {}
                ((), ()) = async { tokio::join!(follow, tell) } => {}
            }
            cluster::forget(&board, &list);
        });
    }

    pub(super) fn close(&mut self, name: &NamespacedName) {
        self.open.remove(name);
    }

    pub(super) fn close_all(&mut self, which: impl Fn(&NamespacedName) -> bool) {
        self.open.retain(|name, _| !which(name));
    }

    /// What one of them tells; also one that was closed meanwhile.
    pub(super) async fn next(&mut self) -> (NamespacedName, Update) {
        match self.inbox.recv().await {
            Some(told) => told,
            // We hold a sender ourselves, so that this does not happen.
            None => std::future::pending().await,
        }
    }
}
