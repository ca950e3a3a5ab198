//! Certificates in DER that pieces name by fingerprint: each travels once for a push, and is held once.

use std::{collections::BTreeMap, sync::Arc};

use super::Piece;
use crate::{CaBundle, HostTls, Listener, Origin, RouteTable, Serves, TrustAnchors, Upstream};

/// A bundle inside of a piece.
#[derive(Clone, PartialEq)]
pub(super) enum Bundle {
    Ca(Arc<CaBundle>),
    Anchors(Arc<TrustAnchors>),
}

/// Where a bundle comes from and what it holds.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Name {
    Ca(Arc<Origin>, Arc<str>, bool),
    Anchors(Arc<Origin>, Arc<str>),
}

impl Bundle {
    pub(super) fn name(&self) -> Name {
        match self {
            Self::Ca(ca) => ca_name(ca),
            Self::Anchors(anchors) => anchors_name(anchors),
        }
    }
}

/// The bundles that a piece names.
pub(super) fn of(piece: &Piece) -> Vec<Bundle> {
    match piece {
        Piece::Listener(_, listener) => match &listener.serves {
            Serves::Tls { by_host, .. } => {
                let asking = by_host.values().filter_map(|host| host.client_auth.as_ref());
                asking.map(|auth| Bundle::Ca(Arc::clone(&auth.ca))).collect()
            }
            Serves::Http { .. } | Serves::Tcp(_) | Serves::Udp(_) => Vec::new(),
        },
        Piece::Table(_, table) => {
            let auth = table.client_cert.as_ref().and_then(|rule| rule.auth.as_ref());
            auth.map(|auth| Bundle::Ca(Arc::clone(&auth.ca))).into_iter().collect()
        }
        Piece::Upstream(_, upstream) => {
            let verify = upstream.tls.as_ref().and_then(|tls| tls.verify.as_ref());
            verify.map(|verify| Bundle::Anchors(Arc::clone(&verify.anchors))).into_iter().collect()
        }
        Piece::Globals(_) | Piece::Endpoints(..) | Piece::Cert(..) => Vec::new(),
    }
}

/// The bundles that came and are still used.
#[derive(Default)]
pub(super) struct Bundles {
    ca: BTreeMap<Name, Arc<CaBundle>>,
    anchors: BTreeMap<Name, Arc<TrustAnchors>>,
}

impl Bundles {
    pub(super) fn put_ca(&mut self, new: Arc<CaBundle>) {
        put(&mut self.ca, ca_name(&new), new);
    }

    pub(super) fn put_anchors(&mut self, new: Arc<TrustAnchors>) {
        put(&mut self.anchors, anchors_name(&new), new);
    }

    /// Forgets those that only this holds.
    pub(super) fn sweep(&mut self) {
        self.ca.retain(|_, ca| Arc::strong_count(ca) > 1);
        self.anchors.retain(|_, anchors| Arc::strong_count(anchors) > 1);
    }

    /// Gives a piece that was just read the contents of the bundles that it names. The origin of one that did not come
    /// is the error.
    pub(super) fn complete(&self, piece: &mut Piece) -> Result<(), Arc<Origin>> {
        match piece {
            Piece::Listener(_, listener) => self.complete_listener(listener),
            Piece::Table(_, table) => self.complete_table(table),
            Piece::Upstream(_, upstream) => self.complete_upstream(upstream),
            Piece::Globals(_) | Piece::Endpoints(..) | Piece::Cert(..) => Ok(()),
        }
    }

    fn complete_listener(&self, listener: &mut Arc<Listener>) -> Result<(), Arc<Origin>> {
        match &mut Arc::make_mut(listener).serves {
            Serves::Tls { by_host, .. } => by_host.values_mut().try_for_each(|host| self.complete_host(host)),
            Serves::Http { .. } | Serves::Tcp(_) | Serves::Udp(_) => Ok(()),
        }
    }

    fn complete_host(&self, host: &mut Arc<HostTls>) -> Result<(), Arc<Origin>> {
        match &mut Arc::make_mut(host).client_auth {
            Some(auth) => self.complete_ca(&mut Arc::make_mut(auth).ca),
            None => Ok(()),
        }
    }

    fn complete_table(&self, table: &mut Arc<RouteTable>) -> Result<(), Arc<Origin>> {
        let Some(rule) = &mut Arc::make_mut(table).client_cert else { return Ok(()) };
        match &mut Arc::make_mut(rule).auth {
            Some(auth) => self.complete_ca(&mut Arc::make_mut(auth).ca),
            None => Ok(()),
        }
    }

    fn complete_upstream(&self, upstream: &mut Arc<Upstream>) -> Result<(), Arc<Origin>> {
        let Some(tls) = &mut Arc::make_mut(upstream).tls else { return Ok(()) };
        let Some(verify) = &mut Arc::make_mut(tls).verify else { return Ok(()) };
        let held = self.anchors.get(&anchors_name(&verify.anchors));
        verify.anchors = Arc::clone(held.ok_or_else(|| Arc::clone(&verify.anchors.origin))?);
        Ok(())
    }

    fn complete_ca(&self, ca: &mut Arc<CaBundle>) -> Result<(), Arc<Origin>> {
        let held = self.ca.get(&ca_name(ca));
        *ca = Arc::clone(held.ok_or_else(|| Arc::clone(&ca.origin))?);
        Ok(())
    }
}

fn put<V: PartialEq>(map: &mut BTreeMap<Name, Arc<V>>, name: Name, new: Arc<V>) {
    if map.get(&name).is_none_or(|old| *old != new) {
        map.insert(name, new);
    }
}

fn ca_name(ca: &CaBundle) -> Name {
    Name::Ca(Arc::clone(&ca.origin), Arc::clone(&ca.fingerprint), ca.tell_names)
}

fn anchors_name(anchors: &TrustAnchors) -> Name {
    Name::Anchors(Arc::clone(&anchors.origin), Arc::clone(&anchors.fingerprint))
}
