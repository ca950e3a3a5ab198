//! A kind that is watched in each of some namespaces.

use std::{
    collections::{BTreeMap, BTreeSet},
    marker::PhantomData,
    sync::Arc,
};

use compile::NamespacedName;
use k8s_openapi::NamespaceResourceScope;
use kube::{Api, Client, Resource, runtime::watcher};

use super::{
    Planned,
    scope::{Chosen, Reach},
    watch::{Object, Terms, Watch, Without},
    watches::Watches,
};
use crate::{
    cycle::Update,
    object::{Change, Key, Object as Any},
    slices,
};

/// Watches that come and go with their namespaces, and are one to others.
pub(super) struct Spread<K> {
    client: Client,
    config: watcher::Config,
    terms: Terms,
    /// A Service that is watched by itself, too, and its EndpointSlices: they stay when their namespace is left.
    stays: Option<NamespacedName>,
    /// By namespace.
    parts: BTreeMap<String, Part>,
    watches: Watches<String>,
    /// Whether it was said that all are complete.
    listed: bool,
    kind: PhantomData<K>,
}

/// What the watch of one namespace has told.
#[derive(Default)]
struct Part {
    /// What is there, and whether it stays when the namespace is left.
    known: BTreeMap<Key, bool>,
    listed: bool,
}

impl<K> Spread<K>
where
    K: Object + Resource<Scope = NamespaceResourceScope>,
{
    pub(super) fn new(client: Client, config: watcher::Config, terms: Terms, stays: Option<NamespacedName>) -> Self {
        let watches = Watches::new(Arc::clone(&terms.board));
        Self { client, config, terms, stays, parts: BTreeMap::new(), watches, listed: false, kind: PhantomData }
    }

    /// Follows the API for as long as somebody takes the updates.
    pub(super) async fn run(mut self, mut chosen: Chosen) {
        loop {
            let out = tokio::select! {
                changed = chosen.changed() => {
                    let reach = chosen.borrow_and_update().clone();
                    match (changed, reach) {
                        (Err(_), _) => return, // who chooses ends with everybody else
                        (_, Some(Reach::All)) => return self.everywhere().await,
                        (_, Some(Reach::Each(namespaces))) => self.watch_in(&namespaces),
                        (_, None) => continue,
                    }
                }
                (namespace, update) = self.watches.next() => self.take(&namespace, update),
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
    fn watch_in(&mut self, namespaces: &BTreeSet<String>) -> Update {
        let mut out = Update::default();
        self.watches.retain(|namespace| namespaces.contains(namespace));
        let gone: Vec<String> = self.parts.keys().filter(|name| !namespaces.contains(*name)).cloned().collect();
        for part in gone.iter().filter_map(|namespace| self.parts.remove(namespace)) {
            let removed = part.known.into_iter().filter(|(_, stays)| !stays);
            out.changes.extend(removed.map(|(key, _)| Change::Remove(key)));
        }
        for namespace in namespaces {
            if !self.parts.contains_key(namespace) {
                self.watches.open(namespace.clone(), self.plan(namespace), None);
                self.parts.insert(namespace.clone(), Part::default());
            }
        }
        self.announce(&mut out);
        out
    }

    fn plan(&self, namespace: &str) -> Planned {
        let api = Api::namespaced(self.client.clone(), namespace);
        let list = format!("{} in {namespace}", self.terms.list);
        // One that we have no Role in harms no other, and somebody may give it to us.
        let planned = Planned::new::<K>(list, api, self.config.clone()).without(Without::Told);
        if self.terms.consistent { planned.consistent() } else { planned }
    }

    fn take(&mut self, namespace: &str, update: Update) -> Update {
        let Some(part) = self.parts.get_mut(namespace) else { return Update::default() };
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
