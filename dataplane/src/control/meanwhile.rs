//! What is taken up while something is waited for.

use std::{pin::pin, sync::Arc};

use snapshot::Snapshot;
use tokio::sync::watch;

/// The latest snapshot.
pub(super) type Snapshots = watch::Receiver<Option<Arc<Snapshot>>>;

/// Waits for `end`. Of the snapshots that come meanwhile each is taken up at once that `take` can put in the place of the
/// one before. Returns the last one; `snapshots` is a copy, whose owner sees them again.
pub(super) async fn meanwhile(
    end: impl Future<Output = ()>,
    mut current: Arc<Snapshot>,
    mut snapshots: Snapshots,
    take: impl Fn(&Snapshot, &Snapshot) -> bool,
) -> Arc<Snapshot> {
    let mut end = pin!(end);
    loop {
        tokio::select! {
            biased;
            () = &mut end => return current,
            Ok(()) = snapshots.changed() => {}
        }
        let next = snapshots.borrow_and_update().clone();
        if let Some(next) = next
            && take(&current, &next)
        {
            current = next;
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;

    fn numbered(sequence: u64) -> Arc<Snapshot> {
        let mut snapshot = Snapshot::default();
        snapshot.id.sequence = sequence;
        Arc::new(snapshot)
    }

    #[tokio::test]
    async fn what_can_be_taken_up_does_not_wait() {
        let (sender, receiver) = watch::channel(Some(numbered(1)));
        let (end, ended) = oneshot::channel::<()>();
        let (told, mut taken) = tokio::sync::mpsc::unbounded_channel();
        let take = move |before: &Snapshot, next: &Snapshot| {
            told.send((before.id.sequence, next.id.sequence)).unwrap();
            next.id.sequence != 3
        };
        let waiting = tokio::spawn(meanwhile(async { drop(ended.await) }, numbered(1), receiver, take));
        for (sequence, before) in [(2, 1), (3, 2), (4, 2)] {
            sender.send_replace(Some(numbered(sequence)));
            assert_eq!(taken.recv().await, Some((before, sequence)));
        }
        drop(sender);
        // The other task gets its turn, and sees that nobody sends any more.
        for _ in 0..8 {
            tokio::task::yield_now().await;
        }
        assert!(!waiting.is_finished());
        end.send(()).unwrap();
        assert_eq!(waiting.await.unwrap().id.sequence, 4);
    }
}
