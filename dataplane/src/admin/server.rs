//! The server of the pages.

use std::{convert::Infallible, future::Future, pin::pin, sync::Arc, time::Duration};

use http::{Request, Response};
use http_body_util::Full;
use hyper::{
    body::{Bytes, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    task::{Id, JoinError, JoinSet, spawn_blocking},
    time::{sleep, timeout},
};
use tracing::{debug, warn};

use super::{
    open::{Open, Used},
    pages::{Pages, broken, busy},
};

/// Connections at the same time: probes and a few scrapers. A further one takes the place of another.
const CONNECTIONS: usize = 64;

/// For the head of a request, and for the next one on an idle connection.
const HEAD_LIMIT: Duration = Duration::from_secs(10);

/// For a connection as a whole, and then for its last answer, so that one which reads slowly gives its place back.
const CONNECTION_LIMIT: Duration = Duration::from_secs(60);

/// How long a page is waited for that somebody else is reading: less than a scrape may take.
const TURN_LIMIT: Duration = Duration::from_secs(5);

/// Before accepting is tried again where it failed: file descriptors may have run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves the pages until `shutdown` completes; connections that are open then are closed.
pub async fn serve(listener: TcpListener, pages: Pages, shutdown: impl Future<Output = ()>) {
    let pages = Arc::new(pages);
    let mut shutdown = pin!(shutdown);
    let (mut connections, mut open) = (JoinSet::new(), Open::new());
    loop {
        tokio::select! {
            () = &mut shutdown => return,
            Some(ended) = connections.join_next_with_id() => open.remove(id(&ended)),
            accepted = listener.accept() => match accepted {
                Ok((stream, client)) => {
                    open.make_room(CONNECTIONS);
                    let used = open.used();
                    let task = connections.spawn(connection(stream, Arc::clone(&pages), used.clone()));
                    open.add(client.ip().to_canonical(), used, task);
                }
                Err(error) => {
                    warn!(%error, "the admin port cannot accept a connection");
                    sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
}

fn id(ended: &Result<(Id, ()), JoinError>) -> Id {
    match ended {
        Ok((id, ())) => *id,
        Err(error) => error.id(),
    }
}

async fn connection(stream: TcpStream, pages: Arc<Pages>, used: Used) {
    let service = service_fn(|request| {
        used.now();
        answer(request, Arc::clone(&pages))
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_LIMIT)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    if let Ok(ended) = timeout(CONNECTION_LIMIT, connection.as_mut()).await {
        return note(ended);
    }
    connection.as_mut().graceful_shutdown();
    match timeout(CONNECTION_LIMIT, connection).await {
        Ok(ended) => note(ended),
        Err(_) => debug!("a connection to the admin port took too long"),
    }
}

fn note(ended: hyper::Result<()>) {
    if let Err(error) = ended {
        debug!(%error, "a connection to the admin port broke");
    }
}

/// What is large is made on a thread of its own, because probes must not wait for the metrics of thousands of routes; and
/// once at a time (metrics a few times), because it is in memory as a whole until it was read.
async fn answer(request: Request<Incoming>, pages: Arc<Pages>) -> Result<Response<Full<Bytes>>, Infallible> {
    let Some(turns) = pages.turns(request.method(), request.uri().path()) else {
        return Ok(pages.answer(request.method(), request.uri().path(), None));
    };
    let Ok(Ok(turn)) = timeout(TURN_LIMIT, turns.acquire_owned()).await else { return Ok(busy()) };
    let made = spawn_blocking(move || pages.answer(request.method(), request.uri().path(), Some(turn))).await;
    Ok(made.unwrap_or_else(|error| {
        warn!(%error, "a page of the admin port could not be made");
        broken()
    }))
}
