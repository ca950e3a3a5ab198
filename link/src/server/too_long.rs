//! Items that fit into no frame. Each costs only itself: something else is sent in its place, and its owner hears of it.

use std::{collections::BTreeSet, sync::Arc};

use snapshot::{
    Action, EndpointSet, Origin, PathMatch, Rejection, Route, RouteTable, Snapshot, TableId,
    frame::{Frame, FrameError, Piece},
};

/// Those of the snapshot that is to be sent. They are remembered, so that none is written out again for each change of
/// something else.
#[derive(Default)]
pub(super) struct TooLong(Vec<Item>);

/// What the data plane serves that a snapshot is sent to.
#[derive(Clone, Copy)]
pub(super) enum Held<'a> {
    Nothing,
    This(&'a Snapshot),
    /// That of another controller, or of one before a restart of ours.
    Unknown,
}

struct Item {
    piece: Piece,
    /// None: it is left out.
    instead: Option<Piece>,
    rejected: Vec<Rejection>,
}

impl TooLong {
    /// Another data plane is to be sent to. What was left out for the last one may be held by this one, and leaving it out
    /// would take it away.
    pub(super) fn begin(&mut self) {
        self.0.retain(|item| item.instead.is_some());
    }

    /// `next` as it can be sent, as far as is known.
    pub(super) fn replace_in(&mut self, next: &Snapshot) -> Snapshot {
        self.0.retain(|item| item.piece.is_in(next));
        let mut fits = next.clone();
        self.0.iter().for_each(|item| item.replace_in(&mut fits));
        fits
    }

    /// One more, found in `fits` on its way to who has `held`: it is replaced there. Returns the frame to be sent in its
    /// place, if there is any.
    ///
    /// # Errors
    /// Nothing can stand in its place: it is of a kind that does not grow with the number of objects, or it is a listener
    /// and what is served there now is not known.
    pub(super) fn found(
        &mut self,
        frame: Frame,
        error: FrameError,
        held: Held<'_>,
        fits: &mut Snapshot,
    ) -> Result<Option<Frame>, FrameError> {
        let Frame::Put(piece) = frame else { return Err(error) };
        let Some(item) = Item::of(piece, &error, held) else { return Err(error) };
        item.replace_in(fits);
        let frame = match &item.instead {
            // That is what is held, so there is nothing to send.
            Some(Piece::Listener(..)) | None => None,
            Some(piece) => Some(Frame::Put(piece.clone())),
        };
        self.0.push(item);
        Ok(frame)
    }

    /// What their owners are told.
    pub(super) fn rejected(&self) -> impl Iterator<Item = Rejection> {
        self.0.iter().flat_map(|item| item.rejected.iter().cloned())
    }
}

impl Item {
    fn of(piece: Piece, error: &FrameError, held: Held<'_>) -> Option<Self> {
        let (instead, origins, what) = match &piece {
            // What was served before may let in whom the new routes keep out: so nobody gets in.
            Piece::Table(id, table) => {
                let what = format!("the routes of host {id} are too long, so that its requests are answered 503");
                (Some(Piece::Table(id.clone(), unavailable(id, table))), origins(id, table), what)
            }
            // The addresses of before may be somebody else's by now.
            Piece::Endpoints(port, _) => {
                let service = Arc::new(Origin::new("Service", "", port.as_str()));
                let what = "its endpoints are too many, so that its requests are answered 503".to_owned();
                (Some(Piece::Endpoints(port.clone(), Arc::new(EndpointSet::default()))), [service].into(), what)
            }
            // Which hosts there are; what is let in is said by their tables.
            Piece::Listener(id, _) => {
                let before = match held {
                    Held::Nothing => None,
                    Held::This(snapshot) => snapshot.listeners.get(id),
                    // All would be sent, and what is not among it is gone: the port would be closed.
                    Held::Unknown => return None,
                };
                let before = before.map(|before| Piece::Listener(id.clone(), Arc::clone(before)));
                let what =
                    "it names too many hosts: those of before are served, or none where there are none".to_owned();
                (before, [Arc::new(Origin::new("Listener", "", id.as_str()))].into(), what)
            }
            Piece::Globals(_) | Piece::Upstream(..) | Piece::Cert(..) => return None,
        };
        let rejected = origins.into_iter().map(|origin| Rejection::new(origin, format!("{what}: {error}")));
        let rejected = rejected.collect();
        Some(Self { piece, instead, rejected })
    }

    fn replace_in(&self, snapshot: &mut Snapshot) {
        match (&self.instead, &self.piece) {
            (Some(instead), _) => instead.clone().put_into(snapshot, None),
            (None, Piece::Listener(id, _)) => drop(snapshot.listeners.remove(id)),
            (None, _) => {}
        }
    }
}

