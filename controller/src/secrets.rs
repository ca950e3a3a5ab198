//! Holds the Secrets that something names, and no other, in as few watches as that takes.
//!
//! - One watch is of all Secrets of type `kubernetes.io/tls`. Of those that nothing names only the name is kept.
//! - A Secret that comes to be named is asked for by its name. If the watch above tells of it, that is done once;
//!   otherwise it is of another type or does not exist, and is watched by its name for as long as something names it.
//! - Where that came to be too many watches, one of all other Secrets takes their place until they are few again. Of those
//!   that nothing names nothing is kept, but they are sent to us meanwhile.
//!
//! The cycle says what is named, under a number, and goes on compiling when it gets that number back: what is there is
//! with it by then.

mod asking;
mod rest;
mod singles;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

pub(crate) use asking::{Asking, Held};
use compile::{NamespacedName, Options};
use rest::Rest;
use singles::Singles;
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
    time::{Instant, sleep_until},
};

use crate::{
    board::Board,
    cycle::Update,
    object::{Change, Key, Kind, Object},
    source::cluster::{self, Scope},
};

/// So many Secrets are watched each by its name; where there are more, one watch is less to the API server.
const MANY: usize = 100;

/// When there are so few again, each is watched by its name again.
const FEW: usize = 50;

/// How long the very first compile waits for Secrets: nothing is served yet, and should not be with a wrong certificate.
const FIRST: Duration = Duration::from_secs(30);

/// How long a later one does.
const LATER: Duration = Duration::from_secs(2);

/// What the first snapshot waits for then.
const BY_NAME: &str = "secrets by name";

/// Updates of one watch that wait.
const UPDATES: usize = 16;

/// What is named.
#[derive(Clone, Default)]
pub(crate) struct Named {
    /// Told back when all of them are known; the first is 1.
    pub(crate) number: u64,
    pub(crate) secrets: Arc<BTreeSet<NamespacedName>>,
}

/// Follows what is named.
pub(crate) struct Keeper {
    scope: Scope,
    options: Options,
    board: Arc<Board>,
    updates: mpsc::Sender<Update>,
    named: Named,
    /// The last number that was told back.
    answered: u64,
    /// Named, and it is not known yet whether they exist.
    waiting: BTreeSet<NamespacedName>,
    deadline: Instant,
    from_tls: mpsc::Receiver<Update>,
    /// The names that the watch of type `kubernetes.io/tls` tells of.
    tls: BTreeSet<NamespacedName>,
    /// What that watch told before it was known what is named.
    early: Option<BTreeMap<NamespacedName, Object>>,
    singles: Singles,
    /// Secrets that were in the watch of the rest: what a watch of one lacks is gone.
    handed_over: BTreeSet<NamespacedName>,
    rest: Option<Rest>,
    /// The watch of the first kind.
    _tls_task: JoinSet<()>,
}

impl Keeper {
    /// Begins to watch. What is held goes to `updates`.
    pub(crate) fn new(scope: Scope, options: Options, board: Arc<Board>, updates: mpsc::Sender<Update>) -> Self {
        let (tls_updates, from_tls) = mpsc::channel(UPDATES);
        let mut tls_task = JoinSet::new();
        tls_task.spawn(cluster::tls_secrets(&scope).run(tls_updates, Arc::clone(&board)));
        Self {
            singles: Singles::new(scope.client().clone(), Arc::clone(&board)),
            scope,
            options,
            board,
            updates,
            named: Named::default(),
            answered: 0,
            waiting: BTreeSet::new(),
            deadline: Instant::now(),
            from_tls,
            tls: BTreeSet::new(),
            early: Some(BTreeMap::new()),
            handed_over: BTreeSet::new(),
            rest: None,
            _tls_task: tls_task,
        }
    }

    /// Works for as long as somebody takes the updates.
    pub(crate) async fn run(mut self, mut named: watch::Receiver<Named>) {
        loop {
            let mut out = Update::default();
            tokio::select! {
                Ok(()) = named.changed() => {
                    let now = named.borrow_and_update().clone();
                    self.take_named(now, &mut out);
                }
                Some(update) = self.from_tls.recv() => self.take_tls(update, &mut out),
                update = rest::next(&mut self.rest) => self.take_rest(update, &mut out),
                (name, update) = self.singles.next() => self.take_single(&name, update, &mut out),
                () = sleep_until(self.deadline), if !self.waiting.is_empty() => self.give_up(),
            }
            if self.waiting.is_empty() && self.answered != self.named.number {
                self.answered = self.named.number;
                out.named = Some(self.answered);
                self.board.arrived(BY_NAME);
            }
            if out.says_something() && self.updates.send(out).await.is_err() {
                return;
            }
        }
    }

    fn take_named(&mut self, now: Named, out: &mut Update) {
        let before = std::mem::replace(&mut self.named, now);
        let now = Arc::clone(&self.named.secrets);
        for gone in before.secrets.difference(&now) {
            self.singles.close(gone);
            self.handed_over.remove(gone);
            self.waiting.remove(gone);
            out.changes.push(Change::Remove(key(gone)));
        }
        let first = self.early.is_some();
        let mut early = self.early.take().unwrap_or_default();
        let mut unknown = Vec::new();
        for name in now.difference(&before.secrets) {
            match early.remove(name) {
                Some(object) => out.changes.push(Change::Put(object)),
                None if self.may_be_read(name) => unknown.push(name.clone()),
                None => {}
            }
        }
        self.waiting.extend(unknown.iter().cloned());
        self.deadline = Instant::now() + if first { FIRST } else { LATER };
        if first && !self.waiting.is_empty() {
            self.board.missing(BY_NAME, self.some_waiting());
        }
        self.leave_the_rest();
        self.ask(unknown);
    }

