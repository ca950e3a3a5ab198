//! What comes after a switch of protocols (RFC 9110 section 7.8): bytes both ways, until either side has enough.

use std::{
    cell::Cell,
    io,
    pin::{Pin, pin},
    rc::Rc,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use http::{Method, Request, Response, header};
use hyper::{
    body::Incoming,
    upgrade::{OnUpgrade, Upgraded},
};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf, copy_bidirectional};

use super::{connection::Connection, h2::OpenStream};
use crate::exchange::{Answer, Body, Socket, Ticket};

/// The endpoint's side of a tunnel.
pub struct UpstreamHalf {
    /// Becomes the stream once its 101 was read to the end.
    pub upgrade: OnUpgrade,
    /// How long neither side may say anything (`proxy-read-timeout`, as in nginx).
    pub patience: Duration,
    /// The client's, over whose connection the bytes pass.
    pub socket: Arc<Socket>,
}

/// The client's side of a tunnel, for a request that asks for one.
pub fn client_half(request: &mut Request<Incoming>) -> Option<OnUpgrade> {
    let asks = request.headers().contains_key(header::UPGRADE) || request.method() == Method::CONNECT;
    asks.then(|| hyper::upgrade::on(request))
}

/// Answers 101 (200 over HTTP/2), and joins the two sides in a task of its own, which holds nothing of the live tables.
pub fn open(
    connection: &Rc<Connection>,
    response: Response<Body>,
    halves: Option<(OnUpgrade, UpstreamHalf)>,
    ticket: Ticket,
) -> Response<Answer> {
    if let Some((client, upstream)) = halves {
        let connection = Rc::clone(connection);
        // hyper has done with the request now, but the connection is not idle.
        let open = connection.socket.is_shared().then(|| OpenStream::new(&connection));
        tokio::task::spawn_local(async move {
            join(client, upstream, ticket).await;
            drop(open);
            drop(connection);
        });
    }
    response.map(Answer::untracked)
}

async fn join(client: OnUpgrade, upstream: UpstreamHalf, mut ticket: Ticket) {
    let (Ok(client), Ok(endpoint)) = (client.await, upstream.upgrade.await) else { return ticket.finish() };
    let (up, down) = (Rc::<Cell<u64>>::default(), Rc::<Cell<u64>>::default());
    let counted = |stream, read| Counted { stream: TokioIo::new(stream), read, socket: Arc::clone(&upstream.socket) };
    let (mut client, mut endpoint) = (counted(client, Rc::clone(&up)), counted(endpoint, Rc::clone(&down)));
    {
        let mut copy = pin!(copy_bidirectional(&mut client, &mut endpoint));
        let mut seen = (0, 0);
        while tokio::time::timeout(upstream.patience, copy.as_mut()).await.is_err() {
            if seen == (up.get(), down.get()) {
                break;
            }
            seen = (up.get(), down.get());
        }
    }
    ticket.passed(up.get(), down.get());
    ticket.finish();
}

/// Counts what is read from a stream: also towards the client's connection and at once, because a connection of HTTP/2
/// over which nothing of use passes for long is taken for a flood.
struct Counted {
    stream: TokioIo<Upgraded>,
    read: Rc<Cell<u64>>,
    socket: Arc<Socket>,
}

impl AsyncRead for Counted {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        let count = buf.filled().len().saturating_sub(before) as u64;
        self.read.set(self.read.get().saturating_add(count));
        self.socket.used(count);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Counted {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