/// Who asked for the routes of a host.
fn origins(id: &TableId, table: &RouteTable) -> BTreeSet<Arc<Origin>> {
    let origins: BTreeSet<_> = table.routes.iter().map(|route| Arc::clone(&route.origin)).collect();
    if origins.is_empty() { [Arc::new(Origin::new("Host", "", id.as_str()))].into() } else { origins }
}

/// A table that answers 503. It is there, since without one a wildcard's routes would serve the host.
fn unavailable(id: &TableId, table: &RouteTable) -> Arc<RouteTable> {
    let origin = origins(id, table).pop_first().unwrap_or_else(|| Arc::new(Origin::new("Host", "", id.as_str())));
    let then = Action::Respond { status: 503, reason: "the routes of this host are too long to be sent".into() };
    let path = PathMatch::Prefix("".into());
    let route = Route { origin, path, label: "/".into(), max_body: None, filters: Vec::new(), then };
    let RouteTable { routes: _, client_cert, hsts } = table.clone();
    Arc::new(RouteTable { routes: vec![Arc::new(route)], client_cert, hsts })
}

#[cfg(test)]
mod tests {
    use snapshot::{Endpoint, Listener, Serves};

    use super::*;

    const ERROR: FrameError = FrameError::TooLong { length: 2, limit: 1 };

    fn listener(host: &str) -> Arc<Listener> {
        let hosts = [(host.parse().unwrap(), host.into())].into();
        Arc::new(Listener {
            binds: Vec::new(),
            proxy_protocol: None,
            serves: Serves::Http { hosts, http: Arc::default() },
        })
    }

    #[test]
    fn hosts_that_are_too_many_are_those_of_before_and_endpoints_are_none() {
        let mut too_long = TooLong::default();
        let mut base = Snapshot::default();
        base.listeners.insert("http".into(), listener("before.test"));
        let mut next = Snapshot::default();
        let endpoints = vec![Endpoint { address: ([10, 0, 0, 1], 80).into() }];
        let pieces = [
            Piece::Listener("http".into(), listener("now.test")),
            Piece::Listener("new".into(), listener("now.test")),
            Piece::Endpoints("default/a:80".into(), Arc::new(EndpointSet { endpoints })),
        ];
        pieces.iter().for_each(|piece| piece.clone().put_into(&mut next, None));
        let mut fits = next.clone();
        let sent = pieces.map(|piece| too_long.found(Frame::Put(piece), ERROR, Held::This(&base), &mut fits).unwrap());
        let nothing = Piece::Endpoints("default/a:80".into(), Arc::default());
        assert!(sent == [None, None, Some(Frame::Put(nothing))]);
        assert!(fits.listeners == base.listeners && fits.endpoints.get("default/a:80").unwrap().endpoints.is_empty());
        let origins: Vec<_> = too_long.rejected().map(|rejection| rejection.origin.to_string()).collect();
        assert_eq!(origins, ["Listener http", "Listener new", "Service default/a:80"]);
        // While they stay they are known, whoever holds what.
        assert!(too_long.replace_in(&next) == fits);
        next.endpoints.insert("default/a:80".into(), Arc::default());
        assert!(too_long.replace_in(&next) == fits && too_long.rejected().count() == 2);
    }

    #[test]
    fn a_listener_is_never_left_out_for_who_may_serve_it() {
        let mut too_long = TooLong::default();
        let now = listener("now.test");
        let piece = || Frame::Put(Piece::Listener("http".into(), Arc::clone(&now)));
        let mut next = Snapshot::default();
        next.listeners.insert("http".into(), Arc::clone(&now));
        let mut fits = next.clone();
        assert!(too_long.found(piece(), ERROR, Held::Unknown, &mut fits) == Err(ERROR) && fits == next);
        assert!(too_long.found(piece(), ERROR, Held::Nothing, &mut fits) == Ok(None));
        assert!(fits.listeners.is_empty() && too_long.replace_in(&next) == fits);
        too_long.begin();
        assert!(too_long.replace_in(&next) == next);
    }

    #[test]
    fn nothing_stands_in_the_place_of_what_one_object_says() {
        let (mut too_long, mut fits) = (TooLong::default(), Snapshot::default());
        let chain = Frame::Chain("x".into(), vec![vec![1]]);
        assert!(too_long.found(chain, ERROR, Held::Nothing, &mut fits) == Err(ERROR));
        assert_eq!(too_long.rejected().count(), 0);
    }
}
