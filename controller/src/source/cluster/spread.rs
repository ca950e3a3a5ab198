//! A kind that is watched in each of some namespaces.

use std::{
    collections::{BTreeMap, BTreeSet},
    marker::PhantomData,
    sync::Arc,
};

use compile::NamespacedName;
use k8s_openapi::NamespaceResourceScope;
use kube::{Api, Client, Resource, runtime::watcher};
use tokio::{
    sync::mpsc,
    task::{AbortHandle, JoinSet},
};

use super::{
    scope::{Chosen, Reach},
    watch::{Object, Terms, Watch, Without, forget},
};
use crate::{
    cycle::Update,
    object::{Change, Key, Object as Any},
    slices,
};

/// Updates that wait.
const UPDATES: usize = 16;

/// Watches that come and go with their namespaces, and are one to others.
pub(super) struct Spread<K> {
    client: Client,
    config: watcher::Config,
    terms: Terms,
    /// A Service that is watched by itself, too, and its EndpointSlices: they stay when their namespace is left.
    stays: Option<NamespacedName>,
    /// By namespace.
    parts: BTreeMap<String, Part>,
    /// Dropping it ends all of them.
    tasks: JoinSet<()>,
    /// How many were begun.
    begun: u64,
    /// Whether it was said that all are complete.
    listed: bool,
    kind: PhantomData<K>,
}

/// The watch of one namespace.
struct Part {
    /// Tells it from an earlier one of the same namespace, of which something may still be on its way.
    number: u64,
    task: AbortHandle,
    /// What is there, and whether it stays when the namespace is left.
    known: BTreeMap<Key, bool>,
    listed: bool,
}

/// The namespace, the number of the watch, what it told.
type News = (String, u64, Update);

impl<K> Spread<K>
where
    K: Object + Resource<Scope = NamespaceResourceScope>,
{
    pub(super) fn new(client: Client, config: watcher::Config, terms: Terms, stays: Option<NamespacedName>) -> Self {
        let (parts, tasks) = (BTreeMap::new(), JoinSet::new());
        Self { client, config, terms, stays, parts, tasks, begun: 0, listed: false, kind: PhantomData }
    }

    /// Follows the API for as long as somebody takes the updates.
    pub(super) async fn run(mut self, mut chosen: Chosen) {
        let (sender, mut inbox) = mpsc::channel(UPDATES);
        loop {
            let out = tokio::select! {
                changed = chosen.changed() => {
                    let reach = chosen.borrow_and_update().clone();
                    match (changed, reach) {
                        (Err(_), _) => return, // who chooses ends with everybody else
                        (_, Some(Reach::All)) => return self.everywhere().await,
                        (_, Some(Reach::Each(namespaces))) => self.watch_in(&namespaces, &sender),
                        (_, None) => continue,
                    }
                }
                Some(news) = inbox.recv() => self.take(news),
            };
            if out.says_something() && self.terms.updates.send(out).await.is_err() {
                return;
            }
        }
    }

    async fn everywhere(self) {
        Watch { api: Api::<kube::core::DeserializeGuard<K>>::all(self.client), config: self.config, terms: self.terms }
            .run()
            .await;
    }

    /// Begins to watch where it did not, and forgets what is elsewhere.
    fn watch_in(&mut self, namespaces: &BTreeSet<String>, inbox: &mpsc::Sender<News>) -> Update {
        let mut out = Update::default();
        let gone: Vec<String> = self.parts.keys().filter(|name| !namespaces.contains(*name)).cloned().collect();
        for namespace in gone {
            let Some(part) = self.parts.remove(&namespace) else { continue };
            part.task.abort();
            forget(&self.terms.board, &self.list_in(&namespace));
            let removed = part.known.into_iter().filter(|(_, stays)| !stays);
            out.changes.extend(removed.map(|(key, _)| Change::Remove(key)));
        }
        while self.tasks.try_join_next().is_some() {}
        for namespace in namespaces {
            if !self.parts.contains_key(namespace) {
                self.begin(namespace, inbox.clone());
            }
        }
        self.announce(&mut out);
        out
    }

    fn begin(&mut self, namespace: &str, inbox: mpsc::Sender<News>) {
        self.begun += 1;
        let (number, name) = (self.begun, namespace.to_owned());
        let (updates, mut told) = mpsc::channel(UPDATES);
        // One that we have no Role in harms no other, and somebody may give it to us.
        let terms = Terms {
            list: self.list_in(namespace),
            without: Without::Told,
            consistent: self.terms.consistent,
            updates,
            board: Arc::clone(&self.terms.board),
        };
        let api = Api::namespaced(self.client.clone(), namespace);
        let watching = Watch::<K> { api, config: self.config.clone(), terms }.run();
        let task = self.tasks.spawn(async move {
            let passing_on = async {
                while let Some(update) = told.recv().await {
                    if inbox.send((name.clone(), number, update)).await.is_err() {
                        return;
                    }
                }
            };
            tokio::join!(watching, passing_on);
        });
        let part = Part { number, task, known: BTreeMap::new(), listed: false };
        self.parts.insert(namespace.to_owned(), part);
    }

    fn take(&mut self, (namespace, number, update): News) -> Update {
        let Some(part) = self.parts.get_mut(&namespace).filter(|part| part.number == number) else {
            return Update::default();
        };
        for change in &update.changes {
            match change {
                Change::Put(object) => drop(part.known.insert(object.key(), stays(self.stays.as_ref(), object))),
                Change::Remove(key) => drop(part.known.remove(key)),
            }
        }
        part.listed |= update.listed.is_some();
        let mut out = Update { changes: update.changes, ..Update::default() };
        self.announce(&mut out);
        out
    }

    /// Says once that all that is to be waited for is there.
    fn announce(&mut self, out: &mut Update) {
        if !self.listed && self.parts.values().all(|part| part.listed) {
            self.listed = true;
            out.listed = Some(self.terms.list.clone());
        }
    }

    fn list_in(&self, namespace: &str) -> String {
        format!("{} in {namespace}", self.terms.list)
    }
}

/// Whether an object is, or belongs to, the Service that stays. The slices of any other Service there would not be followed,
/// and so be of Pods that are long gone when the namespace is chosen again.
fn stays(service: Option<&NamespacedName>, object: &Any) -> bool {
    service.is_some_and(|service| match object {
        Any::Service(_) => object.key().name == *service,
        Any::EndpointSlice(slice) => slices::service(slice).as_ref() == Some(service),
        _ => false,
    })
}
