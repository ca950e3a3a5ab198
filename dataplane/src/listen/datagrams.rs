//! Sockets of datagrams.

use std::{future::Future, io, net::UdpSocket, num::NonZeroU32, rc::Rc, sync::Arc};

use snapshot::ListenerId;
use tokio::task::JoinHandle;

use super::{limits::connections_allowed, stop::Stop};
use crate::{
    http::{Context, Place},
    l4::{self, Datagrams, LiveUdp},
    observe::StreamRecord,
};

/// Serves a socket until it is told to stop.
pub fn serve(socket: UdpSocket, id: ListenerId, context: Rc<Context>, stop: Rc<Stop>) -> io::Result<JoinHandle<()>> {
    let socket = Datagrams::new(socket)?;
    let host = Host { id, context };
    let task = async move { l4::serve_datagrams(socket, host, stop.told()).await };
    Ok(tokio::task::spawn_local(task))
}

/// This worker, for one socket.
struct Host {
    id: ListenerId,
    context: Rc<Context>,
}

impl l4::Host for Host {
    type Place = Place;

    fn live(&self) -> Option<Arc<LiveUdp>> {
        self.context.udp(&self.id)
    }

    /// A session counts as a connection does: each has a socket. It stays here, where the kernel sends its datagrams.
    fn place(&self) -> Option<Place> {
        let post = &self.context.post;
        let most = self.context.connection_limits().per_worker.map(NonZeroU32::get);
        let most = most.and_then(|most| usize::try_from(most).ok());
        let most = most.unwrap_or_else(|| connections_allowed(post.crew().workers()));
        (post.connections() < most).then(|| post.keep())
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
