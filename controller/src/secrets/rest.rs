//! The watch of all Secrets of other types.

use std::{future, sync::Arc};

use tokio::{sync::mpsc, task::JoinSet};

use crate::{
    board::Board,
    cycle::Update,
    source::cluster::{self, Planned},
};

/// Updates that wait.
const UPDATES: usize = 16;

/// It ends when it is dropped.
pub(super) struct Rest {
    list: String,
    board: Arc<Board>,
    updates: mpsc::Receiver<Update>,
    listed: bool,
    _task: JoinSet<()>,
}

impl Rest {
    pub(super) fn watch(planned: Planned, board: &Arc<Board>) -> Self {
        let (sender, updates) = mpsc::channel(UPDATES);
        let (list, board) = (planned.list.clone(), Arc::clone(board));
        let mut task = JoinSet::new();
        task.spawn(planned.run(sender, Arc::clone(&board)));
        Self { list, board, updates, listed: false, _task: task }
    }

    /// Whether it has told of all of them.
    pub(super) fn is_listed(&self) -> bool {
        self.listed
    }

    pub(super) fn listed(&mut self) {
        self.listed = true;
    }

    pub(super) fn close(self) {
        let Self { list, board, updates, listed: _, _task: task } = self;
        drop((updates, task));
        cluster::forget(&board, &list);
    }
}

/// What it tells; nothing while there is none.
pub(super) async fn next(rest: &mut Option<Rest>) -> Update {
    let told = match rest {
        Some(rest) => rest.updates.recv().await,
        None => None,
    };
    match told {
        Some(update) => update,
        None => future::pending().await,
    }
}
