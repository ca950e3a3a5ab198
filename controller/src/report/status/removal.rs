//! Statuses that are to be empty, because nobody will be there.

use std::{collections::BTreeSet, mem, time::Duration};

use compile::{NamespacedName, StatusPatch};
use tokio::{sync::watch, time::sleep};

use super::{
    ROUND,
    round::{Pen, Version, Written, put_in_turn},
};
use crate::report::refusal::Reach;

/// How long a write may take here: there is little time, and what hangs is tried again after the others.
const WRITE: Duration = Duration::from_secs(3);

/// The first and the longest pause after what an API server would not take.
const PAUSE: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(2));

/// So many that stay are named in the log, and the others counted.
const NAMED: usize = 10;

/// What is left to do, and what has come of the rest.
pub(crate) struct Removal {
    pen: Pen,
    left: Vec<(StatusPatch, Version)>,
    emptied: usize,
    /// What is refused for itself, and why: it is not tried again.
    refused: Vec<(NamespacedName, String)>,
    /// Why something that is left did not arrive last.
    why: Option<String>,
}

impl Removal {
    pub(super) fn new(pen: Pen, mut left: Vec<(StatusPatch, Version)>) -> Self {
        put_in_turn(&mut left, |_| false);
        Self { pen: Pen { limit: WRITE, ..pen }, left, emptied: 0, refused: Vec::new(), why: None }
    }

    /// Goes on until nothing is left. Somebody else has to know when it is too late.
    pub(crate) async fn run(&mut self) {
        let (_never, stop) = watch::channel(false);
        let mut pause = PAUSE.0;
        while !self.left.is_empty() {
            let round = self.left.iter().take(ROUND).cloned().collect();
            let done = self.pen.clone().write_all(round, stop.clone()).await;
            let emptied = self.emptied;
            if self.take(done) {
                pause = PAUSE.0;
                continue;
            }
            // An API server that takes some of it is not asked less and less often.
            pause = if self.emptied > emptied { PAUSE.0 } else { pause };
            sleep(pause).await;
            pause = (2 * pause).min(PAUSE.1);
        }
    }

    /// Returns whether the next ones can be tried at once. What hangs comes after what was not tried yet, and so does all of
    /// its namespace: a webhook may be why.
    fn take(&mut self, mut done: Vec<Written>) -> bool {
        done.sort_by(|a, b| a.ingress.cmp(&b.ingress));
        let (mut again, mut hung) = (Vec::new(), BTreeSet::new());
        for (patch, version) in mem::take(&mut self.left) {
            let written = done.binary_search_by(|written| written.ingress.cmp(&patch.ingress)).ok();
            match written.and_then(|at| done.get(at)).map(|written| &written.result) {
                None => self.left.push((patch, version)),
                Some(Ok(())) => self.emptied += 1,
                Some(Err(failure)) if failure.reach == Reach::Everything => {
                    self.why = Some(failure.why.clone());
                    if !failure.busy {
                        hung.insert(patch.ingress.namespace.clone());
                    }
                    again.push((patch, version));
                }
                Some(Err(failure)) => self.refused.push((patch.ingress, failure.why.clone())),
            }
        }
        if again.is_empty() {
            return true;
        }
        self.left.append(&mut again);
        put_in_turn(&mut self.left, |ingress| hung.contains(&ingress.namespace));
        false
    }

    /// What has come of it, also where it was too late for some.
    pub(crate) fn say(&self) {
        tracing::info!(ingresses = self.emptied, "the last replica leaves: statuses are empty");
        for (ingress, why) in self.refused.iter().take(NAMED) {
            tracing::warn!("the status of Ingress {ingress} stays: {why}");
        }
        let more = self.refused.len().saturating_sub(NAMED);
        if more > 0 {
            tracing::warn!(ingresses = more, "further statuses stay, for reasons like these");
        }
        if let Some((patch, _)) = self.left.first() {
            let why = self.why.as_deref().unwrap_or("there was no more time");
            let (ingresses, first) = (self.left.len(), &patch.ingress);
            tracing::warn!(ingresses, "statuses stay, that of Ingress {first} among them: {why}");
        }
    }

    #[cfg(test)]
    pub(super) fn counts(&self) -> (usize, usize) {
        (self.emptied, self.left.len())
    }
}
