//! Connections whose bytes are handed on.

use std::{rc::Rc, sync::Arc};

use tokio::net::TcpStream;

use crate::{
    http::{Accepted, Guest},
    l4::{self, LiveTcp, Parties},
};

/// Serves one to its end; `first` is what was read of it already.
pub async fn serve(stream: TcpStream, first: Vec<u8>, accepted: Accepted, service: Arc<LiveTcp>, guest: Guest) {
    let context = Rc::clone(guest.context());
    let gauge = context.gauges.open();
    // Among nginx's states of a connection it is always at work.
    gauge.begin_request();
    let parties = Parties { client: accepted.peer, local: accepted.local };
    let mut session = context.sessions.begin();
    let record = l4::serve(stream, first, parties, &service, session.cut()).await;
    context.sink.log.borrow().write_stream(&record);
    drop(session);
    drop(guest);
}
