//! The port itself: versions of HTTP, and what is refused before anything is looked at.

use std::{convert::Infallible, net::SocketAddr};

use bytes::Bytes;
use futures_util::{StreamExt, stream::FuturesUnordered};
use http::{Request, StatusCode, Version};
use http_body_util::{BodyExt, Full, StreamBody};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::{ClientConfig, RootCertStore, ServerConfig, crypto::aws_lc_rs};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    time::timeout,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::*;
use crate::admission::{limits, server::Server};

const PATIENCE: Duration = Duration::from_secs(30);

struct Port {
    address: SocketAddr,
    trusted: CertificateDer<'static>,
    bases: watch::Sender<Option<Arc<Basis>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Port {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Port {
    async fn open() -> Self {
        let pair = rcgen::generate_simple_self_signed(["webhook.test".to_owned()]).unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(pair.signing_key.serialize_der()));
        let trusted = pair.cert.der().clone();
        let mut tls = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![trusted.clone()], key)
            .unwrap();
        tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (bases, tls) = (watch::Sender::new(None), watch::Sender::new(Some(Arc::new(tls))).subscribe());
        let metrics = Metrics::new(&Registry::new()).unwrap();
        let server = Server::new(listener, tls, Arc::new(Options::default()), bases.subscribe(), metrics);
        Self { address, trusted, bases, task: tokio::spawn(server.run()) }
    }

    /// The status and the body of an answer, over this version of HTTP.
    async fn send(&self, version: Version, method: &str, path: &str, body: Vec<u8>) -> (StatusCode, String) {
        timeout(PATIENCE, self.exchange(version, method, path, body)).await.expect("an answer")
    }

    async fn exchange(&self, version: Version, method: &str, path: &str, body: Vec<u8>) -> (StatusCode, String) {
        let h2 = version == Version::HTTP_2;
        let stream = self.connect(h2).await;
        let request = Request::builder().method(method).uri(format!("https://webhook.test{path}")).version(version);
        let request = request.header("host", "webhook.test").body(Full::new(Bytes::from(body))).unwrap();
        let answer = if h2 {
            let (mut sender, connection) =
                hyper::client::conn::http2::handshake(TokioExecutor::new(), stream).await.unwrap();
            tokio::spawn(connection);
            sender.send_request(request).await.unwrap()
        } else {
            let (mut sender, connection) = hyper::client::conn::http1::handshake(stream).await.unwrap();
            tokio::spawn(connection);
            sender.send_request(request).await.unwrap()
        };
        let status = answer.status();
        (status, String::from_utf8(answer.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap())
    }

    async fn connect(&self, h2: bool) -> TokioIo<TlsStream<TcpStream>> {
        let mut roots = RootCertStore::empty();
        roots.add(self.trusted.clone()).unwrap();
        let mut config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = if h2 { vec![b"h2".to_vec()] } else { vec![] };
        let socket = TcpStream::connect(self.address).await.unwrap();
        let name = "webhook.test".try_into().unwrap();
        TokioIo::new(TlsConnector::from(Arc::new(config)).connect(name, socket).await.unwrap())
    }
}

const PATH: &str = "/networking/v1/ingresses";

#[tokio::test]
async fn answers_over_both_versions_of_http() {
    let port = Port::open().await;
    let review = request("CREATE", &ingress("a", "a.example", "/", 1)).to_string();
    for version in [Version::HTTP_11, Version::HTTP_2] {
        port.bases.send_replace(None);
        let (status, body) = port.send(version, "POST", PATH, review.clone().into()).await;
        assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR, "not all objects are known: {body}");
        port.bases.send_replace(Some(basis(&[])));
        let (status, body) = port.send(version, "POST", PATH, review.clone().into()).await;
        assert!(status == StatusCode::OK && body.contains("\"allowed\":true"), "{status} {body}");
    }
}

#[tokio::test]
async fn refuses_what_is_no_review() {
    let port = Port::open().await;
    port.bases.send_replace(Some(basis(&[])));
    for (method, path, body, expected) in [
        ("POST", "/", vec![], StatusCode::NOT_FOUND),
        ("POST", "/networking/v1/ingresses/", vec![], StatusCode::NOT_FOUND),
        ("GET", PATH, vec![], StatusCode::METHOD_NOT_ALLOWED),
        ("POST", PATH, vec![], StatusCode::BAD_REQUEST),
        ("POST", PATH, b"{".to_vec(), StatusCode::BAD_REQUEST),
        ("POST", PATH, vec![b' '; limits::BODY], StatusCode::BAD_REQUEST),
    ] {
        for version in [Version::HTTP_11, Version::HTTP_2] {
            let (status, text) = port.send(version, method, path, body.clone()).await;
            assert_eq!(status, expected, "{method} {path}: {text}");
        }
    }
    // Over HTTP/1.1 the answer may be lost, where the connection is closed on a body that nobody reads.
    let (status, text) = port.send(Version::HTTP_2, "POST", PATH, vec![b' '; limits::BODY + 1]).await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE, "{text}");
}

#[tokio::test]
async fn many_at_once_take_turns() {
    let port = Arc::new(Port::open().await);
    port.bases.send_replace(Some(basis(&[])));
    let review = request("CREATE", &ingress("a", "a.example", "/", 1)).to_string();
    let asked = (0..32).map(|_| {
        let (port, review) = (Arc::clone(&port), review.clone());
        tokio::spawn(async move { port.send(Version::HTTP_2, "POST", PATH, review.into()).await.0 })
    });
    for status in futures_util::future::join_all(asked).await {
        assert_eq!(status.unwrap(), StatusCode::OK);
    }
}

/// Who sends heads and no bodies takes places, not the whole webhook, and gives them back by leaving.
#[tokio::test]
async fn more_than_there_is_room_for_are_refused() {
    let port = Port::open().await;
    port.bases.send_replace(Some(basis(&[])));
    let (mut stalled, mut connections) = (FuturesUnordered::new(), tokio::task::JoinSet::new());
    for _ in 0..3 {
        let stream = port.connect(true).await;
        let (sender, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), stream).await.unwrap();
        connections.spawn(connection);
        for _ in 0..100 {
            let request = Request::post(format!("https://webhook.test{PATH}"));
            let never = futures_util::stream::pending::<Result<http_body::Frame<Bytes>, Infallible>>();
            let mut sender = sender.clone();
            let request = request.body(Box::pin(StreamBody::new(never))).unwrap();
            stalled.push(async move { sender.send_request(request).await });
        }
    }
    let first = timeout(PATIENCE, stalled.next()).await.expect("an answer").unwrap().unwrap();
    assert_eq!(first.status(), StatusCode::TOO_MANY_REQUESTS);
    drop(stalled);
    connections.shutdown().await;
    let review = request("CREATE", &ingress("a", "a.example", "/", 1)).to_string();
    let answered = async {
        while port.send(Version::HTTP_2, "POST", PATH, review.clone().into()).await.0 != StatusCode::OK {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, answered).await.expect("the others are gone");
}
