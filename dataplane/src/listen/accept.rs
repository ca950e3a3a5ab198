//! From a listening socket to connections.

use std::{io, rc::Rc, time::Duration};

use snapshot::ListenerId;
use tokio::{
    net::{TcpListener, TcpStream},
    time::sleep,
};

use super::{desk::Desk, stop::Stop};

/// How long nothing is accepted after the process ran out of open files or memory.
const PAUSE: Duration = Duration::from_millis(100);

/// Accepts until told to stop; then takes what waits in the queue, because closing the socket would reset it.
pub async fn accept(socket: TcpListener, id: ListenerId, desk: Rc<Desk>, stop: Rc<Stop>) {
    let stopped = stop.told();
    tokio::pin!(stopped);
    loop {
        let accepted = tokio::select! {
            accepted = socket.accept() => accepted,
            _ = &mut stopped => break,
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
