//! From a snapshot to frames.

use std::{collections::BTreeMap, sync::Arc};

use super::{Begin, Frame, Globals, Piece, PieceId, material};
use crate::{CertId, Snapshot};

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
    for (id, cert) in changed(base.map(|base| &base.certs), certs) {
        push.frames.push(Frame::Chain(CertId::clone(id), cert.chain.clone()));
        push.put(Piece::Cert(id.clone(), Arc::clone(cert)));
    }
    let keys_changed = changed(base.map(|base| &base.keys), keys);
    push.frames.extend(keys_changed.map(|(id, key)| Frame::Key(id.clone(), Arc::clone(key))));
    push.put_all(changed(base.map(|base| &base.endpoints), endpoints), Piece::Endpoints);
    push.put_all(changed(base.map(|base| &base.upstreams), upstreams), Piece::Upstream);
    push.put_all(changed(base.map(|base| &base.tables), tables), Piece::Table);
    push.put_all(changed(base.map(|base| &base.listeners), listeners), Piece::Listener);

    if let Some(base) = base {
        push.remove(&base.listeners, listeners, PieceId::Listener);
        push.remove(&base.tables, tables, PieceId::Table);
        push.remove(&base.upstreams, upstreams, PieceId::Upstream);
        push.remove(&base.endpoints, endpoints, PieceId::Endpoints);
        push.remove(&base.certs, certs, PieceId::Cert);
        push.remove(&base.keys, keys, PieceId::Key);
    }
    match (base.and_then(|base| base.ticket_key.as_ref()), ticket_key) {
        (Some(_), None) => push.frames.push(Frame::Remove(PieceId::TicketKey)),
        (old, Some(new)) if old != Some(new) => push.frames.push(Frame::TicketKey(new.clone())),
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

    fn put_all<'a, K: Clone + 'a, V: 'a>(
        &mut self,
        items: impl Iterator<Item = (&'a K, &'a Arc<V>)>,
        piece: fn(K, Arc<V>) -> Piece,
    ) {
        items.for_each(|(id, value)| self.put(piece(id.clone(), Arc::clone(value))));
    }

    fn remove<K: Ord + Clone, V>(&mut self, old: &BTreeMap<K, V>, new: &BTreeMap<K, V>, piece: fn(K) -> PieceId) {
        let gone = old.keys().filter(|id| !new.contains_key(*id));
        self.frames.extend(gone.map(|id| Frame::Remove(piece(id.clone()))));
    }
}

/// What is new in a map, or another one than before. What did not change is the same `Arc`, so this is cheap.
fn changed<'a, K: Ord, V: PartialEq>(
    base: Option<&'a BTreeMap<K, Arc<V>>>,
    next: &'a BTreeMap<K, Arc<V>>,
) -> impl Iterator<Item = (&'a K, &'a Arc<V>)> {
    let same = move |(id, new): &(&K, &Arc<V>)| {
        base.and_then(|base| base.get(*id)).is_some_and(|old| Arc::ptr_eq(old, new) || old == *new)
    };
    next.iter().filter(move |item| !same(item))
}
