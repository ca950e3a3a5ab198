//! Start, stop, ports.
#![allow(missing_docs, clippy::unwrap_used)]

mod support;

use std::{sync::Arc, time::Duration};

use snapshot::Report;
use support::{Backend, Client, Proxy, World, eventually, within};
use tokio::io::AsyncWriteExt;

#[tokio::test(flavor = "multi_thread")]
async fn is_ready_once_the_first_snapshot_is_served() {
    let mut proxy = Proxy::idle(Duration::ZERO);
    let readiness = proxy.dataplane.readiness();
    assert_eq!(readiness.missing(), ["no snapshot yet"]);
    assert!(proxy.dataplane.served().borrow().is_none());
    proxy.apply(&World::new()).await;
    assert!(readiness.missing().is_empty());
    assert_eq!(proxy.dataplane.served().borrow().as_ref().unwrap().id.sequence, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_taken_port_is_an_error_that_names_it() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let mut world = World::new();
    bind(&mut world, &[address]);
    let mut proxy = Proxy::idle(Duration::ZERO);
    let Report::Rejected { reason, .. } = proxy.apply(&world).await else { panic!("it was bound") };
    assert!(reason.contains(&address.to_string()) && reason.contains("in use"), "{reason}");
    assert_eq!(proxy.dataplane.readiness().missing(), [reason]);
    // A port that another instance of ourselves has is taken, too.
    let first = Proxy::start(&World::new()).await;
    bind(&mut world, &[first.http()]);
    assert!(matches!(proxy.apply(&world).await, Report::Rejected { .. }));
    drop(taken);
    bind(&mut world, &[address]);
    assert!(matches!(proxy.apply(&world).await, Report::Applied { .. }));
    assert_eq!(proxy.client().await.get("a.example", "/").await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn later_a_taken_port_harms_nobody_else() {
    let backend = Backend::named("x").await;
    let mut world = World::new();
    let mut proxy = Proxy::start(&world).await;
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let _held = std::net::TcpListener::bind(taken).unwrap();
    let asked = world.snapshot.listeners.get("http").unwrap().binds[0];
    bind(&mut world, &[asked, taken]);
    world.add_route("a.example", "/", &[backend.address]);
    let Report::Applied { rejected, .. } = proxy.apply(&world).await else { panic!("rejected as a whole") };
    assert!(rejected[0].reason.contains(&taken.to_string()), "{rejected:?}");
    assert_eq!(proxy.client().await.get("a.example", "/").await.text(), "x");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_to_a_listener_that_is_gone_ends_with_its_next_request() {
    let backend = Backend::named("x").await;
    let mut world = World::new().route("a.example", "/", &[backend.address]);
    let mut proxy = Proxy::start(&world).await;
    let mut client = proxy.client().await;
    assert_eq!(client.get("a.example", "/").await.text(), "x");
    world.snapshot.listeners.remove("http");
    proxy.apply(&world).await;
    let answer = client.get("a.example", "/").await;
    assert_eq!((answer.status, answer.header("connection")), (404, Some("close")));
    assert_eq!(client.rest().await, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_can_be_bound_again_at_once() {
    let backend = Backend::named("x").await;
    let mut world = World::new().route("a.example", "/", &[backend.address]);
    let proxy = Proxy::start(&world).await;
    let address = proxy.http();
    // Closed by us, so that our side is left in TIME_WAIT.
    let mut client = proxy.client().await;
    client.send("GET / HTTP/1.1\r\nhost: a.example\r\nconnection: close\r\n\r\n").await;
    client.rest().await;
    proxy.stop().await;
    bind(&mut world, &[address]);
    Proxy::start(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listener_comes_and_goes() {
    let mut world = World::new();
    let mut proxy = Proxy::start(&world).await;
    let old = proxy.http();
    let mut client = proxy.client().await;
    let spare = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    bind(&mut world, &[spare]);
    assert!(matches!(proxy.apply(&world).await, Report::Applied { rejected, .. } if rejected.is_empty()));
    assert_eq!(proxy.http(), spare);
    assert_eq!(proxy.client().await.get("a.example", "/").await.status, 404);
    // A connection that came by the old way stays.
    assert_eq!(client.get("a.example", "/").await.status, 404);
    eventually("the old socket's end", || std::net::TcpStream::connect(old).is_err()).await;
}

/// Answers when it is let go.
async fn slow() -> (Backend, Arc<tokio::sync::Notify>, Arc<tokio::sync::Notify>) {
    let (asked, go_on) = (Arc::<tokio::sync::Notify>::default(), Arc::<tokio::sync::Notify>::default());
    let (tell, wait) = (Arc::clone(&asked), Arc::clone(&go_on));
    let backend = Backend::raw(move |mut stream, _| {
        let (tell, wait) = (Arc::clone(&tell), Arc::clone(&wait));
        async move {
            support::read_request(&mut stream).await.unwrap();
            tell.notify_one();
            wait.notified().await;
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\ndone").await.unwrap();
        }
    })
    .await;
    (backend, asked, go_on)
}

#[tokio::test(flavor = "multi_thread")]
async fn leaves_without_losing_a_request() {
    let (backend, asked, go_on) = slow().await;
    let world = World::new().route("a.example", "/", &[backend.address]);
    let mut proxy = Proxy::idle(Duration::from_secs(1));
    proxy.apply(&world).await;
    let address = proxy.http();
    let readiness = proxy.dataplane.readiness();
    let (mut idle, mut used, mut busy) = (proxy.client().await, proxy.client().await, proxy.client().await);
    assert_eq!(used.get("b.example", "/").await.status, 404);
    busy.send("GET / HTTP/1.1\r\nhost: a.example\r\n\r\n").await;
    asked.notified().await;
    let stop = tokio::spawn(proxy.dataplane.shut_down());
    eventually("not ready", || readiness.missing() == ["draining"]).await;
    // Load balancers need time to look elsewhere: new connections are still served.
    // Their answers soon say that the connection ends, so that clients go by themselves.
    loop {
        let answer = Client::connect(address).await.get("b.example", "/").await;
        assert_eq!(answer.status, 404);
        if answer.header("connection") == Some("close") {
            break;
        }
    }
    assert_eq!(idle.rest().await, "");
    assert_eq!(used.rest().await, "");
    eventually("no more connections", || std::net::TcpStream::connect(address).is_err()).await;
    go_on.notify_one();
    let answer = busy.answer().await;
    assert_eq!((answer.text(), answer.header("connection")), ("done", Some("close")));
    assert_eq!(within("the stop", stop).await.unwrap().cut, 0);
}

/// A head may come in two pieces, and a stop in between.
#[tokio::test(flavor = "multi_thread")]
async fn half_a_head_is_a_request_on_its_way() {
    let backend = Backend::named("x").await;
    let proxy = Proxy::start(&World::new().route("a.example", "/", &[backend.address])).await;
    let address = proxy.http();
    let (mut new, mut used) = (proxy.client().await, proxy.client().await);
    assert_eq!(used.get("a.example", "/").await.text(), "x");
    for client in [&mut new, &mut used] {
        client.send("GET / HTTP/1.1\r\nho").await;
    }
    // For both halves to be read.
    tokio::time::sleep(Duration::from_millis(100)).await;
    let stop = tokio::spawn(proxy.dataplane.shut_down());
    eventually("no more connections", || std::net::TcpStream::connect(address).is_err()).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    for client in [&mut new, &mut used] {
        client.send("st: a.example\r\n\r\n").await;
        let answer = client.answer().await;
        assert_eq!((answer.status, answer.text(), answer.header("connection")), (200, "x", Some("close")));
    }
    assert_eq!(within("the stop", stop).await.unwrap().cut, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn cuts_what_does_not_end() {
    let (soon, late) = (Duration::from_millis(100), Duration::from_secs(3600));
    for (drain_timeout, limit) in [(soon, Duration::MAX), (late, soon)] {
        let (backend, asked, _go_on) = slow().await;
        let mut world = World::new().route("a.example", "/", &[backend.address]);
        world.snapshot.drain_timeout = drain_timeout;
        let proxy = Proxy::start(&world).await;
        let mut busy = proxy.client().await;
        busy.send("GET / HTTP/1.1\r\nhost: a.example\r\n\r\n").await;
        asked.notified().await;
        assert_eq!(within("the stop", proxy.dataplane.shut_down_within(limit)).await.cut, 1);
        assert_eq!(busy.rest().await, "");
        let log = std::fs::read_to_string(&proxy.log).unwrap();
        assert!(log.contains("\"GET / HTTP/1.1\" 499 "), "{log}");
    }
}

fn bind(world: &mut World, binds: &[std::net::SocketAddr]) {
    Arc::make_mut(world.snapshot.listeners.get_mut("http").unwrap()).binds = binds.to_vec();
}
