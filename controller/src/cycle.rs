//! From changed objects to a published snapshot: wait for the first lists, gather, compile, publish.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use compile::{Compiled, Memo, NamespacedName, Objects, Options, Problem, Reason, Severity, drafted};
use snapshot::SnapshotId;
use tokio::{
    sync::mpsc,
    task::{JoinError, JoinSet},
    time::{Instant, sleep_until},
};

use crate::{
    admission::{Bases, Basis},
    board::{Board, trouble},
    metrics::Metrics,
    object::{Change, Kind, Object},
    pace::Pace,
    publish::Publisher,
    secrets::{Asking, Held},
    store::{Effect, Store},
};

/// How many updates are taken in at once, so that a flood of them cannot starve a compile that is due.
const UPDATES: usize = 64;

/// A compile that has run for longer will not end: the largest clusters take a few seconds.
const HANGS: Duration = Duration::from_secs(60);

/// Who finds that.
const HANG: &str = "hang";

/// News from a source.
#[derive(Debug, Default)]
pub(crate) struct Update {
    /// In order.
    pub(crate) changes: Vec<Change>,
    /// The first list that is complete with these changes: one of those that the cycle waits for.
    pub(crate) listed: Option<String>,
    /// Which named Secrets (see [`crate::secrets`]) are all there with these changes, those that exist.
    pub(crate) named: Option<u64>,
}

impl Update {
    pub(crate) fn says_something(&self) -> bool {
        !self.changes.is_empty() || self.listed.is_some() || self.named.is_some()
    }
}

/// News for the reporter.
#[derive(Clone)]
pub(crate) enum Progress {
    /// These objects are the current ones.
    Objects(Arc<Objects>),
    /// This was compiled, and is in the snapshot of this id and all later ones.
    Compiled(SnapshotId, Arc<Compiled>),
}

/// Owns all objects and everything that is made of them.
pub(crate) struct Cycle {
    options: Arc<Options>,
    /// The lists that are not complete yet.
    waiting: BTreeSet<String>,
    store: Store,
    publisher: Publisher,
    pace: Pace,
    memo: Memo,
    /// At most one compile at a time.
    compiling: JoinSet<Outcome>,
    /// When the one that runs should be over, if that is yet to come.
    overdue: Option<Instant>,
    asking: Asking,
    board: Arc<Board>,
    metrics: Metrics,
    progress: mpsc::UnboundedSender<Progress>,
    bases: Option<Bases>,
}

/// What came of a compile.
enum Outcome {
    /// The first half: these Secrets are named, and some are not held. Nothing was compiled.
    Wanting(BTreeSet<NamespacedName>, Memo),
    /// All of it.
    Done(Done, Memo),
}

/// A compile that is over.
struct Done {
    /// Of what.
    objects: Arc<Objects>,
    compiled: Arc<Compiled>,
    /// The Secrets that are named, if they are not those that we asked for last.
    named: Option<BTreeSet<NamespacedName>>,
}

/// What a cycle works with.
pub(crate) struct Parts {
    /// Is told which Secrets are named.
    pub(crate) asking: Asking,
    pub(crate) options: Options,
    pub(crate) publisher: Publisher,
    pub(crate) board: Arc<Board>,
    pub(crate) metrics: Metrics,
    pub(crate) progress: mpsc::UnboundedSender<Progress>,
    /// Where candidates are compiled with what is known, if they are.
    pub(crate) bases: Option<Bases>,
}

impl Cycle {
    /// A cycle that publishes nothing before each of `lists` was complete once.
    pub(crate) fn new(parts: Parts, lists: BTreeSet<String>) -> Self {
        let Parts { asking, options, publisher, board, metrics, progress, bases } = parts;
        for list in &lists {
            board.missing(list, "not listed yet");
            metrics.synced(list, false);
        }
        Self {
            options: Arc::new(options),
            waiting: lists,
            store: Store::default(),
            publisher,
            pace: Pace::default(),
            memo: Memo::default(),
            compiling: JoinSet::new(),
            overdue: None,
            asking,
            board,
            metrics,
            progress,
            bases,
        }
    }

    /// Works until the source ends.
    pub(crate) async fn run(mut self, mut updates: mpsc::Receiver<Update>) {
        let mut batch = Vec::new();
        loop {
            let (due, overdue) = (self.due(), self.overdue);
            tokio::select! {
                // In this order: endpoints wait for nobody, and a result is published before the next compile begins.
                biased;
                count = updates.recv_many(&mut batch, UPDATES) => {
                    if count == 0 {
                        return;
                    }
                    self.take(batch.drain(..));
                }
                Some(done) = self.compiling.join_next() => self.finish(done),
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => self.begin(),
                () = sleep_until(overdue.unwrap_or_else(Instant::now)), if overdue.is_some() => self.hang(),
            }
            // A flood of updates keeps the first branch ready; the rest goes on all the same.
            if let Some(done) = self.compiling.try_join_next() {
                self.finish(done);
            }
            if self.due().is_some_and(|due| due <= Instant::now()) {
                self.begin();
            }
        }
    }

