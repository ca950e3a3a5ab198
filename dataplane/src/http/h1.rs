//! HTTP/1.1 towards clients.

use std::{
    future::Future,
    pin::{Pin, pin},
    rc::Rc,
    sync::Arc,
};

use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

use super::{
    answer,
    connection::Connection,
    io::ClientIo,
    serve::serve,
    watched::{Conversation, End, watched},
};

/// Serves a connection to its end. A tunnel that it became goes on in a task of its own.
pub async fn converse<S>(io: ClientIo<S>, connection: &Rc<Connection>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut builder = http1::Builder::new();
    // Our own limits take its place: it would run on idle connections too, and need a timer for each request.
    builder.header_read_timeout(None);
    let served = Rc::clone(connection);
    let service = service_fn(move |request| {
        served.asked();
        serve(Rc::clone(&served), Arc::clone(&served.socket), request)
    });
    let http = pin!(builder.serve_connection(TokioIo::new(io), service).with_upgrades());
    if let End::Done(Err(error)) = watched(http, connection).await {
        answer::note_refusal(connection, &error);
    }
}

impl<I, S> Conversation for http1::UpgradeableConnection<I, S>
where
    Self: Future,
    S: hyper::service::HttpService<hyper::body::Incoming>,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    S::ResBody: 'static,
    <S::ResBody as hyper::body::Body>::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    I: hyper::rt::Read + hyper::rt::Write + Unpin,
{
    fn end_gracefully(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}
