//! The way to the API server, with bounds: one that lost its power says nothing any more, not even that it is gone.

use std::{io, time::Duration};

use bytes::Bytes;
use futures_util::{Stream, stream};
use http::{Request, Response};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Body as HttpBody, Frame};
use hyper_util::{
    client::legacy::{self, connect::HttpConnector},
    rt::TokioExecutor,
};
use kube::{
    Client, Config,
    client::{Body, ClientBuilder, ConfigExt},
};
use tokio::time::timeout;
use tower::{Service, ServiceExt, util::option_layer};

/// What goes wrong below HTTP.
type Cause = Box<dyn std::error::Error + Send + Sync>;

/// A connection on which nothing is heard for as long is asked whether it is alive, again after [`PROBE`], and given up
/// when as many probes as [`PROBES`] came to nothing: 30 seconds in all.
const QUIET: Duration = Duration::from_secs(10);
const PROBE: Duration = Duration::from_secs(5);
const PROBES: u32 = 4;

/// As long may what was sent go unacknowledged. Without it that is a quarter of an hour.
const UNACKNOWLEDGED: Duration = Duration::from_secs(30);

/// How long an API server may be silent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// From a request to the head of its answer, the way there included.
    pub(super) head: Duration,
    /// Between two parts of an answer. A watch ends by itself before: see [`super::watch::LASTS`].
    pub(super) silence: Duration,
}

pub(super) const LIMITS: Limits = Limits { head: Duration::from_secs(30), silence: Duration::from_secs(75) };

/// As kube makes a client, over connections whose death is noticed.
pub(super) fn connect(config: Config) -> kube::Result<Client> {
    // Proxies are kube's, and it is built without: it says so.
    if config.proxy_url.is_some() {
        return Client::try_from(config);
    }
    let https = config.rustls_https_connector_with_connector(tcp(config.connect_timeout))?;
    let pooled = legacy::Client::builder(TokioExecutor::new()).build::<_, Body>(https);
    let client = ClientBuilder::new(bounded(pooled, LIMITS), config.default_namespace.clone())
        .with_layer(&config.extra_headers_layer()?)
        .with_layer(&option_layer(config.auth_layer()?))
        .with_layer(&config.base_uri_layer());
    Ok(client.build())
}

fn tcp(connect_timeout: Option<Duration>) -> HttpConnector {
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false); // what comes over it is TLS
    tcp.set_connect_timeout(connect_timeout);
    tcp.set_nodelay(true);
    tcp.set_keepalive(Some(QUIET));
    tcp.set_keepalive_interval(Some(PROBE));
    tcp.set_keepalive_retries(Some(PROBES));
    #[cfg(target_os = "linux")]
    tcp.set_tcp_user_timeout(Some(UNACKNOWLEDGED));
    tcp
}

/// The same service, whose silence is an error.
pub(super) fn bounded<S, B>(
    service: S,
    limits: Limits,
) -> impl Service<
    Request<Body>,
    Response = Response<impl HttpBody<Data = Bytes, Error = Cause> + Send + 'static>,
    Error = Cause,
    Future: Send,
> + Clone
+ Send
+ 'static
where
    S: Service<Request<Body>, Response = Response<B>, Error: Into<Cause>, Future: Send> + Clone + Send + 'static,
    B: HttpBody<Data = Bytes, Error: Into<Cause>> + Send + Unpin + 'static,
{
    service.map_err(|error| -> Cause { error.into() }).map_future(move |answer| async move {
        let answer = timeout(limits.head, answer).await;
        let answer: Response<B> = answer.unwrap_or_else(|_| Err(silent("did not answer", limits.head)))?;
        Ok::<_, Cause>(answer.map(|body| StreamBody::new(parts(body, limits.silence))))
    })
}

/// The parts of a body; after an error there is none.
fn parts<B>(body: B, limit: Duration) -> impl Stream<Item = Result<Frame<Bytes>, Cause>> + Send
where
    B: HttpBody<Data = Bytes, Error: Into<Cause>> + Send + Unpin,
{
    stream::unfold(Some(body), move |body| async move {
        let mut body = body?;
        match timeout(limit, body.frame()).await {
            Ok(None) => None,
            Ok(Some(Ok(frame))) => Some((Ok(frame), Some(body))),
            Ok(Some(Err(error))) => Some((Err(error.into()), None)),
            Err(_) => Some((Err(silent("stopped in the middle of an answer", limit)), None)),
        }
    })
}

fn silent(what: &str, limit: Duration) -> Cause {
    let message = format!("the API server {what}: nothing was heard for {limit:?}");
    io::Error::new(io::ErrorKind::TimedOut, message).into()
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read, Write},
        net::TcpListener,
        thread,
    };

    use super::*;

    /// As kube's own client does: where to, as whom, and what it reads of the answer.
    #[tokio::test]
    async fn a_request_goes_where_the_configuration_says() {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = server.local_addr().unwrap();
        let heard = thread::spawn(move || {
            let (mut socket, _) = server.accept().unwrap();
            let mut head = vec![0; 4096];
            let length = socket.read(&mut head).unwrap();
            let body = r#"{"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 418, "message": "no"}"#;
            write!(socket, "HTTP/1.1 418 No\r\ncontent-length: {}\r\n\r\n{body}", body.len()).unwrap();
            String::from_utf8(head[..length].to_vec()).unwrap().to_lowercase()
        });
        let folder = tempfile::tempdir().unwrap();
        let token = folder.path().join("token");
        std::fs::write(&token, "secret").unwrap();
        let mut config = Config::new(format!("http://{address}/prefix").parse().unwrap());
        config.auth_info.token_file = Some(token.to_str().unwrap().to_owned());
        let error = connect(config).unwrap().apiserver_version().await.unwrap_err();
        assert!(matches!(&error, kube::Error::Api(status) if status.code == 418), "{error:?}");
        let head = heard.join().unwrap();
        assert!(head.starts_with("get /prefix/version ") && head.contains("authorization: bearer secret"), "{head}");
    }
}
