//! Holds the Secrets that something names, and no other, in as few watches as that takes.
//!
//! - One watch is of all Secrets of type `kubernetes.io/tls`. Of those that nothing names only the name is kept.
//! - A Secret that comes to be named is asked for by its name. If the watch above tells of it, that is done once;
//!   otherwise it is of another type or does not exist, and is watched by its name for as long as something names it.
//! - Where that came to be too many watches, one of all other Secrets takes their place until they are few again. Of those
//!   that nothing names nothing is kept, but they are sent to us meanwhile.
//! - The default certificate has a watch of its own wherever its namespace may not be one of those that are watched. So has
//!   what an Ingress names outside of those that a selector chooses; those are never many.
//!
//! The cycle says what is named, under a number, and goes on compiling when it gets that number back: what is there is
//! with it by then.

mod asking;
mod bounds;
mod singles;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

pub(crate) use asking::{Asking, Held};
use bounds::Bounds;
use compile::{NamespacedName, Options};
use singles::Singles;
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, sleep_until},
};

use crate::{
    board::Board,
    cycle::Update,
    object::{Change, Key, Kind, Object},
    source::cluster::{self, Scope, Watches},
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

/// When a Secret whose namespace was left is asked for by its name: what names it has mostly gone with it by then.
pub(crate) const AFTER: Duration = Duration::from_secs(5);

/// What is named.
#[derive(Clone, Default)]
pub(crate) struct Named {
    /// Told back when all of them are known; the first is 1.
    pub(crate) number: u64,
    pub(crate) secrets: Arc<BTreeSet<NamespacedName>>,
}

/// The watches of many.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Many {
    /// Of type `kubernetes.io/tls`.
    Tls,
    /// Of all other types.
    Rest,
}

/// Follows what is named.
pub(crate) struct Keeper {
    scope: Scope,
    bounds: Bounds,
    board: Arc<Board>,
    updates: mpsc::Sender<Update>,
    named: Named,
    /// The last number that was told back.
    answered: u64,
    /// Named, and it is not known yet whether they exist.
    waiting: BTreeSet<NamespacedName>,
    deadline: Instant,
    many: Watches<Many>,
    /// The names that the watch of type `kubernetes.io/tls` tells of.
    tls: BTreeSet<NamespacedName>,
    /// What that watch told before it was known what is named.
    early: Option<BTreeMap<NamespacedName, Object>>,
    singles: Singles,
    /// Whether the watch of the rest has told of all of them.
    rest_listed: bool,
    /// Secrets that were in a watch of many: what a watch of one lacks is gone.
    handed_over: BTreeSet<NamespacedName>,
    /// Outside of what is watched, and to be asked for later, if they are still named.
    postponed: BTreeSet<NamespacedName>,
    later: Instant,
}

impl Keeper {
    /// Begins to watch. What is held goes to `updates`.
    pub(crate) fn new(scope: Scope, options: &Options, board: Arc<Board>, updates: mpsc::Sender<Update>) -> Self {
        let mut many = Watches::new(Arc::clone(&board));
        many.open(Many::Tls, cluster::tls_secrets(&scope), None);
        Self {
            singles: Singles::new(scope.client().clone(), Arc::clone(&board)),
            bounds: Bounds::new(scope.clone(), options),
            scope,
            board,
            updates,
            named: Named::default(),
            answered: 0,
            waiting: BTreeSet::new(),
            deadline: Instant::now(),
            many,
            tls: BTreeSet::new(),
            early: Some(BTreeMap::new()),
            rest_listed: false,
            handed_over: BTreeSet::new(),
            postponed: BTreeSet::new(),
            later: Instant::now(),
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
                (which, update) = self.many.next() => self.take_many(which, update, &mut out),
                (name, update) = self.singles.next() => self.take_single(&name, update, &mut out),
                namespaces = self.scope.left() => self.leave_singles(&namespaces),
                () = sleep_until(self.deadline), if !self.waiting.is_empty() => self.give_up(),
                () = sleep_until(self.later), if !self.postponed.is_empty() => {
                    let names = std::mem::take(&mut self.postponed);
                    self.ask(names.into_iter().collect(), &mut out);
                }
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
            self.let_be(gone);
            out.changes.push(Change::Remove(key(gone)));
        }
        let first = self.early.is_some();
        let mut early = self.early.take().unwrap_or_default();
        let mut unknown = Vec::new();
        for name in now.difference(&before.secrets) {
            match early.remove(name) {
                Some(object) => out.changes.push(Change::Put(object)),
                None if self.bounds.may_be_read(name) => unknown.push(name.clone()),
                None => {}
            }
        }
        self.waiting.extend(unknown.iter().cloned());
        self.deadline = Instant::now() + if first { FIRST } else { LATER };
        if first && !self.waiting.is_empty() {
            self.board.missing(BY_NAME, self.some_waiting());
        }
        self.leave_the_rest();
        self.ask(unknown, out);
    }

