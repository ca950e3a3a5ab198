//! Backends that speak HTTP/2 in the clear.

use std::{
    convert::Infallible,
    future::Future,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};

use hyper::{body::Incoming, server::conn::http2, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{net::TcpListener, task::AbortHandle};

use super::h2::AnyBody;

/// A server on a port of its own.
pub struct H2cBackend {
    pub address: SocketAddr,
    connections: Arc<AtomicUsize>,
    crowd: Arc<AtomicUsize>,
    pub heads: Arc<Mutex<Vec<http::request::Parts>>>,
    accepting: AbortHandle,
}

impl H2cBackend {
    /// Answers with what `answer` makes of a request; takes `most` at a time on a connection.
    pub async fn start<F>(
        most: Option<u32>,
        answer: impl Fn(http::Request<Incoming>) -> F + Send + Sync + Clone + 'static,
    ) -> Self
    where
        F: Future<Output = http::Response<AnyBody>> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (connections, heads) = (Arc::<AtomicUsize>::default(), Arc::<Mutex<Vec<_>>>::default());
        let crowd = Arc::<AtomicUsize>::default();
        let (count, seen, most_seen) = (Arc::clone(&connections), Arc::clone(&heads), Arc::clone(&crowd));
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                count.fetch_add(1, SeqCst);
                let (answer, seen, most_seen) = (answer.clone(), Arc::clone(&seen), Arc::clone(&most_seen));
                let here = Arc::<()>::default();
                let service = service_fn(move |request: http::Request<Incoming>| {
                    let (head, body) = request.into_parts();
                    seen.lock().unwrap().push(head.clone());
                    // Each request holds it until its end; one more is the connection's own.
                    let held = Arc::clone(&here);
                    most_seen.fetch_max(Arc::strong_count(&here) - 1, SeqCst);
                    let answer = answer(http::Request::from_parts(head, body));
                    async move {
                        let _held = held;
                        Ok::<_, Infallible>(answer.await)
                    }
                });
                let mut builder = http2::Builder::new(TokioExecutor::new());
                builder.max_concurrent_streams(most);
                tokio::spawn(builder.serve_connection(TokioIo::new(stream), service));
            }
        });
        Self { address, connections, crowd, heads, accepting: accepting.abort_handle() }
    }

    /// How many requests one of its connections had to answer at a time, at most.
    pub fn crowd(&self) -> usize {
        self.crowd.load(SeqCst)
    }

    /// How many connections it has accepted.
    pub fn connections(&self) -> usize {
        self.connections.load(SeqCst)
    }
}

impl Drop for H2cBackend {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}
