//! Whether we may lead: only where our data plane serves what we publish. A leader whose data plane serves nothing would
//! hold the Lease and write no status, and nobody else could.
//!
//! One that refuses what is published and serves what came before does answer. What it refuses the data planes of all
//! replicas refuse, mostly, and then nobody would be left to say so.

use std::{future, sync::Arc, time::Duration};

use snapshot::{Report, Snapshot, SnapshotId};
use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};

/// How long nothing may be said while something newer is published: long enough for a data plane that starts again.
const PATIENCE: Duration = Duration::from_secs(30);

/// Follows what is published and what is applied.
pub(crate) struct Fitness {
    snapshots: watch::Receiver<Option<Arc<Snapshot>>>,
    fit: watch::Sender<bool>,
    /// Whether anything of what we publish was ever applied.
    applied: bool,
    /// What something was said of last.
    heard: Option<SnapshotId>,
    /// Since when something is published that nothing was said of, nor of anything newer.
    behind: Option<Instant>,
}

impl Fitness {
    /// Comes out whether we may lead; not before something of `snapshots` is applied.
    pub(crate) fn new(snapshots: watch::Receiver<Option<Arc<Snapshot>>>) -> (Self, watch::Receiver<bool>) {
        let (fit, receiver) = watch::channel(false);
        (Self { snapshots, fit, applied: false, heard: None, behind: None }, receiver)
    }

    /// The data plane has looked at a snapshot.
    pub(super) fn hear(&mut self, report: &Report) {
        let (Report::Applied { id, .. } | Report::Rejected { id, .. }) = *report;
        let Some(published) = self.published() else { return };
        // That of a controller from before says nothing of what we publish.
        if id.instance != published.instance {
            return;
        }
        match report {
            Report::Applied { .. } => self.applied = true,
            Report::Rejected { .. } if self.applied => {}
            // Of what we publish it has served nothing.
            Report::Rejected { .. } => return,
        }
        self.set(true);
        self.heard = Some(id);
        self.behind = (id.sequence < published.sequence).then(Instant::now);
    }

    /// Looks again, when there is a reason to.
    pub(super) async fn judge(&mut self) {
        let deadline = self.behind.map(|since| since + PATIENCE);
        let late = async {
            match deadline {
                Some(deadline) => sleep_until(deadline).await,
                None => future::pending().await,
            }
        };
        tokio::select! {
            () = late => {
                self.behind = None;
                self.set(false);
            }
            Ok(()) = self.snapshots.changed() => {
                if self.published() != self.heard {
                    self.behind.get_or_insert_with(Instant::now);
                }
            }
        }
    }

    fn published(&self) -> Option<SnapshotId> {
        self.snapshots.borrow().as_ref().map(|snapshot| snapshot.id)
    }

    fn set(&mut self, now: bool) {
        self.fit.send_if_modified(|fit| std::mem::replace(fit, now) != now);
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::timeout;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn publish(snapshots: &watch::Sender<Option<Arc<Snapshot>>>, sequence: u64) -> SnapshotId {
        let id = SnapshotId { instance: 7, sequence };
        snapshots.send_replace(Some(Arc::new(Snapshot { id, ..Snapshot::default() })));
        id
    }

    fn applied(id: SnapshotId) -> Report {
        Report::Applied { id, rejected: Vec::new() }
    }

    fn rejected(id: SnapshotId) -> Report {
        Report::Rejected { id, reason: "no".to_owned() }
    }

    /// Lets time pass.
    async fn wait(fitness: &mut Fitness, time: Duration) {
        let judge = async {
            loop {
                fitness.judge().await;
            }
        };
        let _: Result<(), _> = timeout(time, judge).await;
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_leads_before_a_snapshot_is_applied() {
        let snapshots = watch::Sender::new(None);
        let (mut fitness, fit) = Fitness::new(snapshots.subscribe());
        let id = publish(&snapshots, 1);
        wait(&mut fitness, SECOND).await;
        fitness.hear(&applied(SnapshotId { instance: 8, sequence: 9 }));
        assert!(!*fit.borrow());
        fitness.hear(&applied(id));
        assert!(*fit.borrow());
        wait(&mut fitness, 1000 * SECOND).await;
        assert!(*fit.borrow(), "nothing new, nothing to apply");
    }

    #[tokio::test(start_paused = true)]
    async fn a_data_plane_that_applies_nothing_more_costs_the_lead_and_one_that_starts_again_does_not() {
        let snapshots = watch::Sender::new(None);
        let (mut fitness, fit) = Fitness::new(snapshots.subscribe());
        fitness.hear(&applied(publish(&snapshots, 1)));
        publish(&snapshots, 2);
        wait(&mut fitness, 29 * SECOND).await;
        fitness.hear(&applied(publish(&snapshots, 3)));
        wait(&mut fitness, 100 * SECOND).await;
        assert!(*fit.borrow());
        // However often something new is published meanwhile.
        for sequence in 4..33 {
            publish(&snapshots, sequence);
            wait(&mut fitness, SECOND).await;
            assert!(*fit.borrow());
        }
        wait(&mut fitness, 2 * SECOND).await;
        assert!(!*fit.borrow());
        fitness.hear(&applied(publish(&snapshots, 40)));
        assert!(*fit.borrow());
    }

    #[tokio::test(start_paused = true)]
    async fn who_refuses_what_is_published_answers() {
        let snapshots = watch::Sender::new(None);
        let (mut fitness, fit) = Fitness::new(snapshots.subscribe());
        fitness.hear(&applied(publish(&snapshots, 1)));
        fitness.hear(&rejected(publish(&snapshots, 2)));
        wait(&mut fitness, 100 * SECOND).await;
        assert!(*fit.borrow());
        // Of the next one it says nothing.
        publish(&snapshots, 3);
        wait(&mut fitness, 29 * SECOND).await;
        fitness.hear(&rejected(SnapshotId { instance: 8, sequence: 9 }));
        assert!(*fit.borrow());
        wait(&mut fitness, 2 * SECOND).await;
        assert!(!*fit.borrow());
        // One that comes back answers again.
        fitness.hear(&rejected(publish(&snapshots, 4)));
        assert!(*fit.borrow());
    }

    #[tokio::test(start_paused = true)]
    async fn who_refuses_the_first_one_serves_nothing() {
        let snapshots = watch::Sender::new(None);
        let (mut fitness, fit) = Fitness::new(snapshots.subscribe());
        fitness.hear(&rejected(publish(&snapshots, 1)));
        wait(&mut fitness, SECOND).await;
        assert!(!*fit.borrow());
        fitness.hear(&applied(publish(&snapshots, 2)));
        assert!(*fit.borrow());
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_follows_slowly_follows() {
        let snapshots = watch::Sender::new(None);
        let (mut fitness, fit) = Fitness::new(snapshots.subscribe());
        let mut late = publish(&snapshots, 1);
        for sequence in 2..20 {
            let next = publish(&snapshots, sequence);
            fitness.hear(&applied(late));
            late = next;
            wait(&mut fitness, 20 * SECOND).await;
            assert!(*fit.borrow());
        }
    }
}
