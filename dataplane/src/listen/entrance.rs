//! What comes between accepting a connection and serving it: who the client is, and whether TLS ends here.

use std::{io, rc::Rc, sync::Arc, time::Duration};

use snapshot::{ListenerId, ProxyProtocol};
use tokio::{
    net::TcpStream,
    time::{sleep, timeout},
};
use tokio_rustls::{StartHandshake, server::TlsStream};

use super::{refuse::Refusals, stream};
use crate::{
    http::{Accepted, Context, Guest, Speaks, serve_connection},
    l4::{
        LiveTcp,
        hello::{self, Hello},
        proxy_header::{self, BadHeader, Proxied},
    },
    observe::Refused,
    runtime::{LiveListener, PassthroughTable, TcpListener},
    tls::{Peer, TlsServer, is_http2},
};

/// How long handshakes may go on when the worker is to leave.
const LAST_HANDSHAKES: Duration = Duration::from_secs(1);

/// What is served where a connection came in.
pub enum Entrance {
    /// HTTP.
    Http(Arc<LiveListener>),
    /// Whatever is spoken.
    Tcp(Arc<TcpListener>),
}

impl Entrance {
    /// As it is now; none: nothing is served there any more.
    pub fn find(context: &Context, id: &ListenerId) -> Option<Self> {
        context.listener(id).map(Self::Http).or_else(|| context.tcp(id).map(Self::Tcp))
    }

    /// Whether clients are to encrypt what they send, so that we can read it.
    pub fn is_tls(&self) -> bool {
        matches!(self, Self::Http(listener) if listener.tls.is_some())
    }

    /// Whether clients are to speak HTTP in the clear.
    pub fn is_plain_http(&self) -> bool {
        matches!(self, Self::Http(listener) if listener.tls.is_none())
    }

    /// How clients' addresses are told to us.
    pub fn proxy_protocol(&self) -> Option<&ProxyProtocol> {
        match self {
            Self::Http(listener) => listener.source.proxy_protocol.as_ref(),
            Self::Tcp(listener) => listener.proxy_protocol.as_ref(),
        }
    }
}

/// Serves a connection. Each kind is a task of its own, or every plain one would pay for the size of the encrypted one.
pub fn spawn(stream: TcpStream, accepted: Accepted, guest: Guest, refusals: &Rc<Refusals>) {
    let Some(entrance) = Entrance::find(guest.context(), &accepted.listener) else { return };
    if let Err(error) = stream.set_nodelay(true) {
        return tracing::debug!(peer = %accepted.peer, %error, "cannot prepare a connection");
    }
    if entrance.proxy_protocol().is_some() {
        let refusals = Rc::clone(refusals);
        drop(tokio::task::spawn_local(introduce(entrance, stream, accepted, guest, refusals)));
    } else {
        enter(entrance, stream, accepted, guest);
    }
}

fn enter(entrance: Entrance, stream: TcpStream, accepted: Accepted, guest: Guest) {
    let listener = match entrance {
        Entrance::Tcp(listener) => {
            let service = Arc::clone(&listener.service);
            return drop(tokio::task::spawn_local(stream::serve(stream, Vec::new(), accepted, service, guest)));
        }
        Entrance::Http(listener) => listener,
    };
    match &listener.tls {
        None => drop(tokio::task::spawn_local(serve_connection(stream, Speaks::Either, accepted, guest, None))),
        Some(tls) => {
            let tls = Arc::clone(tls);
            drop(tokio::task::spawn_local(serve_tls(listener, tls, stream, accepted, guest)));
        }
    }
}

