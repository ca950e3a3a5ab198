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
    let (changed, gone) = difference(base.map(|base| &base.certs), certs);
    for (id, cert) in changed {
        push.frames.push(Frame::Chain(CertId::clone(id), cert.chain.clone()));
        push.put(Piece::Cert(id.clone(), Arc::clone(cert)));
    }
    push.remove_all(gone, PieceId::Cert);
    let (changed, gone) = difference(base.map(|base| &base.keys), keys);
    push.frames.extend(changed.into_iter().map(|(id, key)| Frame::Key(id.clone(), Arc::clone(key))));
    push.remove_all(gone, PieceId::Key);
    push.all(difference(base.map(|base| &base.endpoints), endpoints), Piece::Endpoints, PieceId::Endpoints);
    push.all(difference(base.map(|base| &base.upstreams), upstreams), Piece::Upstream, PieceId::Upstream);
    push.all(difference(base.map(|base| &base.tables), tables), Piece::Table, PieceId::Table);
    push.all(difference(base.map(|base| &base.listeners), listeners), Piece::Listener, PieceId::Listener);
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

/// What is new in a map, or another one than before; and what is gone.
type Difference<'a, K, V> = (Vec<(&'a K, &'a Arc<V>)>, Vec<&'a K>);

/// Walks along both maps once: what changes most often, the endpoints of one Service, is one entry of very many. What did
/// not change is the same `Arc`.
fn difference<'a, K: Ord, V: PartialEq>(
    base: Option<&'a BTreeMap<K, Arc<V>>>,
    next: &'a BTreeMap<K, Arc<V>>,
) -> Difference<'a, K, V> {
    let mut old = base.into_iter().flatten().peekable();
    let (mut changed, mut gone) = (Vec::new(), Vec::new());
    for (id, new) in next {
        while let Some((before, _)) = old.next_if(|(before, _)| *before < id) {
            gone.push(before);
        }
        match old.next_if(|(same, _)| *same == id) {
            Some((_, old)) if Arc::ptr_eq(old, new) || old == new => {}
            Some(_) | None => changed.push((id, new)),
        }
    }
    gone.extend(old.map(|(id, _)| id));
    (changed, gone)
}
