//! The one way in which every kind is watched.

use std::{fmt::Debug, pin::pin, sync::Arc, time::Duration};

use backon::BackoffBuilder;
use compile::{IngressClassParameters, Problem, Reason, Severity};
use futures_util::StreamExt;
use k8s_openapi::api::{
    core::v1::{ConfigMap, Namespace, Secret, Service},
    discovery::v1::EndpointSlice,
    networking::v1::{Ingress, IngressClass},
};
use kube::{
    Api, Resource,
    core::DeserializeGuard,
    runtime::watcher::{self, Event, watcher},
};
use serde::de::DeserializeOwned;
use tokio::{
    sync::mpsc,
    time::{Instant, sleep, timeout},
};

use super::{
    connect::LIMITS,
    error::{explain_watch, is_expired, is_refused, refuses_streaming},
    mirror::Mirror,
    trim::Trim,
};
use crate::{
    board::{Board, trouble},
    cycle::Update,
    object::Kind,
};

/// The first and the longest pause after an error.
const PAUSES: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(3));

/// An API server that has just started knows no roles yet.
const STARTING: Duration = Duration::from_secs(60);

/// Between two questions for a kind that is not there, or may not be read: somebody may install it.
const REFUSED: Duration = Duration::from_secs(30);

/// Without an error for this long a watch works, even if it has nothing to tell: longer than any request waits for an
/// answer, so that there was one.
const RECOVERED: Duration = LIMITS.head.saturating_add(Duration::from_secs(5));

/// The API server is asked to end each watch after so many seconds; where it does not, the watch is begun anew from where
/// it was, soon after. So a silent one is not waited for when something between us and the API server keeps the connection
/// up: a load balancer, say.
pub(super) const LASTS: u32 = 60;

/// A server that takes a streaming list but never ends it does not know what it is. Nor is one of use that does not end
/// within [`LASTS`]: it would begin anew for ever, and a list in pages does not.
const STREAMING_PATIENCE: Duration = Duration::from_secs(45);

/// A kind that can be watched.
pub(crate) trait Object:
    Resource<DynamicType = ()>
    + Clone
    + Debug
    + DeserializeOwned
    + Trim
    + Into<crate::object::Object>
    + Send
    + Sync
    + 'static
{
    /// Which one it is.
    const KIND: Kind;
}

macro_rules! objects {
    ($($kind:ident),*) => { $(impl Object for $kind { const KIND: Kind = Kind::$kind; })* };
}

objects!(Ingress, IngressClass, IngressClassParameters, Service, EndpointSlice, Secret, ConfigMap, Namespace);

/// A watch.
pub(super) struct Watch<K> {
    pub(super) api: Api<DeserializeGuard<K>>,
    pub(super) config: watcher::Config,
    pub(super) terms: Terms,
}

/// What it is to others.
pub(super) struct Terms {
    /// Its name among the lists that are waited for.
    pub(super) list: String,
    /// What happens where it cannot be read.
    pub(super) without: Without,
    /// Whether its first list is of what is there now. A streaming list is not.
    pub(super) consistent: bool,
    pub(super) updates: mpsc::Sender<Update>,
    pub(super) board: Arc<Board>,
}

/// What happens where the API server does not have a kind, or does not let us read it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Without {
    /// It is waited for.
    Never,
    /// It counts as empty, and that is a problem.
    Told,
    /// It counts as empty: whatever names an object of it has a problem of its own.
    Quietly,
}

/// How a round of watching ended.
enum End {
    /// Nobody takes the updates any more.
    Closed,
    /// The server does not know streaming lists.
    NoStreaming,
}

impl<K: Object> Watch<K> {
    /// Follows the API for as long as somebody takes the updates.
    pub(super) async fn run(self) {
        let Terms { list, without, consistent, updates, board } = self.terms;
        let config = self.config.timeout(LASTS);
        let mut round = Round {
            list,
            without,
            updates,
            board,
            mirror: Mirror::default(),
            listed: false,
            listing: None,
            refusal: Refusal::default(),
        };
        if consistent {
            round.follow(self.api, config, false).await;
            return;
        }
        let streaming = config.clone().streaming_lists();
        if let End::NoStreaming = round.follow(self.api.clone(), streaming, true).await {
            tracing::debug!(list = round.list, "the API server has no streaming lists");
            round.follow(self.api, config, false).await;
        }
    }
}

struct Round {
    list: String,
    without: Without,
    updates: mpsc::Sender<Update>,
    board: Arc<Board>,
    mirror: Mirror,
    /// Whether a list was complete once.
    listed: bool,
    /// Since when a list is under way.
    listing: Option<Instant>,
    refusal: Refusal,
}

/// Why a kind is done without, where that is said in the log alone: once, and again when it changes.
#[derive(Default)]
struct Refusal(Option<String>);

impl Refusal {
    /// Whether this is news.
    fn is_news(&mut self, why: &str) -> bool {
        let news = self.0.as_deref() != Some(why);
        self.0 = Some(why.to_owned());
        news
    }

    /// Whether there was one.
    fn is_over(&mut self) -> bool {
        self.0.take().is_some()
    }
}

