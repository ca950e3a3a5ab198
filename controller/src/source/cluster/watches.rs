//! Watches that are opened and closed by a name, and told apart by it.

use std::{collections::BTreeMap, panic::resume_unwind, sync::Arc};

use tokio::{
    sync::{Semaphore, mpsc, oneshot},
    task::{JoinError, JoinSet},
};

use super::{Planned, watch::forget};
use crate::{board::Board, cycle::Update};

/// Updates that wait.
const UPDATES: usize = 64;

/// They end when it is dropped.
pub(crate) struct Watches<N> {
    board: Arc<Board>,
    open: BTreeMap<N, Open>,
    tasks: JoinSet<()>,
    /// How many were begun.
    begun: u64,
    updates: mpsc::Sender<News<N>>,
    inbox: mpsc::Receiver<News<N>>,
}

struct Open {
    /// Tells it from an earlier one of the same name, of which something may still be on its way.
    number: u64,
    /// Dropping it ends the watch.
    _stop: oneshot::Sender<()>,
}

/// The name, the number of the watch, what it told.
type News<N> = (N, u64, Update);

impl<N: Clone + Ord + Send + Sync + 'static> Watches<N> {
    pub(crate) fn new(board: Arc<Board>) -> Self {
        let (updates, inbox) = mpsc::channel(UPDATES);
        Self { board, open: BTreeMap::new(), tasks: JoinSet::new(), begun: 0, updates, inbox }
    }

    /// The names of those that are open.
    pub(crate) fn names(&self) -> impl Iterator<Item = &N> {
        self.open.keys()
    }

    pub(crate) fn is_open(&self, name: &N) -> bool {
        self.open.contains_key(name)
    }

    /// Begins a watch, with the next of these turns if there are such: it has it for as long as it is open. In the place of
    /// another one of the same name.
    pub(crate) fn open(&mut self, name: N, planned: Planned, turns: Option<Arc<Semaphore>>) {
        self.begun += 1;
        let (number, (stop, stopped)) = (self.begun, oneshot::channel());
        self.open.insert(name.clone(), Open { number, _stop: stop });
        let (board, updates) = (Arc::clone(&self.board), self.updates.clone());
        self.tasks.spawn(async move {
            let list = planned.list.clone();
            let (sender, mut told) = mpsc::channel(1);
            let watching = async {
                let _turn = match turns {
                    Some(turns) => turns.acquire_owned().await.ok(),
                    None => None,
                };
                planned.run(sender, Arc::clone(&board)).await;
            };
            let passing_on = async {
                while let Some(update) = told.recv().await {
                    if updates.send((name.clone(), number, update)).await.is_err() {
                        break;
                    }
                }
            };
            tokio::select! {
                _ = stopped => {}
                ((), ()) = async { tokio::join!(watching, passing_on) } => {}
            }
            // Only here nothing more is found: whoever closes it may be ahead of what it is about to find.
            forget(&board, &list);
        });
    }

    pub(crate) fn close(&mut self, name: &N) {
        self.open.remove(name);
    }

    pub(crate) fn retain(&mut self, which: impl Fn(&N) -> bool) {
        self.open.retain(|name, _| which(name));
    }

    /// What one of them tells. Nothing is lost where nobody waits for it to the end.
    ///
    /// # Panics
    /// As a watch did: nobody would do its work any more.
    pub(crate) async fn next(&mut self) -> (N, Update) {
        loop {
            tokio::select! {
                // There is always one: we hold a sender ourselves.
                Some((name, number, update)) = self.inbox.recv() => {
                    if self.open.get(&name).is_some_and(|open| open.number == number) {
                        return (name, update);
                    }
                }
                Some(ended) = self.tasks.join_next() => pass_on_panic(ended),
            }
        }
    }
}

impl<N> Drop for Watches<N> {
    /// Each ends by itself now, as no one is open any more, and takes back what it found: aborted it could not.
    fn drop(&mut self) {
        self.tasks.detach_all();
    }
}

/// Nobody cancels one.
fn pass_on_panic(ended: Result<(), JoinError>) {
    if let Some(panic) = ended.err().and_then(|error| error.try_into_panic().ok()) {
        resume_unwind(panic);
    }
}

#[cfg(test)]
mod tests {
    use std::{future::pending, time::Duration};

    use compile::{Reason, Severity};
    use tokio::time::{sleep, timeout};

    use super::*;
    use crate::board::trouble;

    const PATIENCE: Duration = Duration::from_secs(10);

    /// Tells this number, and nothing more.
    fn telling(number: u64) -> Planned {
        Planned::by("numbers", move |terms| async move {
            let update = Update { named: Some(number), ..Update::default() };
            terms.updates.send(update).await.unwrap();
            pending().await
        })
    }

    async fn next(watches: &mut Watches<u8>) -> (u8, Option<u64>) {
        let (name, update) = timeout(PATIENCE, watches.next()).await.unwrap();
        (name, update.named)
    }

    #[tokio::test]
    async fn what_a_closed_one_told_is_not_taken_for_news_of_the_next() {
        let mut watches = Watches::new(Board::new());
        watches.open(1, telling(1), None);
        while watches.inbox.is_empty() {
            tokio::task::yield_now().await;
        }
        watches.close(&1);
        assert!(!watches.is_open(&1));
        watches.open(1, telling(2), None);
        assert_eq!(next(&mut watches).await, (1, Some(2)));
    }

    #[tokio::test]
    async fn one_after_another_where_turns_are_taken() {
        let mut watches = Watches::new(Board::new());
        let turns = Arc::new(Semaphore::new(1));
        for name in 1..=3 {
            watches.open(name, telling(name.into()), Some(Arc::clone(&turns)));
        }
        for name in 1..=3 {
            assert_eq!(next(&mut watches).await, (name, Some(name.into())));
            assert!(watches.inbox.is_empty());
            watches.retain(|open| *open != name);
        }
        assert_eq!(watches.names().count(), 0);
    }

    /// Finds a problem again and again.
    fn failing() -> Planned {
        Planned::by("failing", |terms| async move {
            loop {
                let problem = trouble("failing", Reason::WatchFailed, Severity::Warning, "fails".to_owned());
                terms.board.find(&terms.list, vec![problem]);
                tokio::task::yield_now().await;
            }
        })
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn one_that_is_over_leaves_no_problem() {
        let board = Board::new();
        let mut watches = Watches::new(Arc::clone(&board));
        let mut problems = board.problems();
        watches.open((), failing(), None);
        timeout(PATIENCE, problems.wait_for(|problems| !problems.is_empty())).await.unwrap().unwrap();
        watches.close(&());
        let ended = timeout(PATIENCE, watches.tasks.join_next()).await.unwrap();
        assert!(ended.is_some_and(|ended| ended.is_ok()) && problems.borrow().is_empty());
        watches.open((), failing(), None);
        timeout(PATIENCE, problems.wait_for(|problems| !problems.is_empty())).await.unwrap().unwrap();
        drop(watches);
        timeout(PATIENCE, problems.wait_for(|problems| problems.is_empty())).await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn the_panic_of_one_is_not_hidden() {
        let mut watches = Watches::new(Board::new());
        watches.open(
            1,
            Planned::by("broken", |_| async {
                sleep(Duration::from_millis(50)).await;
                panic!("a bug")
            }),
            None,
        );
        watches.open(2, telling(2), None);
        watches.close(&2); // one that ends well before
        let ended = timeout(PATIENCE, tokio::spawn(async move { watches.next().await })).await.unwrap();
        assert!(ended.is_err_and(|error| error.is_panic()));
    }
}
