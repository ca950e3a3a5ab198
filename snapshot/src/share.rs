//! Sharing between a snapshot and the one before.

use std::{collections::HashMap, sync::Arc};

use crate::{Change, Map, PathMatch, Route, RouteTable, Snapshot};

impl Snapshot {
    /// Puts back the old `Arc` wherever the new value equals the old one.
    #[must_use]
    pub fn share(mut self, previous: &Snapshot) -> Self {
        share_map(&mut self.listeners, &previous.listeners, same);
        // A table that changed still shares the routes that did not, so that their live state is kept.
        share_map(&mut self.tables, &previous.tables, table);
        share_map(&mut self.upstreams, &previous.upstreams, same);
        share_map(&mut self.endpoints, &previous.endpoints, same);
        share_map(&mut self.certs, &previous.certs, same);
        share_map(&mut self.keys, &previous.keys, same);
        self
    }

    /// Whether both say the same, whatever their ids are.
    pub fn same_content(&self, other: &Snapshot) -> bool {
        let Self {
            id: _,
            listeners,
            tables,
            upstreams,
            endpoints,
            certs,
            keys,
            ticket_key,
            drain_timeout,
            connections,
        } = self;
        *listeners == other.listeners
            && *tables == other.tables
            && *upstreams == other.upstreams
            && *endpoints == other.endpoints
            && *certs == other.certs
            && *keys == other.keys
            && *ticket_key == other.ticket_key
            && *drain_timeout == other.drain_timeout
            && *connections == other.connections
    }
}

/// The old map, with what is not the same in the new one: so they have all else in common. `share` is given the new value
/// and the old one, and returns the one to keep.
fn share_map<K: Ord + Clone, V>(new: &mut Map<K, V>, old: &Map<K, V>, share: fn(&Arc<V>, &Arc<V>) -> Arc<V>) {
    let mut shared = old.clone();
    for Change { key, old, new } in new.changes(old) {
        match (old, new) {
            (Some(old), Some(new)) => {
                let kept = share(new, old);
                if !Arc::ptr_eq(&kept, old) {
                    shared.insert(key.clone(), kept);
                }
            }
            (None, Some(new)) => drop(shared.insert(key.clone(), Arc::clone(new))),
            (_, None) => drop(shared.remove(key)),
        }
    }
    *new = shared;
}

fn same<V: PartialEq>(new: &Arc<V>, old: &Arc<V>) -> Arc<V> {
    Arc::clone(if new == old { old } else { new })
}

/// The table of now; the one before, or its routes, wherever they say the same.
pub(crate) fn table(new: &Arc<RouteTable>, old: &Arc<RouteTable>) -> Arc<RouteTable> {
    if new == old {
        return Arc::clone(old);
    }
    let mut shared = RouteTable::clone(new);
    share_routes(&mut shared, old);
    Arc::new(shared)
}

fn share_routes(new: &mut RouteTable, old: &RouteTable) {
    let by_path: HashMap<&PathMatch, &Arc<Route>> = old.routes.iter().map(|route| (&route.path, route)).collect();
    for route in &mut new.routes {
        if let Some(old) = by_path.get(&route.path)
            && *old == route
        {
            *route = Arc::clone(old);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Action, Origin};

    fn route(path: &str, status: u16) -> Arc<Route> {
        Arc::new(Route {
            origin: Arc::new(Origin::new("Ingress", "default", "a")),
            path: PathMatch::Prefix(path.into()),
            label: path.into(),
            max_body: None,
            filters: Vec::new(),
            then: Action::Respond { status, reason: "test".into() },
        })
    }

    fn snapshot(routes: Vec<Arc<Route>>) -> Snapshot {
        Snapshot {
            tables: [("a.b".into(), Arc::new(RouteTable { routes, client_cert: None, hsts: None }))].into(),
            ..Snapshot::default()
        }
    }

    #[test]
    fn equal_tables_are_one() {
        let old = snapshot(vec![route("/x", 200)]);
        let new = snapshot(vec![route("/x", 200)]).share(&old);
        assert!(new.same_content(&old));
        assert!(new.tables.is(&old.tables));
    }

    #[test]
    fn equal_routes_of_changed_tables_are_one() {
        let old = snapshot(vec![route("/x", 200), route("/y", 200)]);
        let new = snapshot(vec![route("/x", 200), route("/y", 503)]).share(&old);
        assert!(!new.same_content(&old));
        let (new, old) = (&new.tables.get("a.b").unwrap().routes, &old.tables.get("a.b").unwrap().routes);
        assert!(Arc::ptr_eq(&new[0], &old[0]));
        assert!(!Arc::ptr_eq(&new[1], &old[1]));
    }
}