impl Round {
    async fn follow<K: Object>(
        &mut self,
        api: Api<DeserializeGuard<K>>,
        config: watcher::Config,
        streaming: bool,
    ) -> End {
        let began = Instant::now();
        let mut events = pin!(watcher(api, config));
        let mut pauses = pauses();
        loop {
            let event = match timeout(RECOVERED, events.next()).await {
                Ok(Some(event)) => event,
                // The stream of a watcher has no end.
                Ok(None) => return End::Closed,
                Err(_) => {
                    if streaming && self.takes_too_long() {
                        return End::NoStreaming;
                    }
                    if self.listed && self.listing.is_none() {
                        self.works();
                    }
                    continue;
                }
            };
            match event {
                Ok(Event::Init) if streaming && self.takes_too_long() => return End::NoStreaming,
                // Says only that a list is about to be asked for.
                Ok(Event::Init) => {
                    self.listing.get_or_insert_with(Instant::now);
                    self.mirror.take::<K>(Event::Init);
                }
                Ok(event) => {
                    pauses = self::pauses();
                    if self.take(event).await.is_err() {
                        return End::Closed;
                    }
                }
                Err(error) if streaming && refuses_streaming(&error) => return End::NoStreaming,
                Err(error) if self.without != Without::Never && is_refused(&error) => {
                    if self.do_without(&error).await.is_err() {
                        return End::Closed;
                    }
                    sleep(if began.elapsed() < STARTING { PAUSES.1 } else { REFUSED }).await;
                }
                Err(error) => {
                    self.failed(&error);
                    // The server answers: what it asks for is to list again, and soon.
                    if is_expired(&error) {
                        pauses = self::pauses();
                    }
                    sleep(pauses.next().unwrap_or(PAUSES.1)).await;
                }
            }
            if self.updates.is_closed() {
                return End::Closed;
            }
        }
    }

    async fn take<K: Object>(
        &mut self,
        event: Event<DeserializeGuard<K>>,
    ) -> Result<(), mpsc::error::SendError<Update>> {
        let listed = matches!(event, Event::InitDone);
        let during_list = matches!(event, Event::InitApply(_));
        let update = self.mirror.take(event);
        if during_list {
            return Ok(());
        }
        self.listing = None;
        self.board.find(&self.list, self.mirror.problems());
        self.works();
        if let Some(mut update) = update {
            if listed && self.without == Without::Quietly {
                // What can be read once and then not any more is out of date, and nobody else says so.
                self.without = Without::Never;
                if self.refusal.is_over() {
                    tracing::info!(list = self.list, "can be read now");
                }
            }
            if listed && !self.listed {
                self.listed = true;
                update.listed = Some(self.list.clone());
            }
            self.updates.send(update).await?;
        }
        Ok(())
    }

    /// Counts as empty, or as it was before it was forbidden.
    async fn do_without(&mut self, error: &watcher::Error) -> Result<(), mpsc::error::SendError<Update>> {
        let message = format!("not looked at, which is as good as none of them: {}", explain_watch(error));
        if self.without == Without::Told {
            let problem = trouble(&self.list, Reason::NotPermitted, Severity::Warning, message);
            self.board.find(&finder(&self.list), vec![problem]);
        } else if self.refusal.is_news(&message) {
            tracing::info!(list = self.list, "{message}");
        }
        if self.listed {
            return Ok(());
        }
        self.listed = true;
        self.updates.send(Update { listed: Some(self.list.clone()), ..Update::default() }).await
    }

    fn takes_too_long(&self) -> bool {
        self.listing.is_some_and(|since| since.elapsed() > STREAMING_PATIENCE)
    }

    fn works(&self) {
        self.board.find(&finder(&self.list), Vec::new());
    }

    fn failed(&self, error: &watcher::Error) {
        if is_expired(error) {
            tracing::debug!(list = self.list, "listing again: {error}");
            return;
        }
        let why = explain_watch(error);
        if !self.board.still_missing(&self.list, &why) {
            self.board.find(&finder(&self.list), vec![lagging(&self.list, &why)]);
        }
    }
}

/// The watch itself as a finder of problems, apart from those of objects.
fn finder(list: &str) -> String {
    format!("watch of {list}")
}

/// Takes back what a watch that is over has found.
pub(crate) fn forget(board: &Board, list: &str) {
    board.find(list, Vec::new());
    board.find(&finder(list), Vec::new());
}

pub(super) fn pauses() -> backon::ExponentialBackoff {
    backon::ExponentialBuilder::default()
        .with_min_delay(PAUSES.0)
        .with_max_delay(PAUSES.1)
        .with_jitter()
        .without_max_times()
        .build()
}

fn lagging(list: &str, why: &str) -> Problem {
    let message = format!("changes are not seen, so that what was served before is still served: {why}");
    trouble(list, Reason::WatchFailed, Severity::Warning, message)
}

#[cfg(test)]
mod tests {
    use super::Refusal;

    #[test]
    fn a_refusal_is_said_once() {
        let mut refusal = Refusal::default();
        assert!(!refusal.is_over());
        let asked = ["404", "404", "403", "403", "404"];
        assert_eq!(asked.map(|why| refusal.is_news(why)), [true, false, true, false, true]);
        assert!(refusal.is_over() && !refusal.is_over() && refusal.is_news("404"));
    }
}
