//! From a listening socket to served connections.

use std::{io, rc::Rc, sync::Arc, time::Duration};

use snapshot::ListenerId;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Notify,
    time::{sleep, timeout},
};

use super::desk::Desk;
use crate::{
    http::{Accepted, Context, Guest, Speaks, serve_connection},
    tls::{TlsServer, is_http2},
};

/// How long nothing is accepted after the process ran out of open files or memory.
const PAUSE: Duration = Duration::from_millis(100);

/// How long handshakes may go on when the worker is to leave.
const LAST_HANDSHAKES: Duration = Duration::from_secs(1);

/// Accepts until told to stop; then takes what waits in the queue, because closing the socket would reset it.
pub async fn accept(socket: TcpListener, id: ListenerId, desk: Rc<Desk>, stop: Rc<Notify>) {
    let stopped = stop.notified();
    tokio::pin!(stopped);
    loop {
        let accepted = tokio::select! {
            accepted = socket.accept() => accepted,
            () = &mut stopped => break,
        };
        match accepted {
            Ok((stream, _)) => desk.admit(stream, &id),
            Err(error) => recover(&error, &desk).await,
        }
    }
    if let Err(error) = take_rest(socket, &id, &desk) {
        tracing::warn!(listener = %id, %error, "connections that waited to be accepted may be lost");
    }
}

/// What the queue of a socket still holds when it is closed.
fn take_rest(socket: TcpListener, id: &ListenerId, desk: &Desk) -> io::Result<()> {
    let socket = socket.into_std()?;
    loop {
        match socket.accept() {
            Ok((stream, _)) => {
                stream.set_nonblocking(true)?;
                desk.admit(TcpStream::from_std(stream)?, id);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) if is_transient(&error) => {}
            Err(error) => return Err(error),
        }
    }
}

/// A client that left while it waited is its own matter; everything else is a lack of something, and goes on until
/// something is given back. What is served meanwhile is not concerned.
async fn recover(error: &io::Error, desk: &Desk) {
    if !is_transient(error) {
        desk.context().gauges.paused();
        if let Some(times) = desk.failures.say() {
            tracing::warn!(%error, times, "cannot accept connections");
        }
        sleep(PAUSE).await;
    }
}

fn is_transient(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::Interrupted
    )
}

/// Each kind of connection is a task of its own, or every plain one would pay for the size of the encrypted one.
pub fn spawn(stream: TcpStream, accepted: Accepted, guest: Guest) {
    let Some(listener) = guest.context().listener(&accepted.listener) else { return };
    if let Err(error) = stream.set_nodelay(true) {
        return tracing::debug!(peer = %accepted.peer, %error, "cannot prepare a connection");
    }
    match &listener.tls {
        None => drop(tokio::task::spawn_local(serve_connection(stream, Speaks::Either, accepted, guest, None))),
        Some(tls) => {
            let (tls, patience) = (Arc::clone(tls), listener.http.header_timeout);
            drop(tokio::task::spawn_local(serve_tls(tls, patience, stream, accepted, guest)));
        }
    }
}

async fn serve_tls(tls: Arc<TlsServer>, patience: Duration, stream: TcpStream, accepted: Accepted, guest: Guest) {
    let context = Rc::clone(guest.context());
    let drained = context.drain.notified();
    let handshake = timeout(patience, tls.accept(stream));
    let result = tokio::select! {
        result = handshake => result,
        () = leave(&context, drained) => return,
    };
    match result {
        Ok(Ok((stream, peer))) => {
            let speaks = if is_http2(stream.get_ref().1) { Speaks::Http2 } else { Speaks::Http1 };
            // In a task of its own, and the stream in a box: the connection would keep the size of the handshake, and
            // several times that of the stream.
            drop(tokio::task::spawn_local(serve_connection(Box::new(stream), speaks, accepted, guest, Some(peer))));
        }
        Ok(Err(error)) => tracing::debug!(peer = %accepted.peer, %error, "TLS handshake failed"),
        Err(_) => tracing::debug!(peer = %accepted.peer, "TLS handshake timed out"),
    }
}

/// A handshake that has begun when the worker is to leave may still end, but not take its time.
async fn leave(context: &Context, drained: tokio::sync::futures::Notified<'_>) {
    if !context.is_draining() {
        drained.await;
    }
    sleep(LAST_HANDSHAKES).await;
}
