//! Where objects are watched: everywhere, in one namespace, or in those that `--watch-namespace-selector` chooses.

use std::{collections::BTreeSet, future, mem, sync::Arc};

use compile::{NamespacedName, Options, Selector};
use k8s_openapi::{
    NamespaceResourceScope,
    api::{
        authorization::v1::{ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec},
        core::v1::Namespace,
    },
};
use kube::{Api, Client, Resource, api::PostParams, core::DeserializeGuard, runtime::watcher};
use tokio::{
    sync::{mpsc, watch},
    time::sleep,
};

use super::{
    Planned,
    error::explain,
    spread::Spread,
    watch::{Object, Terms, Watch, pauses},
};
use crate::{
    cycle::Update,
    object::{Change, Object as Any},
};

/// What is read in namespaces, by API group.
const READ: [(&str, &str); 4] =
    [("networking.k8s.io", "ingresses"), ("", "services"), ("", "secrets"), ("discovery.k8s.io", "endpointslices")];

/// Updates that wait.
const UPDATES: usize = 16;

/// Cheap to clone.
#[derive(Clone)]
pub(crate) struct Scope {
    client: Client,
    place: Place,
    /// Is watched by itself, wherever it is.
    default_backend: Option<NamespacedName>,
    /// Each of the namespaces that were watched by themselves when it was last asked which were left.
    before: Arc<BTreeSet<String>>,
}

#[derive(Clone)]
enum Place {
    All,
    One(Arc<str>),
    Chosen(Chosen),
}

/// None: it is not known yet.
pub(super) type Chosen = watch::Receiver<Option<Reach>>;

/// Where objects are watched, if a selector chooses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// One watch is of all namespaces: what is in others than the chosen ones does not count, but it takes fewer watches.
    All,
    /// Each of these is watched by itself, as nothing else may be read.
    Each(Arc<BTreeSet<String>>),
}

impl Scope {
    /// By these options. Where a selector chooses, also the watch of namespaces, without which no other one begins.
    pub(crate) fn new(client: &Client, options: &Options) -> (Self, Option<Planned>) {
        let (place, namespaces) = match options.watch_namespace.as_deref().filter(|name| !name.is_empty()) {
            Some(namespace) => (Place::One(namespace.into()), None),
            None => choose(client, &options.watch_namespace_selector),
        };
        let default_backend = options.default_backend_service.clone();
        (Self { client: client.clone(), place, default_backend, before: Arc::default() }, namespaces)
    }

    /// Whom it asks.
    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// Whether it is a single namespace.
    pub(crate) fn is_one(&self) -> bool {
        matches!(self.place, Place::One(_))
    }

    /// Whether the watches of a kind tell of what is in this namespace.
    pub(crate) fn covers(&self, namespace: &str) -> bool {
        match &self.place {
            Place::All => true,
            Place::One(one) => **one == *namespace,
            Place::Chosen(chosen) => match &*chosen.borrow() {
                Some(Reach::All) => true,
                Some(Reach::Each(namespaces)) => namespaces.contains(namespace),
                None => false,
            },
        }
    }

    /// Whether each namespace is watched by itself, because nothing more may be read.
    pub(crate) fn is_each(&self) -> bool {
        matches!(&self.place, Place::Chosen(chosen) if matches!(&*chosen.borrow(), Some(Reach::Each(_))))
    }

    /// Waits until some of the namespaces that were watched each by itself are so no more; says which.
    pub(crate) async fn left(&mut self) -> BTreeSet<String> {
        let Place::Chosen(chosen) = &mut self.place else { return future::pending().await };
        while chosen.changed().await.is_ok() {
            let Some(Reach::Each(now)) = chosen.borrow_and_update().clone() else { continue };
            let before = mem::replace(&mut self.before, Arc::clone(&now));
            let left: BTreeSet<String> = before.difference(&now).cloned().collect();
            if !left.is_empty() {
                return left;
            }
        }
        future::pending().await
    }

    /// Whether this may be outside.
    pub(crate) fn may_miss(&self, name: &NamespacedName) -> bool {
        match &self.place {
            Place::All => false,
            Place::One(namespace) => *namespace != name.namespace,
            Place::Chosen(_) => true,
        }
    }