    /// Finds out about Secrets that nothing is known of.
    fn ask(&mut self, unknown: Vec<NamespacedName>) {
        let alone = unknown.iter().filter(|name| !self.is_told_of(name)).count();
        if self.rest.is_none() && self.singles.len().saturating_add(alone) > MANY {
            let planned = cluster::other_secrets(&self.scope);
            self.rest = Some(Rest::watch(planned, &self.board));
        }
        for name in unknown {
            let told = self.is_told_of(&name);
            // The list that is under way tells.
            let listing = self.rest.as_ref().is_some_and(|rest| !rest.is_listed());
            if told || !listing || !self.in_scope(&name) {
                self.singles.open(name, told);
            }
        }
    }

    /// Watches each of them by its name again, where they are few.
    fn leave_the_rest(&mut self) {
        let from_rest = |name: &&NamespacedName| self.in_scope(name) && !self.tls.contains(*name);
        if !self.rest.as_ref().is_some_and(Rest::is_listed) || self.named.secrets.iter().filter(from_rest).count() > FEW
        {
            return;
        }
        let names: Vec<NamespacedName> = self.named.secrets.iter().filter(from_rest).cloned().collect();
        if let Some(rest) = self.rest.take() {
            rest.close();
        }
        for name in names {
            self.singles.open(name.clone(), false);
            self.handed_over.insert(name);
        }
    }

    fn take_tls(&mut self, update: Update, out: &mut Update) {
        out.listed = update.listed;
        for change in update.changes {
            match change {
                Change::Put(object) => {
                    let name = object.key().name;
                    self.tls.insert(name.clone());
                    match &mut self.early {
                        Some(early) => drop(early.insert(name, object)),
                        None => self.put(&name, object, out),
                    }
                }
                Change::Remove(key) => {
                    self.tls.remove(&key.name);
                    self.early.as_mut().and_then(|early| early.remove(&key.name));
                    if self.named.secrets.contains(&key.name) {
                        // Another one of the same name may be of another type.
                        self.singles.close(&key.name);
                        self.ask(vec![key.name.clone()]);
                        out.changes.push(Change::Remove(key));
                    }
                }
            }
        }
    }

    fn take_rest(&mut self, update: Update, out: &mut Update) {
        for change in update.changes {
            match change {
                Change::Put(object) => self.put(&object.key().name, object, out),
                // One of the same name and of type `kubernetes.io/tls` may be there already.
                Change::Remove(key) if self.named.secrets.contains(&key.name) && !self.tls.contains(&key.name) => {
                    out.changes.push(Change::Remove(key));
                }
                Change::Remove(_) => {}
            }
        }
        if update.listed.is_some() {
            self.rest.iter_mut().for_each(Rest::listed);
            // What is in neither list does not exist; what the other one tells of is being asked for.
            let (tls, namespace) = (&self.tls, self.options.watch_namespace.as_deref());
            let settled = |name: &NamespacedName| in_scope(namespace, name) && !tls.contains(name);
            self.waiting.retain(|name| !settled(name));
            self.singles.close_all(settled);
        }
    }

    fn take_single(&mut self, name: &NamespacedName, update: Update, out: &mut Update) {
        if !self.singles.is_open(name) {
            return; // told before it was closed
        }
        self.waiting.remove(name);
        if self.handed_over.remove(name) && update.changes.is_empty() {
            out.changes.push(Change::Remove(key(name)));
        }
        out.changes.extend(update.changes);
        if self.is_told_of(name) {
            self.singles.close(name);
        }
    }

    /// A watch of many tells of a Secret.
    fn put(&mut self, name: &NamespacedName, object: Object, out: &mut Update) {
        if self.named.secrets.contains(name) {
            self.singles.close(name);
            self.waiting.remove(name);
            out.changes.push(Change::Put(object));
        }
    }

    /// Whether a watch of many tells of changes of this Secret.
    fn is_told_of(&self, name: &NamespacedName) -> bool {
        self.tls.contains(name) || (self.rest.as_ref().is_some_and(Rest::is_listed) && self.in_scope(name))
    }

    fn in_scope(&self, name: &NamespacedName) -> bool {
        in_scope(self.options.watch_namespace.as_deref(), name)
    }

    /// Outside of the watched namespace only what a flag names: no Ingress makes us ask for anything there.
    fn may_be_read(&self, name: &NamespacedName) -> bool {
        self.in_scope(name) || self.options.default_ssl_certificate.as_ref() == Some(name)
    }

    fn give_up(&mut self) {
        tracing::warn!("the API server is slow, so that it goes on without Secrets: {}", self.some_waiting());
        self.waiting.clear();
    }

    /// Not all of them: they may be thousands.
    fn some_waiting(&self) -> String {
        let names: Vec<String> = self.waiting.iter().take(3).map(ToString::to_string).collect();
        let more = if self.waiting.len() > names.len() { ", …" } else { "" };
        format!("{}{more}", names.join(", "))
    }
}

fn in_scope(namespace: Option<&str>, name: &NamespacedName) -> bool {
    namespace.is_none_or(|namespace| namespace.is_empty() || *namespace == *name.namespace)
}

fn key(name: &NamespacedName) -> Key {
    Key { kind: Kind::Secret, name: name.clone() }
}
