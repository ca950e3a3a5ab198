//! A host that wants certificates of its clients, and clients that have some.

use std::sync::Arc;

use rustls::{
    ClientConfig, SupportedProtocolVersion,
    version::{TLS12, TLS13},
};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use super::{
    Answer, Backend, Client, Proxy, World,
    h2::Http2,
    pki::Identity,
    tls::{Spoken, try_handshake},
};

pub const VERSIONS: [&SupportedProtocolVersion; 2] = [&TLS12, &TLS13];

/// `private.example` and `open.example`, with one certificate for both.
pub async fn world() -> (World, Backend) {
    let backend = Backend::named("secret").await;
    let world = World::new()
        .route("private.example", "/", &[backend.address])
        .route("open.example", "/", &[backend.address])
        .cert("cert", &["*.example"])
        .tls(&[("private.example", "cert"), ("open.example", "cert")], Some("cert"));
    (world, backend)
}

pub fn spoken(version: &'static SupportedProtocolVersion, identity: Option<&Identity>) -> Spoken {
    Spoken { identity: identity.cloned(), ..Spoken::version(version) }
}

pub fn config(spoken: Spoken) -> Arc<ClientConfig> {
    Arc::new(spoken.config().0)
}

pub async fn connect(proxy: &Proxy, name: &str, config: &Arc<ClientConfig>) -> Client<TlsStream<TcpStream>> {
    Client::new(try_handshake(proxy.https(), name, config).await.unwrap())
}

pub async fn get(proxy: &Proxy, version: &'static SupportedProtocolVersion, identity: Option<&Identity>) -> Answer {
    let mut client = connect(proxy, "private.example", &config(spoken(version, identity))).await;
    client.get("private.example", "/").await
}

pub async fn get_http2(proxy: &Proxy, version: &'static SupportedProtocolVersion, identity: Option<&Identity>) -> u16 {
    let config = config(Spoken { protocols: vec!["h2"], ..spoken(version, identity) });
    let stream = try_handshake(proxy.https(), "private.example", &config).await.unwrap();
    Http2::over(stream).await.get("https://private.example/").await.0
}
