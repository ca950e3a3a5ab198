//! What a snapshot consists of, a piece at a time.

use std::{sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{
    Cert, CertId, ConnectionLimits, EndpointSet, Listener, ListenerId, Map, RouteTable, ServicePort, Snapshot, TableId,
    Upstream, UpstreamId, share,
};

/// A piece, by name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Piece {
    /// What has no name.
    Globals(Globals),
    /// A listener.
    Listener(ListenerId, Arc<Listener>),
    /// The routes of a host.
    Table(TableId, Arc<RouteTable>),
    /// A backend.
    Upstream(UpstreamId, Arc<Upstream>),
    /// The endpoints of a Service's port.
    Endpoints(ServicePort, Arc<EndpointSet>),
    /// A certificate, without its chain.
    Cert(CertId, Arc<Cert>),
}

/// What a snapshot says of everything.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Globals {
    /// See [`Snapshot::drain_timeout`].
    pub drain_timeout: Duration,
    /// See [`Snapshot::connections`].
    pub connections: ConnectionLimits,
}

/// The name of a piece that is gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum PieceId {
    /// A listener.
    Listener(ListenerId),
    /// The routes of a host.
    Table(TableId),
    /// A backend.
    Upstream(UpstreamId),
    /// The endpoints of a Service's port.
    Endpoints(ServicePort),
    /// A certificate.
    Cert(CertId),
    /// A private key.
    Key(CertId),
    /// What the keys of session tickets come from.
    TicketKey,
}

impl Piece {
    /// Whether `snapshot` has it, the very same.
    pub fn is_in(&self, snapshot: &Snapshot) -> bool {
        match self {
            Self::Globals(Globals { drain_timeout, connections }) => {
                (*drain_timeout, *connections) == (snapshot.drain_timeout, snapshot.connections)
            }
            Self::Listener(id, piece) => is_in(&snapshot.listeners, id, piece),
            Self::Table(id, piece) => is_in(&snapshot.tables, id, piece),
            Self::Upstream(id, piece) => is_in(&snapshot.upstreams, id, piece),
            Self::Endpoints(id, piece) => is_in(&snapshot.endpoints, id, piece),
            Self::Cert(id, piece) => is_in(&snapshot.certs, id, piece),
        }
    }

    /// Puts it into `snapshot`; where it says what the piece of `held` says, it is that one again.
    pub fn put_into(self, snapshot: &mut Snapshot, held: Option<&Snapshot>) {
        match self {
            Self::Globals(Globals { drain_timeout, connections }) => {
                snapshot.drain_timeout = drain_timeout;
                snapshot.connections = connections;
            }
            Self::Listener(id, new) => put(&mut snapshot.listeners, held.map(|held| &held.listeners), id, new),
            Self::Table(id, new) => {
                let old = held.and_then(|held| held.tables.get(&id));
                let table = old.map_or_else(|| Arc::clone(&new), |old| share::table(&new, old));
                snapshot.tables.insert(id, table);
            }
            Self::Upstream(id, new) => put(&mut snapshot.upstreams, held.map(|held| &held.upstreams), id, new),
            Self::Endpoints(id, new) => put(&mut snapshot.endpoints, held.map(|held| &held.endpoints), id, new),
            Self::Cert(id, new) => put(&mut snapshot.certs, held.map(|held| &held.certs), id, new),
        }
    }
}

impl PieceId {
    pub(super) fn remove_from(&self, snapshot: &mut Snapshot) {
        match self {
            Self::Listener(id) => drop(snapshot.listeners.remove(id)),
            Self::Table(id) => drop(snapshot.tables.remove(id)),
            Self::Upstream(id) => drop(snapshot.upstreams.remove(id)),
            Self::Endpoints(id) => drop(snapshot.endpoints.remove(id)),
            Self::Cert(id) => drop(snapshot.certs.remove(id)),
            Self::Key(id) => drop(snapshot.keys.remove(id)),
            Self::TicketKey => snapshot.ticket_key = None,
        }
    }
}

fn is_in<K: Ord + Clone, V>(map: &Map<K, V>, id: &K, piece: &Arc<V>) -> bool {
    map.get(id).is_some_and(|held| Arc::ptr_eq(held, piece))
}

/// Puts a value in; where it equals the one that is held, it is that one again.
pub(super) fn put<K: Ord + Clone, V: PartialEq>(map: &mut Map<K, V>, held: Option<&Map<K, V>>, id: K, new: Arc<V>) {
    let same = held.and_then(|held| held.get(&id)).filter(|old| **old == new).cloned();
    map.insert(id, same.unwrap_or(new));
}