/// Finds out who the client is by what the proxy in front of us says first.
async fn introduce(
    entrance: Entrance,
    mut stream: TcpStream,
    mut accepted: Accepted,
    mut guest: Guest,
    refusals: Rc<Refusals>,
) {
    let context = Rc::clone(guest.context());
    let Some(rules) = entrance.proxy_protocol() else { return };
    let read = tokio::select! {
        read = proxy_header::read(&mut stream, accepted.peer, rules) => read.map_err(refused),
        () = leave(&context) => return,
    };
    let counted = read.and_then(|proxied| {
        accepted = introduced(&accepted, proxied);
        context.enter(accepted.peer.ip())
    });
    match counted {
        Ok(seen) => {
            guest.is_of(seen);
            enter(entrance, stream, accepted, guest);
        }
        Err(Refused::Client) => {
            refusals.refuse(stream, entrance.is_plain_http(), Refused::Client, &context.gauges);
        }
        Err(why) => refusals.note(&stream, why, &context.gauges),
    }
}

fn introduced(accepted: &Accepted, proxied: Option<Proxied>) -> Accepted {
    match proxied {
        Some(Proxied { client, destination }) => {
            Accepted { peer: client, local: destination, proxied: true, ..accepted.clone() }
        }
        None => accepted.clone(),
    }
}

fn refused(why: BadHeader) -> Refused {
    match why {
        BadHeader::Untrusted => Refused::ProxyUntrusted,
        BadHeader::Missing => Refused::ProxyMissing,
        BadHeader::Malformed => Refused::ProxyMalformed,
        BadHeader::Late => Refused::ProxyLate,
    }
}

async fn serve_tls(
    listener: Arc<LiveListener>,
    tls: Arc<TlsServer>,
    stream: TcpStream,
    accepted: Accepted,
    guest: Guest,
) {
    let context = Rc::clone(guest.context());
    let handshake = timeout(listener.http.header_timeout, begin_tls(&listener, &tls, stream));
    let result = tokio::select! {
        result = handshake => result,
        () = leave(&context) => return,
    };
    // In a task of its own, and the stream in a box: the connection would keep the size of the handshake, and several
    // times that of the stream.
    match result {
        Ok(Ok(Begun::Ours(stream, peer))) => {
            let speaks = if is_http2(stream.get_ref().1) { Speaks::Http2 } else { Speaks::Http1 };
            drop(tokio::task::spawn_local(serve_connection(stream, speaks, accepted, guest, Some(peer))));
        }
        Ok(Ok(Begun::HandedOn { stream, first, service })) => {
            drop(tokio::task::spawn_local(stream::serve(stream, first, accepted, service, guest)));
        }
        Ok(Err(error)) => tracing::debug!(peer = %accepted.peer, %error, "TLS handshake failed"),
        Err(_) => tracing::debug!(peer = %accepted.peer, "TLS handshake timed out"),
    }
}

/// What a connection of TLS has become.
enum Begun {
    /// One that ends here, and what is known of its client.
    Ours(Box<TlsStream<TcpStream>>, Peer),
    /// One that is handed on, with what was read of it.
    HandedOn { stream: TcpStream, first: Vec<u8>, service: Arc<LiveTcp> },
}

async fn begin_tls(listener: &LiveListener, tls: &TlsServer, stream: TcpStream) -> io::Result<Begun> {
    let (stream, peer) = match &listener.passthrough {
        None => tls.accept(stream).await?,
        Some(passthrough) => {
            let hello = hello::read(&stream).await?;
            match handed_on(passthrough, &hello) {
                Some(service) => return Ok(Begun::HandedOn { stream, first: hello.bytes, service }),
                None => tls.go_on(StartHandshake::from_parts(hello.accepted, stream)).await?,
            }
        }
    };
    Ok(Begun::Ours(Box::new(stream), peer))
}

fn handed_on(passthrough: &PassthroughTable, hello: &Hello) -> Option<Arc<LiveTcp>> {
    passthrough.find(&hello.server_name()?)?.clone()
}

/// What has begun when the worker is to leave may still come to something, but not take its time.
async fn leave(context: &Context) {
    let drained = context.drain.notified();
    if !context.is_draining() {
        drained.await;
    }
    sleep(LAST_HANDSHAKES).await;
}
