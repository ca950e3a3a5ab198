//! Accepting connections, and leaving without breaking any.

use std::convert::Infallible;
use std::io::{self, Write};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::header::HeaderValue;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::signal::unix::{SignalKind, signal};
use tokio_rustls::TlsAcceptor;

use super::answer::{Backend, answer};
use super::body::Body;
use super::{Options, PEER, tls};

/// Serves until SIGTERM or SIGINT, says so on stdout when it listens.
///
/// # Errors
/// The address cannot be bound, or there is no certificate where there should be one.
pub async fn run(options: Options) -> io::Result<()> {
    let address = SocketAddr::new(options.bind, options.port);
    let tls = options.tls.as_deref().map(tls::acceptor).transpose()?;
    let listener = TcpListener::bind(address)
        .await
        .map_err(|error| io::Error::new(error.kind(), format!("listening on {address}: {error}")))?;
    writeln!(io::stdout(), "echo {} listens on {}", options.identity.pod, listener.local_addr()?)?;

    let socket = UdpSocket::bind(listener.local_addr()?).await?;
    let pod = options.identity.pod.clone();
    tokio::spawn(async move { datagrams(socket, &pod).await });

    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let stop = async {
        tokio::select! { _ = terminate.recv() => {} _ = interrupt.recv() => {} }
    };
    if options.exit_at_once {
        let backend = Backend::new(options.identity);
        tokio::select! { () = stop => {} () = serve(listener, backend, tls, std::future::pending()) => {} }
    } else {
        serve(listener, Backend::new(options.identity), tls, stop).await;
    }
    Ok(())
}

/// Sends each datagram back, with the name of the Pod in front.
async fn datagrams(socket: UdpSocket, pod: &str) {
    let mut buffer = vec![0; 1 << 16];
    loop {
        // An error is that of an earlier answer, whose client is gone.
        let Ok((length, from)) = socket.recv_from(&mut buffer).await else { continue };
        let answer = [pod.as_bytes(), b" ", buffer.get(..length).unwrap_or_default()].concat();
        drop(socket.send_to(&answer, from).await);
    }
}

/// Serves until `stop` is ready: then accepts no more, closes idle connections,
/// finishes the requests in flight, and returns.
pub async fn serve(listener: TcpListener, backend: Backend, tls: Option<TlsAcceptor>, stop: impl Future<Output = ()>) {
    let server = Server { backend: Arc::new(backend), tls, graceful: GracefulShutdown::new() };
    let mut stop = std::pin::pin!(stop);
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => server.connection(stream),
                // Out of file descriptors, most likely: some will come back.
                Err(error) => {
                    eprintln!("echo: accept: {error}");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            },
            () = &mut stop => break,
        }
    }
    close(listener, |stream| server.connection(stream));
    server.graceful.shutdown().await;
}

/// Serves what waits in the queue already: closing would reset it, and its
/// clients believe that they are connected.
fn close(listener: TcpListener, mut serve: impl FnMut(TcpStream)) {
    let Ok(listener) = listener.into_std() else { return };
    while let Ok((stream, _)) = listener.accept() {
        let stream = stream.set_nonblocking(true).and_then(|()| TcpStream::from_std(stream));
        if let Ok(stream) = stream {
            serve(stream);
        }
    }
}

struct Server {
    backend: Arc<Backend>,
    /// None: HTTP in the clear.
    tls: Option<TlsAcceptor>,
    graceful: GracefulShutdown,
}

impl Server {
    fn connection(&self, stream: TcpStream) {
        // Small answers leave at once; a failure here only costs time.
        let _ = stream.set_nodelay(true);
        let peer = stream.peer_addr().ok().map(|address| address.ip());
        let caller = Caller { peer, backend: Arc::clone(&self.backend) };
        let watcher = self.graceful.watcher();
        match self.tls.clone() {
            None => drop(tokio::spawn(converse(stream, caller, watcher))),
            Some(tls) => drop(tokio::spawn(async move {
                match tls.accept(stream).await {
                    Ok(stream) => converse(stream, caller, watcher).await,
                    Err(error) => eprintln!("echo: handshake: {error}"),
                }
            })),
        }
    }
}

/// Who is at the other end of a connection, and what answers.
#[derive(Clone)]
struct Caller {
    peer: Option<IpAddr>,
    backend: Arc<Backend>,
}

impl Caller {
    /// Each answer says in its head who asked: for tests, the Tidegate that it came by.
    async fn answer(self, request: Request<Incoming>) -> Response<Body> {
        let mut response = answer(&self.backend, request).await;
        if let Some(peer) = self.peer.and_then(|peer| HeaderValue::try_from(peer.to_string()).ok()) {
            response.headers_mut().insert(PEER, peer);
        }
        response
    }
}

async fn converse<S>(stream: S, caller: Caller, watcher: Watcher)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(move |request| {
        let caller = caller.clone();
        async move { Ok::<_, Infallible>(caller.answer(request).await) }
    });
    let server = auto::Builder::new(TokioExecutor::new());
    let connection = server.serve_connection_with_upgrades(TokioIo::new(stream), service).into_owned();
    // How a connection ended is the client's to judge.
    drop(watcher.watch(connection).await);
}
