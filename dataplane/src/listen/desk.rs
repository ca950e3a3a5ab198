//! Who serves a connection: this worker, another one, or nobody.

use std::{num::NonZeroU32, rc::Rc};

use snapshot::ListenerId;
use tokio::{net::TcpStream, sync::mpsc};

use super::{
    datagrams::Sessions,
    entrance::{Entrance, spawn},
    limits::{connections_allowed, sessions_allowed},
    refuse::Refusals,
};
use crate::{
    http::{Accepted, Context, Guest, Place, Seen},
    observe::{Refused, Seldom},
};

/// Connections on their way to a worker at most. It takes them as fast as it can; who finds it this far behind serves
/// what it accepted.
const ON_THEIR_WAY: usize = 256;

/// A connection on its way to another worker. Its place there is taken already, so that the worker does not leave
/// without it.
pub struct Arrival {
    stream: std::net::TcpStream,
    accepted: Accepted,
    place: Place,
    seen: Option<Seen>,
}

/// Where connections for one worker come in.
pub type Door = (mpsc::Sender<Box<Arrival>>, mpsc::Receiver<Box<Arrival>>);

/// A worker's door.
pub fn door() -> Door {
    mpsc::channel(ON_THEIR_WAY)
}

/// What one worker decides with.
pub struct Desk {
    context: Rc<Context>,
    /// The doors of all workers, in their order.
    doors: Vec<mpsc::Sender<Box<Arrival>>>,
    refusals: Rc<Refusals>,
    /// Accepting failed.
    pub failures: Seldom,
    /// Those of UDP, over all sockets.
    pub sessions: Sessions,
}

impl Desk {
    /// For the worker of `context`.
    pub fn new(context: Rc<Context>, doors: Vec<mpsc::Sender<Box<Arrival>>>) -> Self {
        let sessions = Sessions::new(sessions_allowed(doors.len()));
        Self { context, doors, refusals: Rc::default(), failures: Seldom::default(), sessions }
    }

    /// The worker.
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// The worker, to be held.
    pub fn worker(&self) -> &Rc<Context> {
        &self.context
    }

    /// A connection was accepted.
    pub fn admit(&self, stream: TcpStream, id: &ListenerId) {
        let context = &self.context;
        context.gauges.accepted();
        let Some(entrance) = Entrance::find(context, id) else { return };
        let (Ok(peer), Ok(local)) = (stream.peer_addr(), stream.local_addr()) else { return };
        let tls = entrance.is_tls();
        let accepted = Accepted { listener: id.clone(), peer, local, tls, proxied: false };
        match self.find(&accepted, entrance.proxy_protocol().is_some()) {
            Ok((place, seen)) if context.post.is_at(&place) => {
                spawn(stream, accepted, Guest::enter(context, place, seen), &self.refusals);
            }
            Ok((place, seen)) => self.hand_over(stream, accepted, place, seen),
            Err(why) => self.refusals.refuse(stream, entrance.is_plain_http(), why, &context.gauges),
        }
    }

    /// A place for a connection. Whose it is counts later where a proxy will say it.
    fn find(&self, accepted: &Accepted, proxied: bool) -> Result<(Place, Option<Seen>), Refused> {
        let (post, limits) = (&self.context.post, self.context.connection_limits());
        let seen = if proxied { None } else { self.context.enter(accepted.peer.ip())? };
        let most = limits.per_worker.map(NonZeroU32::get).and_then(|most| usize::try_from(most).ok());
        let most = most.unwrap_or_else(|| connections_allowed(self.doors.len()));
        Ok((post.place(most).ok_or(Refused::Full)?, seen))
    }

    fn hand_over(&self, stream: TcpStream, accepted: Accepted, place: Place, seen: Option<Seen>) {
        let stream = match stream.into_std() {
            Ok(stream) => stream,
            Err(error) => return tracing::warn!(peer = %accepted.peer, %error, "connection lost between workers"),
        };
        let door = self.doors.get(place.worker());
        let arrival = Box::new(Arrival { stream, accepted, place, seen });
        let back = match door.map(|door| door.try_send(arrival)) {
            Some(Ok(())) => return self.context.gauges.handed_over(),
            Some(Err(error)) => error.into_inner(),
            None => return tracing::error!("no such worker"),
        };
        enter(Arrival { place: self.context.post.keep(), ..*back }, &self.context, &self.refusals);
    }
}

/// Serves what other workers hand over.
pub async fn receive(mut arrivals: mpsc::Receiver<Box<Arrival>>, desk: Rc<Desk>) {
    while let Some(arrival) = arrivals.recv().await {
        enter(*arrival, &desk.context, &desk.refusals);
    }
}

fn enter(arrival: Arrival, context: &Rc<Context>, refusals: &Rc<Refusals>) {
    let Arrival { stream, accepted, place, seen } = arrival;
    match TcpStream::from_std(stream) {
        Ok(stream) => spawn(stream, accepted, Guest::enter(context, place, seen), refusals),
        Err(error) => tracing::warn!(peer = %accepted.peer, %error, "connection lost between workers"),
    }
}
