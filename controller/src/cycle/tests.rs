//! A compile that does not end.

use std::{
    collections::HashMap,
    sync::mpsc::{Receiver, channel},
};

use compile::Options;
use tokio::sync::watch;

use super::*;

/// A cycle whose compile ends when something is sent, and is overdue.
fn hanging(end: Receiver<()>) -> (Cycle, Arc<Board>) {
    let (board, snapshots) = (Board::new(), watch::Sender::new(None));
    let (metrics, _) = Metrics::new(HashMap::new(), &board, &snapshots).unwrap();
    let parts = Parts {
        asking: Asking::default(),
        options: Options::default(),
        publisher: Publisher::new(snapshots),
        board: Arc::clone(&board),
        metrics,
        progress: mpsc::unbounded_channel().0,
        bases: None,
    };
    let mut cycle = Cycle::new(parts, BTreeSet::new());
    cycle.compiling.spawn_blocking(move || {
        end.recv().ok();
        Outcome::Wanting(BTreeSet::new(), Memo::default())
    });
    cycle.overdue = Some(Instant::now());
    (cycle, board)
}

async fn until(holds: impl Fn() -> bool) {
    while !holds() {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_compile_that_does_not_end_is_told_until_it_does() {
    let (end, ends) = channel();
    let (cycle, board) = hanging(ends);
    let (_updates, inbox) = mpsc::channel(1);
    let running = tokio::spawn(cycle.run(inbox));
    until(|| board.hanging().is_some_and(|why| why.contains("compiling takes more than 60 s"))).await;
    assert_eq!(board.problems().borrow()[0].reason, Reason::CompileFailed);
    end.send(()).unwrap();
    until(|| board.hanging().is_none() && board.problems().borrow().is_empty()).await;
    running.abort();
}