    /// Finds out about Secrets that nothing is known of.
    fn ask(&mut self, unknown: Vec<NamespacedName>, out: &mut Update) {
        let (outside, unknown): (Vec<_>, Vec<_>) = unknown.into_iter().partition(|name| self.bounds.is_outside(name));
        self.ask_outside(outside, out);
        let alone = unknown.iter().filter(|name| self.bounds.is_inside(name) && !self.is_told_of(name)).count();
        let open = self.singles.names().filter(|name| self.bounds.is_inside(name)).count();
        if !self.many.is_open(&Many::Rest) && open.saturating_add(alone) > MANY {
            self.many.open(Many::Rest, cluster::other_secrets(&self.scope), None);
        }
        // The list that is under way tells.
        let listing = self.many.is_open(&Many::Rest) && !self.rest_listed;
        for name in unknown {
            let told = self.is_told_of(&name);
            if told || !listing || self.bounds.is_pinned(&name) {
                self.watch_one(name, told);
            }
        }
    }

    /// No watch of many can take the place of these: they are asked for as far as there is room.
    fn ask_outside(&mut self, names: Vec<NamespacedName>, out: &mut Update) {
        let open = self.singles.names().filter(|name| self.bounds.is_outside(name)).count();
        let room = MANY.saturating_sub(open);
        for (number, name) in names.into_iter().enumerate() {
            if number < room {
                self.watch_one(name, false);
                continue;
            }
            if self.handed_over.remove(&name) {
                out.changes.push(Change::Remove(key(&name)));
            }
            self.postpone(name);
        }
    }

    fn watch_one(&mut self, name: NamespacedName, once: bool) {
        let without = self.bounds.without(&name);
        self.singles.open(name, once, without);
    }

    /// Nobody waits for it.
    fn postpone(&mut self, name: NamespacedName) {
        if self.postponed.is_empty() {
            self.later = Instant::now() + AFTER;
        }
        self.waiting.remove(&name);
        self.postponed.insert(name);
    }

    /// Its namespace is not watched any more. It is held until it is clear whether something else names it, and what became
    /// of it.
    fn leave(&mut self, name: NamespacedName) {
        self.let_be(&name);
        self.handed_over.insert(name.clone());
        self.postpone(name);
    }

    /// Of these namespaces no watch of many tells what became of them.
    fn leave_singles(&mut self, namespaces: &BTreeSet<String>) {
        let left = |name: &&NamespacedName| namespaces.contains(&*name.namespace) && !self.bounds.is_pinned(name);
        let left: Vec<NamespacedName> = self.singles.names().filter(left).cloned().collect();
        left.into_iter().for_each(|name| self.leave(name));
    }

    /// Nothing more is to be found out about it.
    fn let_be(&mut self, name: &NamespacedName) {
        self.singles.close(name);
        self.waiting.remove(name);
        self.handed_over.remove(name);
        self.postponed.remove(name);
    }

    /// Watches each of them by its name again, where they are few.
    fn leave_the_rest(&mut self) {
        let from_rest = |name: &&NamespacedName| self.bounds.is_inside(name) && !self.tls.contains(*name);
        if !self.rest_listed || self.named.secrets.iter().filter(from_rest).count() > FEW {
            return;
        }
        let names: Vec<NamespacedName> = self.named.secrets.iter().filter(from_rest).cloned().collect();
        self.many.close(&Many::Rest);
        self.rest_listed = false;
        for name in names {
            self.watch_one(name.clone(), false);
            self.handed_over.insert(name);
        }
    }

    fn take_many(&mut self, which: Many, mut update: Update, out: &mut Update) {
        update.changes.retain(|change| !self.bounds.is_pinned(&change.key().name));
        match which {
            Many::Tls => self.take_tls(update, out),
            Many::Rest => self.take_rest(update, out),
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
                    if !self.named.secrets.contains(&key.name) {
                        continue;
                    }
                    if self.bounds.is_outside(&key.name) {
                        self.leave(key.name);
                        continue;
                    }
                    // Another one of the same name may be of another type.
                    self.singles.close(&key.name);
                    self.ask(vec![key.name.clone()], out);
                    out.changes.push(Change::Remove(key));
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
                    match self.bounds.is_outside(&key.name) {
                        true => self.leave(key.name),
                        false => out.changes.push(Change::Remove(key)),
                    }
                }
                Change::Remove(_) => {}
            }
        }
        if update.listed.is_some() {
            self.rest_listed = true;
            self.settle(out);
        }
    }

    /// What is in neither list does not exist; what the other one tells of is being asked for.
    fn settle(&mut self, out: &mut Update) {
        let (bounds, tls) = (&self.bounds, &self.tls);
        let settled = |name: &NamespacedName| bounds.is_inside(name) && !tls.contains(name);
        self.waiting.retain(|name| !settled(name));
        self.singles.close_all(settled);
        self.handed_over.retain(|name| {
            let gone = settled(name);
            if gone {
                out.changes.push(Change::Remove(key(name)));
            }
            !gone
        });
        // Left while the list was under way.
        let unasked: Vec<_> = self.waiting.iter().filter(|name| !self.singles.is_open(name)).cloned().collect();
        self.ask(unasked, out);
    }

    fn take_single(&mut self, name: &NamespacedName, update: Update, out: &mut Update) {
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
            self.let_be(name);
            out.changes.push(Change::Put(object));
        }
    }

    /// Whether a watch of many tells of changes of this Secret.
    fn is_told_of(&self, name: &NamespacedName) -> bool {
        self.tls.contains(name) || (self.rest_listed && self.bounds.is_inside(name))
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

fn key(name: &NamespacedName) -> Key {
    Key { kind: Kind::Secret, name: name.clone() }
}