    /// A watch of a kind.
    pub(super) fn watch<K>(&self, list: &str, config: watcher::Config) -> Planned
    where
        K: Object + Resource<Scope = NamespaceResourceScope>,
    {
        let client = self.client.clone();
        match &self.place {
            Place::All => Planned::new::<K>(list, Api::all(client), config),
            Place::One(namespace) => Planned::new::<K>(list, Api::namespaced(client, namespace), config),
            Place::Chosen(chosen) => {
                let (mut chosen, stays) = (chosen.clone(), self.default_backend.clone());
                // News to this watch, also where it was looked at here.
                chosen.mark_changed();
                Planned::by(list, move |terms| Spread::<K>::new(client, config, terms, stays).run(chosen))
            }
        }
    }
}

fn choose(client: &Client, selector: &str) -> (Place, Option<Planned>) {
    // One that cannot be read chooses nothing; options are checked at the start.
    let selector: Option<Selector> = selector.parse().ok();
    if selector.as_ref().is_some_and(Selector::is_empty) {
        return (Place::All, None);
    }
    let (sender, chosen) = watch::channel(None);
    let client = client.clone();
    let namespaces = Planned::by("namespaces", move |terms| follow(client, selector, sender, terms));
    (Place::Chosen(chosen), Some(namespaces))
}

/// Watches namespaces, and says which of them are chosen.
async fn follow(client: Client, selector: Option<Selector>, chosen: watch::Sender<Option<Reach>>, terms: Terms) {
    let is_all = may_read_all(&client, &terms).await;
    if is_all {
        chosen.send_replace(Some(Reach::All));
    }
    let (sender, mut inbox) = mpsc::channel::<Update>(UPDATES);
    let updates = terms.updates.clone();
    let api: Api<DeserializeGuard<Namespace>> = Api::all(client);
    let watching = Watch { api, config: watcher::Config::default(), terms: Terms { updates: sender, ..terms } }.run();
    let choosing = async {
        let (mut names, mut listed) = (BTreeSet::new(), false);
        while let Some(update) = inbox.recv().await {
            for change in &update.changes {
                take(&mut names, selector.as_ref(), change);
            }
            listed |= update.listed.is_some();
            if listed && !is_all {
                let reach = Some(Reach::Each(Arc::new(names.clone())));
                chosen.send_if_modified(|now| {
                    *now != reach && {
                        *now = reach;
                        true
                    }
                });
            }
            if updates.send(update).await.is_err() {
                return;
            }
        }
    };
    tokio::join!(watching, choosing);
}

fn take(names: &mut BTreeSet<String>, selector: Option<&Selector>, change: &Change) {
    let (name, is_chosen) = match change {
        Change::Put(Any::Namespace(namespace)) => {
            let labels = namespace.metadata.labels.as_ref();
            (namespace.metadata.name.clone(), selector.is_some_and(|selector| selector.matches(labels)))
        }
        Change::Put(_) => return,
        Change::Remove(key) => (Some(key.name.name.to_string()), false),
    };
    let Some(name) = name else { return };
    match is_chosen {
        true => drop(names.insert(name)),
        false => drop(names.remove(&name)),
    }
}

/// Whether our account may read in all namespaces, by what the API server says of it. It is asked once, when we start.
async fn may_read_all(client: &Client, terms: &Terms) -> bool {
    let mut pauses = pauses();
    loop {
        match are_granted(client).await {
            Ok(granted) => {
                if !granted {
                    tracing::info!(
                        "may not read all namespaces: those that the selector chooses are watched one by one"
                    );
                }
                return granted;
            }
            // Everybody may ask this, unless somebody took it away. Who may read everything may read each namespace, too;
            // the other way round it would be waited for without end.
            Err(kube::Error::Api(status)) if status.code == 403 => {
                tracing::info!(
                    "may not ask whether it may read all namespaces: those that the selector chooses are watched one by one"
                );
                return false;
            }
            Err(error) => {
                terms.board.still_missing(&terms.list, &explain(&error));
                sleep(pauses.next().unwrap_or_default()).await;
            }
        }
    }
}

async fn are_granted(client: &Client) -> kube::Result<bool> {
    let reviews = Api::<SelfSubjectAccessReview>::all(client.clone());
    for (group, resource) in READ {
        let attributes = ResourceAttributes {
            group: Some(group.to_owned()),
            resource: Some(resource.to_owned()),
            verb: Some("list".to_owned()),
            ..ResourceAttributes::default()
        };
        let spec = SelfSubjectAccessReviewSpec { resource_attributes: Some(attributes), ..Default::default() };
        let review = SelfSubjectAccessReview { spec, ..Default::default() };
        let answer = reviews.create(&PostParams::default(), &review).await?;
        if !answer.status.is_some_and(|status| status.allowed) {
            return Ok(false);
        }
    }
    Ok(true)
}
