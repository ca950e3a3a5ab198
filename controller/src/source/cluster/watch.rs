//! The one way in which every kind is watched.

use std::{fmt::Debug, pin::pin, sync::Arc, time::Duration};

use backon::BackoffBuilder;
use compile::{IngressClassParameters, Problem, Severity};
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

/// Without an error for this long a watch works, even if it has nothing to tell. Longer than an attempt to connect.
const RECOVERED: Duration = Duration::from_secs(35);

/// Between two looks at whether a kind can be read by now.
const ABSENT: Duration = if cfg!(test) { Duration::from_millis(50) } else { Duration::from_secs(30) };

/// A server that takes a streaming list but never ends it does not know what it is.
const STREAMING_PATIENCE: Duration = Duration::from_secs(60);

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

/// A watch and its name among the lists that are waited for.
pub(super) struct Watch<K> {
    pub(super) list: String,
    pub(super) api: Api<DeserializeGuard<K>>,
    pub(super) config: watcher::Config,
    /// Whether the API server may not have the kind, or not let us read it.
    pub(super) optional: bool,
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
    pub(super) async fn run(self, updates: mpsc::Sender<Update>, board: Arc<Board>) {
        let mut round = Round {
            list: self.list,
            updates,
            board,
            mirror: Mirror::default(),
            listed: false,
            optional: self.optional,
        };
        let streaming = self.config.clone().streaming_lists();
        if let End::NoStreaming = round.follow(self.api.clone(), streaming, true).await {
            tracing::debug!(list = round.list, "the API server has no streaming lists");
            round.follow(self.api, self.config, false).await;
        }
    }
}

struct Round {
    list: String,
    updates: mpsc::Sender<Update>,
    board: Arc<Board>,
    mirror: Mirror,
    /// Whether a list was complete once.
    listed: bool,
    /// Whether nobody waits for the kind; not any more once it was listed.
    optional: bool,
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
                    if streaming && !self.listed && began.elapsed() > STREAMING_PATIENCE {
                        return End::NoStreaming;
                    }
                    if self.listed {
                        self.works();
                    }
                    continue;
                }
            };
            match event {
                // Says only that a list is about to be asked for.
                Ok(Event::Init) => drop(self.mirror.take::<K>(Event::Init)),
                Ok(event) => {
                    pauses = self::pauses();
                    if self.take(event).await.is_err() {
                        return End::Closed;
                    }
                }
                Err(error) if streaming && refuses_streaming(&error) => return End::NoStreaming,
                Err(error) if self.optional && is_refused(&error) => {
                    if self.without(&error).await.is_err() {
                        return End::Closed;
                    }
                    sleep(ABSENT).await;
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
        self.board.find(&self.list, self.mirror.problems());
        self.works();
        if let Some(mut update) = update {
            self.optional &= !listed;
            if listed && !self.listed {
                self.listed = true;
                update.listed = Some(self.list.clone());
            }
            self.updates.send(update).await?;
        }
        Ok(())
    }

    /// The kind cannot be read: it counts as listed, and empty.
    async fn without(&mut self, error: &watcher::Error) -> Result<(), mpsc::error::SendError<Update>> {
        if self.listed {
            return Ok(());
        }
        self.listed = true;
        tracing::info!(list = self.list, "there are none for us: {}", explain_watch(error));
        self.updates.send(Update { changes: Vec::new(), listed: Some(self.list.clone()) }).await
    }

    fn works(&self) {
        self.board.find(&self.finder(), Vec::new());
    }

    fn failed(&self, error: &watcher::Error) {
        if is_expired(error) {
            tracing::debug!(list = self.list, "listing again: {error}");
            return;
        }
        let why = explain_watch(error);
        if !self.board.still_missing(&self.list, &why) {
            self.board.find(&self.finder(), vec![lagging(&self.list, &why)]);
        }
    }

    /// The watch itself as a finder of problems, apart from those of objects.
    fn finder(&self) -> String {
        format!("watch of {}", self.list)
    }
}

fn pauses() -> backon::ExponentialBackoff {
    backon::ExponentialBuilder::default()
        .with_min_delay(PAUSES.0)
        .with_max_delay(PAUSES.1)
        .with_jitter()
        .without_max_times()
        .build()
}

fn lagging(list: &str, why: &str) -> Problem {
    let message = format!("changes are not seen, so that what was served before is still served: {why}");
    trouble(list, "WatchFailed", Severity::Warning, message)
}
