//! What was replaced is let go of, whatever is still open.
#![allow(missing_docs, clippy::unwrap_used)]

mod support;

use std::sync::{Arc, Weak};

use snapshot::{Protocol, RouteTable, TableId};
use support::{
    Backend, H2cBackend, Proxy, World, eventually,
    h2::{Http2, get},
    within,
};
use tokio::{io::AsyncWriteExt, sync::Notify};

const HOST: &str = "a.example";

/// The table of that host, as the data plane got it.
fn table(proxy: &Proxy) -> Weak<RouteTable> {
    let served = proxy.dataplane.served();
    let served = served.borrow();
    Arc::downgrade(served.as_ref().unwrap().tables.get(&TableId::from(HOST)).unwrap())
}

/// Serves something else, and waits until nothing holds the table of before.
async fn replace(proxy: &mut Proxy, world: World) {
    let table = table(proxy);
    drop(world);
    proxy.apply(&World::new()).await;
    eventually("the end of the table", || table.upgrade().is_none()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_connection_holds_no_table() {
    let backend = Backend::named("x").await;
    let world = World::new().route(HOST, "/", &[backend.address]);
    let mut proxy = Proxy::start(&world).await;
    let (mut new, mut used) = (proxy.client().await, proxy.client().await);
    let mut http2 = Http2::connect(proxy.http()).await;
    assert_eq!(used.get(HOST, "/").await.text(), "x");
    assert_eq!(http2.get("http://a.example/").await.1, "x");
    replace(&mut proxy, world).await;
    assert_eq!(new.get(HOST, "/").await.status, 404);
    assert_eq!(used.get(HOST, "/").await.status, 404);
    assert_eq!(http2.get("http://a.example/").await.0, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tunnel_holds_no_table() {
    let backend = Backend::raw(|mut stream, _| async move {
        support::read_request(&mut stream).await.unwrap();
        let head = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: chat\r\n\r\n";
        stream.write_all(head.as_bytes()).await.unwrap();
        let (mut read, mut write) = stream.split();
        tokio::io::copy(&mut read, &mut write).await.ok();
    })
    .await;
    let world = World::new().route(HOST, "/", &[backend.address]);
    let mut proxy = Proxy::start(&world).await;
    let mut client = proxy.client().await;
    client.send("GET / HTTP/1.1\r\nhost: a.example\r\nconnection: upgrade\r\nupgrade: chat\r\n\r\n").await;
    assert!(client.head().await.starts_with("HTTP/1.1 101"));
    replace(&mut proxy, world).await;
    client.send("still here").await;
    assert_eq!(client.take(10).await.unwrap(), b"still here");
}

/// A call whose endpoint has said nothing yet.
#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_waits_holds_no_table() {
    let (asked, go_on) = (Arc::<Notify>::default(), Arc::<Notify>::default());
    let (tell, wait) = (Arc::clone(&asked), Arc::clone(&go_on));
    let backend = H2cBackend::start(None, move |_| {
        let (tell, wait) = (Arc::clone(&tell), Arc::clone(&wait));
        async move {
            tell.notify_one();
            wait.notified().await;
            http::Response::new(support::h2::full("at last"))
        }
    })
    .await;
    let world = World::new().route(HOST, "/", &[backend.address]).protocol(Protocol::Http2);
    let mut proxy = Proxy::start(&world).await;
    let mut client = Http2::connect(proxy.http()).await;
    let call = tokio::spawn(client.sender.send_request(get("http://a.example/")));
    within("the call", asked.notified()).await;
    replace(&mut proxy, world).await;
    go_on.notify_one();
    assert_eq!(within("the answer", call).await.unwrap().unwrap().status(), 200);
}
