//! Connections over workers: in balance, and within bounds.
#![allow(missing_docs, clippy::unwrap_used)]

mod support;

use std::num::NonZeroU32;

use support::{
    Backend, Client, Proxy, World, eventually,
    h2::{self, Raw},
    within,
};

/// What the kernel does by itself leaves a worker with four or more in more than half of all trials.
#[tokio::test(flavor = "multi_thread")]
async fn eight_connections_of_http2_never_crowd_one_of_four_workers() {
    let backend = Backend::named("x").await;
    let proxy = Proxy::with_workers(4, &World::new().route("a.example", "/", &[backend.address])).await;
    for trial in 0..200 {
        let connecting: Vec<_> = (0..8).map(|_| tokio::spawn(Raw::connect(proxy.http()))).collect();
        let mut connections = Vec::new();
        for connection in connecting {
            connections.push(connection.await.unwrap());
        }
        for connection in &mut connections {
            assert!(connection.send(&[h2::head(1)]).await);
        }
        for connection in &mut connections {
            assert!(connection.next_of(&[h2::DATA]).await.is_some());
        }
        let counts = proxy.dataplane.connections();
        assert_eq!(counts.iter().sum::<usize>(), 8, "trial {trial}: {counts:?}");
        assert!(counts.iter().all(|&count| count <= 3), "trial {trial}: {counts:?}");
        drop(connections);
        eventually("the end of all", || proxy.dataplane.connections() == [0; 4]).await;
    }
    assert!(proxy.metric("tidegate_connections_handed_over_total", "") > 0.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_at_a_time_stays_where_it_is_accepted() {
    let proxy = Proxy::with_workers(4, &World::new()).await;
    for _ in 0..50 {
        assert_eq!(proxy.client().await.get("a.example", "/").await.status, 404);
        eventually("the end", || proxy.dataplane.connections() == [0; 4]).await;
    }
    assert_eq!(proxy.metric("tidegate_connections_handed_over_total", ""), 0.0);
}

/// Half of them are on their way from one worker to another while both leave.
#[tokio::test(flavor = "multi_thread")]
async fn a_stop_loses_no_connection_that_changes_hands() {
    let mut handed_over = 0.0;
    for _ in 0..20 {
        let proxy = Proxy::with_workers(4, &World::new()).await;
        let mut clients = Vec::new();
        for _ in 0..24 {
            let mut client = Client::connect(proxy.http()).await;
            client.send("GET / HTTP/1.1\r\nhost: a.example\r\n\r\n").await;
            clients.push(client);
        }
        let registry = proxy.dataplane.registry();
        assert_eq!(within("the stop", proxy.dataplane.shut_down()).await.cut, 0);
        for mut client in clients {
            assert_eq!(client.answer().await.status, 404);
        }
        let text = prometheus::TextEncoder::new().encode_to_string(&registry.gather()).unwrap();
        let line = text.lines().find(|line| line.starts_with("tidegate_connections_handed_over_total")).unwrap();
        handed_over += line.rsplit_once(' ').unwrap().1.parse::<f64>().unwrap();
    }
    assert!(handed_over > 0.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn more_than_the_workers_may_have_are_refused() {
    let backend = Backend::named("x").await;
    let mut world = World::new().route("a.example", "/", &[backend.address]).tls(&[], None);
    world.snapshot.connections.per_worker = NonZeroU32::new(2);
    let mut proxy = Proxy::start(&world).await;
    let mut held = Vec::new();
    for _ in 0..4 {
        let mut client = proxy.client().await;
        assert_eq!(client.get("a.example", "/").await.status, 200);
        held.push(client);
    }
    assert_eq!(proxy.dataplane.connections(), [2, 2]);
    for _ in 0..20 {
        let mut refused = proxy.client().await;
        let answer = refused.answer().await;
        assert_eq!((answer.status, answer.header("connection")), (503, Some("close")));
        assert_eq!((answer.text(), refused.rest().await.as_str()), ("503 Service Unavailable\n", ""));
    }
    assert_eq!(Client::connect(proxy.https()).await.rest().await, "");
    assert_eq!(proxy.metric("tidegate_connections_refused_total", "full"), 21.0);
    // Those that are in are served on, and whoever leaves makes room.
    assert_eq!(held[0].get("a.example", "/").await.status, 200);
    held.pop();
    eventually("room", || proxy.dataplane.connections().iter().sum::<usize>() == 3).await;
    held.push(proxy.client().await);
    assert_eq!(held[3].get("a.example", "/").await.status, 200);
    // A new limit holds for new connections at once.
    world.snapshot.connections.per_worker = None;
    proxy.apply(&world).await;
    assert_eq!(proxy.client().await.get("a.example", "/").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn more_than_one_client_may_have_are_refused() {
    let mut world = World::new();
    world.snapshot.connections.per_client = NonZeroU32::new(3);
    let proxy = Proxy::start(&world).await;
    let mut held = Vec::new();
    for _ in 0..3 {
        let mut client = proxy.client().await;
        assert_eq!(client.get("a.example", "/").await.status, 404);
        held.push(client);
    }
    assert_eq!(proxy.client().await.answer().await.status, 503);
    assert_eq!(proxy.metric("tidegate_connections_refused_total", "client"), 1.0);
    // Another one is not concerned.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.2:0".parse().unwrap()).unwrap();
    let mut other = Client::new(socket.connect(proxy.http()).await.unwrap());
    assert_eq!(other.get("a.example", "/").await.status, 404);
    drop((held, other));
    eventually("room", || proxy.dataplane.connections() == [0; 2]).await;
    assert_eq!(proxy.client().await.get("a.example", "/").await.status, 404);
}
