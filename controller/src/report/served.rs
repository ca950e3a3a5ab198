//! Which compile the data plane serves.

use std::{collections::VecDeque, sync::Arc};

use compile::Compiled;
use snapshot::SnapshotId;

/// Compiles that are kept until they are applied.
const PENDING: usize = 16;

/// Follows what was published and what was applied.
#[derive(Default)]
pub(super) struct Served {
    /// Compiles that are published and not known to be applied, oldest first.
    pending: VecDeque<(SnapshotId, Arc<Compiled>)>,
    applied: Option<SnapshotId>,
    current: Option<Arc<Compiled>>,
}

impl Served {
    /// A compile was published in the snapshot of this id. Returns whether another one is served now.
    pub(super) fn compiled(&mut self, id: SnapshotId, compiled: Arc<Compiled>) -> bool {
        // Where nothing is applied for long, the latest ones are those that will be.
        if self.pending.len() >= PENDING {
            self.pending.pop_front();
        }
        self.pending.push_back((id, compiled));
        self.settle()
    }

    /// The data plane serves this snapshot. It may have skipped some before it. Returns whether another compile is
    /// served now.
    pub(super) fn applied(&mut self, id: SnapshotId) -> bool {
        self.applied = Some(id);
        self.settle()
    }

    /// The latest compile that is served.
    pub(super) fn current(&self) -> Option<&Arc<Compiled>> {
        self.current.as_ref()
    }

    fn settle(&mut self) -> bool {
        let Some(applied) = self.applied else { return false };
        let mut settled = false;
        let is_served = |id: SnapshotId| id.instance == applied.instance && id.sequence <= applied.sequence;
        while let Some((_, compiled)) = self.pending.pop_front_if(|(id, _)| is_served(*id)) {
            self.current = Some(compiled);
            settled = true;
        }
        settled
    }
}

#[cfg(test)]
mod tests {
    use compile::NamespacedName;

    use super::*;

    fn id(sequence: u64) -> SnapshotId {
        SnapshotId { instance: 7, sequence }
    }

    fn compiled(name: &str) -> Arc<Compiled> {
        Arc::new(Compiled { attached: [NamespacedName::new("default", name)].into(), ..Compiled::default() })
    }

    fn current(served: &Served) -> Option<String> {
        Some(served.current()?.attached.first().unwrap().name.to_string())
    }

    #[test]
    fn a_compile_counts_once_its_snapshot_or_a_later_one_is_applied() {
        let mut served = Served::default();
        assert!(!served.compiled(id(1), compiled("a")));
        assert!(!served.compiled(id(4), compiled("b")));
        assert_eq!(current(&served), None);
        assert!(served.applied(id(3)));
        assert_eq!(current(&served).as_deref(), Some("a"));
        assert!(served.applied(id(5)));
        assert!(!served.applied(id(6)));
        assert_eq!(current(&served).as_deref(), Some("b"));
    }

    #[test]
    fn a_compile_that_changed_nothing_is_served_already() {
        let mut served = Served::default();
        served.applied(id(2));
        served.compiled(id(2), compiled("a"));
        assert_eq!(current(&served).as_deref(), Some("a"));
    }

    #[test]
    fn another_controllers_snapshot_is_not_ours() {
        let mut served = Served::default();
        served.compiled(id(1), compiled("a"));
        served.applied(SnapshotId { instance: 8, sequence: 9 });
        assert_eq!(current(&served), None);
    }
}
