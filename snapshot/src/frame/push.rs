//! From a snapshot to frames.

use std::{collections::BTreeMap, sync::Arc};

use super::{Begin, Frame, Globals, Piece, PieceId, material};
use crate::{CertId, Map, Snapshot};

/// The frames that make `next` out of `base`; without one, out of nothing.
pub fn push(base: Option<&Snapshot>, next: &Snapshot) -> Vec<Frame> {
    let Snapshot { id, listeners, tables, upstreams, endpoints, certs, keys, ticket_key, drain_timeout, connections } =
        next;
    let mut push = Push::default();
    push.frames.push(Frame::Begin(Begin { base: base.map(|base| base.id), id: *id }));

    let globals = Globals { drain_timeout: *drain_timeout, connections: *connections };
    if base.is_none_or(|base| (base.drain_timeout, base.connections) != (*drain_timeout, *connections)) {
        push.put(Piece::Globals(globals));
    }
    let nothing = Snapshot::default();
    let base = base.unwrap_or(&nothing);
    let (changed, gone) = difference(&base.certs, certs);
    for (id, cert) in changed {
        push.frames.push(Frame::Chain(CertId::clone(id), cert.chain.clone()));
        push.put(Piece::Cert(id.clone(), Arc::clone(cert)));
    }
    push.remove_all(gone, PieceId::Cert);
    let (changed, gone) = difference(&base.keys, keys);
    push.frames.extend(changed.into_iter().map(|(id, key)| Frame::Key(id.clone(), Arc::clone(key))));
    push.remove_all(gone, PieceId::Key);
    push.all(difference(&base.endpoints, endpoints), Piece::Endpoints, PieceId::Endpoints);
    push.all(difference(&base.upstreams, upstreams), Piece::Upstream, PieceId::Upstream);
    push.all(difference(&base.tables, tables), Piece::Table, PieceId::Table);
    push.all(difference(&base.listeners, listeners), Piece::Listener, PieceId::Listener);
    match (&base.ticket_key, ticket_key) {
        (Some(_), None) => push.frames.push(Frame::Remove(PieceId::TicketKey)),
        (old, Some(new)) if old.as_ref() != Some(new) => push.frames.push(Frame::TicketKey(new.clone())),
        (_, _) => {}
    }
    push.frames.push(Frame::Commit);
    push.frames
}

#[derive(Default)]
struct Push {
    frames: Vec<Frame>,
    /// The bundles that are on their way already.
    sent: BTreeMap<material::Name, material::Bundle>,
}

impl Push {
    /// A piece, and before it the bundles that it names.
    fn put(&mut self, piece: Piece) {
        for bundle in material::of(&piece) {
            let sent = self.sent.insert(bundle.name(), bundle.clone());
            if sent.is_none_or(|sent| sent != bundle) {
                self.frames.push(match bundle {
                    material::Bundle::Ca(ca) => Frame::Ca(ca),
                    material::Bundle::Anchors(anchors) => Frame::Anchors(anchors),
                });
            }
        }
        self.frames.push(Frame::Put(piece));
    }

    fn all<K: Clone, V>(
        &mut self,
        (changed, gone): Difference<'_, K, V>,
        piece: fn(K, Arc<V>) -> Piece,
        name: fn(K) -> PieceId,
    ) {
        changed.into_iter().for_each(|(id, value)| self.put(piece(id.clone(), Arc::clone(value))));
        self.remove_all(gone, name);
    }

    fn remove_all<K: Clone>(&mut self, gone: Vec<&K>, name: fn(K) -> PieceId) {
        self.frames.extend(gone.into_iter().map(|id| Frame::Remove(name(id.clone()))));
    }
}

/// What is new in a map, or says something else than before; and what is gone.
type Difference<'a, K, V> = (Vec<(&'a K, &'a Arc<V>)>, Vec<&'a K>);

fn difference<'a, K: Ord, V: PartialEq>(base: &'a Map<K, V>, next: &'a Map<K, V>) -> Difference<'a, K, V> {
    let (mut changed, mut gone) = (Vec::new(), Vec::new());
    for change in next.changes(base).filter(|change| !change.says_the_same()) {
        match change.new {
            Some(new) => changed.push((change.key, new)),
            None => gone.push(change.key),
        }
    }
    (changed, gone)
}