    fn due(&self) -> Option<Instant> {
        let ready = self.compiling.is_empty() && self.waiting.is_empty() && !self.asking.waits();
        if ready { self.pace.due() } else { None }
    }

    fn take(&mut self, updates: impl Iterator<Item = Update>) {
        let mut effect = Effect::None;
        let mut services = BTreeSet::new();
        for Update { changes, listed, named } in updates {
            for change in changes {
                effect = effect.max(self.apply(change, &mut services));
            }
            if let Some(list) = listed {
                self.waiting.remove(&list);
                self.board.arrived(&list);
                self.metrics.synced(&list, true);
                effect = Effect::Compile; // even an empty cluster has a snapshot
            }
            if named.is_some_and(|number| self.asking.answer(number)) {
                self.pace.resume(Instant::now());
            }
        }
        self.publisher.endpoints(&services);
        if effect >= Effect::Status {
            // Without a reporter nobody listens, and that is fine.
            let _ = self.progress.send(Progress::Objects(Arc::clone(self.store.objects())));
        }
        if effect == Effect::Compile {
            self.pace.changed(Instant::now());
        }
    }

    fn apply(&mut self, change: Change, services: &mut BTreeSet<NamespacedName>) -> Effect {
        match change {
            Change::Put(Object::EndpointSlice(slice)) => {
                services.extend(self.publisher.put_slice(slice));
                Effect::None
            }
            Change::Remove(key) if key.kind == Kind::EndpointSlice => {
                services.extend(self.publisher.remove_slice(&key.name));
                Effect::None
            }
            // Nothing names it any more: that is why it is let go.
            Change::Remove(key) if key.kind == Kind::Secret && !self.asking.names(&key.name) => {
                self.store.apply(Change::Remove(key)).min(Effect::Status)
            }
            other => self.store.apply(other),
        }
    }

    fn begin(&mut self) {
        self.pace.take(Instant::now());
        let (objects, options) = (Arc::clone(self.store.objects()), Arc::clone(&self.options));
        let (memo, held) = (std::mem::take(&mut self.memo), self.asking.held(Instant::now()));
        let seconds = self.metrics.compile_seconds.clone();
        self.overdue = Some(Instant::now() + HANGS);
        self.compiling.spawn_blocking(move || {
            let timer = seconds.start_timer();
            let outcome = work(objects, &options, memo, held);
            match outcome {
                Outcome::Wanting(..) => drop(timer.stop_and_discard()),
                Outcome::Done(..) => timer.observe_duration(),
            }
            outcome
        });
    }

    /// There is no way to end a thread; who watches over this process may end that.
    fn hang(&mut self) {
        self.overdue = None;
        let seconds = HANGS.as_secs();
        let message = format!("compiling takes more than {seconds} s, so that what was served before is still served");
        self.board.hangs(Some(message.clone()));
        self.board.find(HANG, vec![trouble("compile", Reason::CompileFailed, Severity::Error, message)]);
    }

    fn finish(&mut self, done: Result<Outcome, JoinError>) {
        self.overdue = None;
        self.board.hangs(None);
        self.board.find(HANG, Vec::new());
        match done {
            Ok(Outcome::Wanting(named, memo)) => {
                self.memo = memo;
                self.asking.wait_for(named, Instant::now());
            }
            Ok(Outcome::Done(Done { objects, compiled, named }, memo)) => {
                if let Some(bases) = &self.bases {
                    let problems = compiled.problems.clone();
                    bases.send_replace(Some(Arc::new(Basis { objects, memo: memo.clone(), problems })));
                }
                self.memo = memo;
                self.asking.compiled(named);
                self.board.find("compile", compiled.problems.clone());
                self.board.find("controller", Vec::new());
                let id = self.publisher.routes(&compiled.snapshot, &compiled.endpoint_sources);
                let _ = self.progress.send(Progress::Compiled(id, compiled));
            }
            // What is served stays; the next change tries again.
            Err(error) => self.board.find("controller", vec![panicked(&error)]),
        }
    }
}

/// Compiles, unless Secrets are named that are still to be asked for.
fn work(objects: Arc<Objects>, options: &Options, mut memo: Memo, held: Option<Held>) -> Outcome {
    let drafted = drafted(&objects, options, &mut memo);
    let mut named = None;
    if let Some(held) = held {
        let all = drafted.secrets();
        if held.lacks(&all) {
            return Outcome::Wanting(all, memo);
        }
        named = (!held.is(&all)).then_some(all);
    }
    let compiled = Arc::new(drafted.compile(&mut memo));
    Outcome::Done(Done { objects, compiled, named }, memo)
}

fn panicked(error: &JoinError) -> Problem {
    let message = format!("compiling failed, so that what was served before is still served: {error}");
    trouble("compile", Reason::CompileFailed, Severity::Error, message)
}

#[cfg(test)]
mod tests;
