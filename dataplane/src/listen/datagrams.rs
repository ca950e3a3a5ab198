//! Sockets of datagrams.

use std::{cell::Cell, future::Future, io, net::UdpSocket, num::NonZeroU32, rc::Rc, sync::Arc};

use snapshot::ListenerId;
use tokio::task::JoinHandle;

use super::{desk::Desk, limits::connections_allowed, stop::Stop};
use crate::{
    http::{Context, Place},
    l4::{self, Datagrams, LiveUdp},
    observe::StreamRecord,
};

/// Serves a socket until it is told to stop.
pub fn serve(socket: UdpSocket, id: ListenerId, desk: &Desk, stop: Rc<Stop>) -> io::Result<JoinHandle<()>> {
    let socket = Datagrams::new(socket)?;
    let host = Host { id, context: Rc::clone(desk.worker()), sessions: desk.sessions.clone() };
    let task = async move { l4::serve_datagrams(socket, host, stop.told()).await };
    Ok(tokio::task::spawn_local(task))
}

/// The sessions of one worker.
#[derive(Debug, Clone)]
pub struct Sessions {
    open: Rc<Cell<usize>>,
    most: usize,
}

impl Sessions {
    /// None yet, and never more than `most`.
    pub fn new(most: usize) -> Self {
        Self { open: Rc::default(), most }
    }

    /// One more until what is returned is dropped; none where there are as many as there may be.
    fn begin(&self) -> Option<Begun> {
        let open = self.open.get();
        (open < self.most).then(|| {
            self.open.set(open.saturating_add(1));
            Begun(Rc::clone(&self.open))
        })
    }
}

/// A session that goes on.
struct Begun(Rc<Cell<usize>>);

impl Drop for Begun {
    fn drop(&mut self) {
        self.0.set(self.0.get().saturating_sub(1));
    }
}

/// This worker, for one socket.
struct Host {
    id: ListenerId,
    context: Rc<Context>,
    sessions: Sessions,
}

impl l4::Host for Host {
    type Place = (Begun, Place);

    fn live(&self) -> Option<Arc<LiveUdp>> {
        self.context.udp(&self.id)
    }

    /// A session counts as a connection does: each has a socket. It stays here, where the kernel sends its datagrams.
    fn place(&self) -> Option<(Begun, Place)> {
        let post = &self.context.post;
        let most = self.context.connection_limits().per_worker.map(NonZeroU32::get);
        let most = most.and_then(|most| usize::try_from(most).ok());
        let most = most.unwrap_or_else(|| connections_allowed(post.crew().workers()));
        if post.connections() >= most {
            return None;
        }
        Some((self.sessions.begin()?, post.keep()))
    }

    fn ended(&self, record: &StreamRecord) {
        self.context.sink.log.borrow().write_stream(record);
    }

    fn drained(&self) -> impl Future<Output = ()> {
        let context = Rc::clone(&self.context);
        async move {
            let drained = context.drain.notified();
            if !context.is_draining() {
                drained.await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Sessions;

    #[test]
    fn there_are_never_more_sessions_than_ports() {
        let sessions = Sessions::new(2);
        let other_socket = sessions.clone();
        let held = (sessions.begin(), other_socket.begin());
        assert!(held.0.is_some() && held.1.is_some() && sessions.begin().is_none());
        drop(held);
        assert!(other_socket.begin().is_some());
    }
}
