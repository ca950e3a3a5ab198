//! UDP services.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

mod support;

use std::{collections::BTreeSet, net::SocketAddr, num::NonZeroU32, time::Duration};

use snapshot::Report;
use support::{Proxy, UdpBackend, World, eventually, within};
use tokio::net::UdpSocket;

/// A client of its own address.
async fn client(proxy: SocketAddr) -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    socket.connect(proxy).await.unwrap();
    socket
}

async fn receive(socket: &UdpSocket) -> String {
    let mut buffer = vec![0; 1 << 16];
    let length = within("a reply", socket.recv(&mut buffer)).await.unwrap();
    String::from_utf8(buffer[..length].to_vec()).unwrap()
}

async fn ask(socket: &UdpSocket, text: &str) -> String {
    socket.send(text.as_bytes()).await.unwrap();
    receive(socket).await
}

fn sessions(proxy: &Proxy) -> f64 {
    proxy.metric("tidegate_stream_sessions{", "protocol=\"udp\"")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_clients_get_their_own_replies() {
    let backend = UdpBackend::start("x", 1).await;
    let proxy = Proxy::start(&World::new().udp("x", &[backend.address])).await;
    let address = proxy.address("udp:x");
    let mut clients = Vec::new();
    for _ in 0..1000 {
        clients.push(client(address).await);
    }
    // All are asked before any reply is read; a few at a time, because the backend's queue is no longer than that.
    for round in 0..3 {
        for (number, many) in clients.chunks(50).enumerate() {
            for (at, client) in many.iter().enumerate() {
                client.send(format!("{round} {number} {at}").as_bytes()).await.unwrap();
            }
            for (at, client) in many.iter().enumerate() {
                assert_eq!(receive(client).await, format!("x:{round} {number} {at}"));
            }
        }
    }
    assert_eq!(sessions(&proxy), 1000.0);
    let seen: BTreeSet<SocketAddr> = backend.seen.lock().unwrap().iter().copied().collect();
    assert_eq!((seen.len(), backend.received()), (1000, 3000), "each client keeps its session");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_datagram_may_have_many_replies() {
    let backend = UdpBackend::start("x", 20).await;
    let proxy = Proxy::start(&World::new().udp("x", &[backend.address])).await;
    let client = client(proxy.address("udp:x")).await;
    assert_eq!(ask(&client, "many").await, "x:many");
    for _ in 1..20 {
        assert_eq!(receive(&client).await, "x:many");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_ends_with_the_replies_that_are_expected() {
    let (a, b) = (UdpBackend::start("x", 2).await, UdpBackend::start("x", 2).await);
    let world = World::new().udp("x", &[a.address, b.address]).udp_services(|udp| udp.replies = NonZeroU32::new(2));
    let proxy = Proxy::start(&world).await;
    let client = client(proxy.address("udp:x")).await;
    for round in 0..4 {
        ask(&client, &round.to_string()).await;
        receive(&client).await;
        eventually("the session's end", || sessions(&proxy) == 0.0).await;
    }
    // Each was a session of its own, and the endpoints had their turns.
    assert_eq!((a.received(), b.received()), (2, 2));
    assert_eq!(proxy.metric("tidegate_stream_sessions_total", "status=\"200\""), 4.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn silence_ends_a_session() {
    let backend = UdpBackend::start("x", 1).await;
    let world = World::new().udp("x", &[backend.address]).udp_services(|udp| udp.idle = Duration::from_secs(2));
    let proxy = Proxy::start(&world).await;
    let client = client(proxy.address("udp:x")).await;
    ask(&client, "hello").await;
    eventually("its end", || sessions(&proxy) == 0.0).await;
    assert_eq!(ask(&client, "again").await, "x:again");
    assert_eq!(backend.seen.lock().unwrap().iter().collect::<BTreeSet<_>>().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_ends_with_its_endpoint() {
    let (old, new) = (UdpBackend::start("old", 1).await, UdpBackend::start("new", 1).await);
    let mut world = World::new().udp("x", &[old.address]);
    let mut proxy = Proxy::start(&world).await;
    let client = client(proxy.address("udp:x")).await;
    assert_eq!(ask(&client, "1").await, "old:1");
    world.set_stream_endpoints("x", "/UDP", &[new.address]);
    proxy.apply(&world).await;
    eventually("its end", || sessions(&proxy) == 0.0).await;
    assert_eq!(ask(&client, "2").await, "new:2");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_ends_where_the_port_leads_elsewhere() {
    let (old, new) = (UdpBackend::start("old", 1).await, UdpBackend::start("new", 1).await);
    let world = World::new().udp("x", &[old.address]);
    let mut proxy = Proxy::start(&world).await;
    let client = client(proxy.address("udp:x")).await;
    assert_eq!(ask(&client, "1").await, "old:1");
    let world = World::new().udp("y", &[new.address]).udp("x", &[old.address]);
    let mut other = world.snapshot.listeners.get("udp:y").unwrap().as_ref().clone();
    other.binds = world.snapshot.listeners.get("udp:x").unwrap().binds.clone();
    let mut world = world;
    world.snapshot.listeners.remove("udp:y");
    world.snapshot.listeners.insert("udp:x".into(), std::sync::Arc::new(other));
    proxy.apply(&world).await;
    assert_eq!(ask(&client, "2").await, "new:2");
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_are_bounded() {
    let backend = UdpBackend::start("x", 1).await;
    let mut world = World::new().udp("x", &[backend.address]);
    world.snapshot.connections.per_worker = NonZeroU32::new(3);
    let proxy = Proxy::with_workers(1, &world).await;
    let address = proxy.address("udp:x");
    let mut clients = Vec::new();
    for _ in 0..3 {
        let client = client(address).await;
        ask(&client, "in").await;
        clients.push(client);
    }
    let late = client(address).await;
    late.send(b"out").await.unwrap();
    eventually("a loss", || proxy.metric("tidegate_stream_datagrams_dropped_total", "reason=\"full\"") == 1.0).await;
    assert_eq!(ask(&clients[0], "still").await, "x:still");
    assert_eq!(backend.received(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_endpoint_datagrams_are_lost_and_counted() {
    let mut world = World::new().udp("x", &[]);
    let mut proxy = Proxy::start(&world).await;
    let client = client(proxy.address("udp:x")).await;
    client.send(b"lost").await.unwrap();
    let lost = |proxy: &Proxy| proxy.metric("tidegate_stream_datagrams_dropped_total", "reason=\"no-endpoint\"");
    eventually("a loss", || lost(&proxy) == 1.0).await;
    let backend = UdpBackend::start("x", 1).await;
    world.set_stream_endpoints("x", "/UDP", &[backend.address]);
    proxy.apply(&world).await;
    assert_eq!(ask(&client, "found").await, "x:found");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_whose_port_is_closed_ends_the_session() {
    let closed = UdpSocket::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let here = UdpBackend::start("here", 1).await;
    let proxy = Proxy::start(&World::new().udp("x", &[closed, here.address])).await;
    let client = client(proxy.address("udp:x")).await;
    // One session or the next is with the endpoint that is there.
    within("an answer", async {
        let mut buffer = [0; 16];
        loop {
            client.send(b"?").await.unwrap();
            let answer = tokio::time::timeout(Duration::from_millis(300), client.recv(&mut buffer)).await;
            if answer.is_ok_and(|received| received.is_ok()) {
                return;
            }
        }
    })
    .await;
    drop(client);
    // Whichever came first: the closed one is in the log where it had its turn.
    let log = proxy.stop().await;
    assert!(log.lines().all(|line| line.contains("] UDP 200 ") || line.contains("] UDP 502 ")), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn datagrams_of_any_size_pass() {
    let backend = UdpBackend::start("x", 1).await;
    let proxy = Proxy::start(&World::new().udp("x", &[backend.address])).await;
    let client = client(proxy.address("udp:x")).await;
    for length in [0, 1, 1472, 1473, 9000, 60_000] {
        let text = "y".repeat(length);
        assert!(ask(&client, &text).await == format!("x:{text}"), "{length}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ports_come_and_go() {
    let backend = UdpBackend::start("x", 1).await;
    let none = World::new();
    let world = World::new().udp("x", &[backend.address]).udp("other", &[backend.address]);
    let mut proxy = Proxy::start(&world).await;
    let (address, other) = (proxy.address("udp:x"), client(proxy.address("udp:other")).await);
    let first = client(address).await;
    ask(&first, "open").await;
    ask(&other, "open").await;

    let mut rest = world.clone();
    rest.snapshot.listeners.remove("udp:x");
    proxy.apply(&rest).await;
    assert_eq!(ask(&other, "meanwhile").await, "x:meanwhile");
    // The sessions of the port are over, and it is free.
    eventually("the port", || std::net::UdpSocket::bind(address).is_ok()).await;

    let mut again = world.clone();
    std::sync::Arc::make_mut(again.snapshot.listeners.get_mut("udp:x").unwrap()).binds = vec![address];
    let report = proxy.apply(&again).await;
    assert!(matches!(&report, Report::Applied { rejected, .. } if rejected.is_empty()), "{report:?}");
    assert_eq!(ask(&first, "again").await, "x:again");
    proxy.apply(&none).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_taken_port_is_a_problem_of_its_config_map_alone() {
    let backend = UdpBackend::start("x", 1).await;
    let taken = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap();
    let mut world = World::new().udp("taken", &[backend.address]).udp("free", &[backend.address]);
    std::sync::Arc::make_mut(world.snapshot.listeners.get_mut("udp:taken").unwrap()).binds = vec![address];
    let mut proxy = Proxy::idle(Duration::ZERO);
    let Report::Applied { rejected, .. } = proxy.apply(&world).await else { panic!("rejected as a whole") };
    let [rejection] = rejected.as_slice() else { panic!("{rejected:?}") };
    assert_eq!(rejection.origin.to_string(), "ConfigMap system/udp");
    assert_eq!(rejection.field, Some(format!("data[{}]", address.port())));
    assert_eq!(ask(&client(proxy.address("udp:free")).await, "hello").await, "x:hello");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_waits_for_replies_and_no_longer() {
    let backend = UdpBackend::start("x", 1).await;
    let proxy = Proxy::start(&World::new().udp("x", &[backend.address])).await;
    let client = client(proxy.address("udp:x")).await;
    ask(&client, "hello").await;
    // Its session would go on for a minute, and the drain for ten seconds.
    let began = tokio::time::Instant::now();
    assert_eq!(within("the stop", proxy.dataplane.shut_down()).await.cut, 0);
    assert!(began.elapsed() < Duration::from_secs(9));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_a_line_of_the_log() {
    let backend = UdpBackend::start("x", 1).await;
    let proxy = Proxy::start(&World::new().udp("x", &[backend.address])).await;
    let client = client(proxy.address("udp:x")).await;
    ask(&client, "hello").await;
    let log = proxy.stop().await;
    assert!(log.starts_with("[127.0.0.1] [") && log.contains("] UDP 200 7 5 "), "{log}");
}
