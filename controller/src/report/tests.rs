//! The task that takes reports, without a cluster, by a clock that jumps.

use snapshot::{Snapshot, SnapshotId};
use tokio::time::sleep;

use super::*;

fn publish(snapshots: &watch::Sender<Option<Arc<Snapshot>>>, sequence: u64) -> SnapshotId {
    let id = SnapshotId { instance: 7, sequence };
    snapshots.send_replace(Some(Arc::new(Snapshot { id, ..Snapshot::default() })));
    id
}

fn outputs(board: &Arc<Board>) -> Outputs {
    Outputs {
        board: Arc::clone(board),
        first_refusal_is_fatal: false,
        grace: Duration::ZERO,
        writer: None,
        conditions: None,
        replicas: None,
        objects: watch::Sender::new(Arc::default()),
    }
}

/// Everybody refuses the same, and somebody has to write Events of it.
#[tokio::test(start_paused = true)]
async fn a_snapshot_that_is_refused_costs_nobody_the_lead() {
    let snapshots = watch::Sender::new(None);
    let (fitness, fit) = Fitness::new(snapshots.subscribe());
    let ((report, reports), (_news, news)) = (mpsc::channel(1), mpsc::unbounded_channel());
    let (_addresses, addresses) = watch::channel(None);
    let (_leave, leave) = mpsc::channel(1);
    let inputs = Inputs { reports, news, addresses, leader: Leader::always(), fitness, leave };
    let board = Board::new();
    let task = tokio::spawn(run(inputs, outputs(&board)));
    report.send(Report::Applied { id: publish(&snapshots, 1), rejected: Vec::new() }).await.unwrap();
    fit.clone().wait_for(|fit| *fit).await.unwrap();
    report.send(Report::Rejected { id: publish(&snapshots, 2), reason: "no".to_owned() }).await.unwrap();
    board.problems().wait_for(|problems| !problems.is_empty()).await.unwrap();
    sleep(Duration::from_secs(1000)).await;
    assert!(*fit.borrow());
    // It has to answer.
    publish(&snapshots, 3);
    sleep(Duration::from_secs(1000)).await;
    assert!(!*fit.borrow());
    task.abort();
}
