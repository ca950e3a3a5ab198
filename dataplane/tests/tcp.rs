//! TCP services.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

mod support;

use std::{net::SocketAddr, time::Duration};

use sha2::{Digest, Sha256};
use snapshot::Report;
use support::{Backend, Echo, Proxy, World, eventually, within};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

async fn connect(address: SocketAddr) -> TcpStream {
    within("a connection", TcpStream::connect(address)).await.unwrap()
}

/// Everything until the end, or how it ended badly.
async fn rest(stream: &mut TcpStream) -> std::io::Result<String> {
    let mut text = Vec::new();
    within("the end", stream.read_to_end(&mut text)).await?;
    Ok(String::from_utf8(text).unwrap())
}

async fn exchange(stream: &mut TcpStream, bytes: &[u8]) {
    within("sending", stream.write_all(bytes)).await.unwrap();
    let mut back = vec![0; bytes.len()];
    within("the echo", stream.read_exact(&mut back)).await.unwrap();
    assert!(back == bytes);
}

/// Connects, and is cut off: at once or soon after.
async fn is_reset(address: SocketAddr) -> bool {
    let end = match within("a connection", TcpStream::connect(address)).await {
        Ok(mut stream) => rest(&mut stream).await.err(),
        Err(error) => Some(error),
    };
    end.is_some_and(|error| error.kind() == std::io::ErrorKind::ConnectionReset)
}

/// Free for the moment.
fn closed_port() -> SocketAddr {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// `TCP_ECHO_MIB=1024` makes it a gibibyte.
#[tokio::test(flavor = "multi_thread")]
async fn not_a_byte_is_lost_or_changed() {
    let mib: usize = std::env::var("TCP_ECHO_MIB").map_or(32, |text| text.parse().unwrap());
    let backend = Echo::start().await;
    let proxy = Proxy::start(&World::new().tcp("echo", &[backend.address])).await;
    let (mut read, mut write) = connect(proxy.address("tcp:echo")).await.into_split();
    let sender = tokio::spawn(async move {
        let (mut hash, mut block) = (Sha256::new(), vec![0u8; 1 << 20]);
        for round in 0..mib {
            block.iter_mut().enumerate().for_each(|(at, byte)| *byte = (at ^ (at >> 8) ^ (round * 31)) as u8);
            hash.update(&block);
            write.write_all(&block).await.unwrap();
        }
        write.shutdown().await.unwrap();
        hash.finalize()
    });
    let (mut hash, mut buffer, mut total) = (Sha256::new(), vec![0u8; 1 << 18], 0);
    loop {
        let count = within("bytes", read.read(&mut buffer)).await.unwrap();
        if count == 0 {
            break;
        }
        total += count;
        hash.update(&buffer[..count]);
    }
    assert_eq!(total, mib << 20);
    assert_eq!(hash.finalize(), sender.await.unwrap());
    assert_eq!(proxy.metric("tidegate_stream_bytes_total", "direction=\"sent\""), total as f64);
    assert_eq!(proxy.metric("tidegate_stream_bytes_total", "direction=\"received\""), total as f64);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_sessions_at_a_time() {
    let backend = Echo::start().await;
    let proxy = Proxy::start(&World::new().tcp("echo", &[backend.address])).await;
    let mut sessions = Vec::new();
    for number in 0..1000u32 {
        let mut stream = connect(proxy.address("tcp:echo")).await;
        exchange(&mut stream, &number.to_be_bytes()).await;
        sessions.push(stream);
    }
    assert_eq!(proxy.metric("tidegate_stream_sessions{", "listener=\"tcp:echo\""), 1000.0);
    let load = proxy.dataplane.connections();
    assert!(load.iter().all(|&count| count > 400), "in balance over the workers: {load:?}");
    let block = vec![7u8; 100_000];
    let talks: Vec<_> = sessions
        .into_iter()
        .map(|mut stream| {
            let block = block.clone();
            tokio::spawn(async move {
                let (mut read, mut write) = stream.split();
                let mut back = vec![0; block.len()];
                let (sent, got) = tokio::join!(write.write_all(&block), read.read_exact(&mut back));
                sent.unwrap();
                got.unwrap();
                back == block
            })
        })
        .collect();
    for talk in talks {
        assert!(within("a talk", talk).await.unwrap());
    }
    eventually("their end", || proxy.metric("tidegate_stream_sessions{", "listener=\"tcp:echo\"") == 0.0).await;
    assert_eq!(proxy.metric("tidegate_stream_sessions_total", "status=\"200\""), 1000.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_side_may_end_its_half() {
    // Hears the client out, and answers then.
    let listens = Backend::raw(|mut stream, _| async move {
        let mut all = Vec::new();
        stream.read_to_end(&mut all).await.unwrap();
        stream.write_all(format!("got {}", all.len()).as_bytes()).await.unwrap();
    })
    .await;
    // Says all that it has to say, and listens then.
    let (told, hears) = tokio::sync::oneshot::channel();
    let told = std::sync::Mutex::new(Some(told));
    let speaks = Backend::raw(move |mut stream, _| {
        let told = told.lock().unwrap().take();
        async move {
            stream.write_all(b"that is all").await.unwrap();
            stream.shutdown().await.unwrap();
            let mut all = Vec::new();
            stream.read_to_end(&mut all).await.unwrap();
            told.unwrap().send(all.len()).unwrap();
        }
    })
    .await;
    let world = World::new().tcp("listens", &[listens.address]).tcp("speaks", &[speaks.address]);
    let proxy = Proxy::start(&world).await;

    let mut client = connect(proxy.address("tcp:listens")).await;
    client.write_all(&vec![1; 300_000]).await.unwrap();
    client.shutdown().await.unwrap();
    assert_eq!(rest(&mut client).await.unwrap(), "got 300000");

    let mut client = connect(proxy.address("tcp:speaks")).await;
    assert_eq!(rest(&mut client).await.unwrap(), "that is all");
    client.write_all(&vec![1; 300_000]).await.unwrap();
    client.shutdown().await.unwrap();
    assert_eq!(within("the other half", hears).await.unwrap(), 300_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backend_that_breaks_in_the_middle_is_no_proper_end() {
    let breaks = Backend::raw(|mut stream, _| async move {
        stream.write_all(b"half").await.unwrap();
        let mut go_on = [0];
        stream.read_exact(&mut go_on).await.unwrap();
        stream.set_zero_linger().unwrap();
    })
    .await;
    let proxy = Proxy::start(&World::new().tcp("breaks", &[breaks.address])).await;
    let mut client = connect(proxy.address("tcp:breaks")).await;
    let mut half = [0; 4];
    within("a half", client.read_exact(&mut half)).await.unwrap();
    client.write_all(b"x").await.unwrap();
    assert_eq!(rest(&mut client).await.unwrap_err().kind(), std::io::ErrorKind::ConnectionReset);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_breaks_is_told_to_the_backend() {
    let (told, hears) = tokio::sync::mpsc::unbounded_channel();
    let backend = Backend::raw(move |mut stream, _| {
        let told = told.clone();
        async move { told.send(stream.read_to_end(&mut Vec::new()).await.map_err(|e| e.kind())).unwrap() }
    })
    .await;
    let mut hears = hears;
    let proxy = Proxy::start(&World::new().tcp("x", &[backend.address])).await;
    let mut client = connect(proxy.address("tcp:x")).await;
    client.write_all(b"half").await.unwrap();
    eventually("bytes", || proxy.metric("tidegate_stream_bytes_total", "direction=\"received\"") == 4.0).await;
    client.set_zero_linger().unwrap();
    drop(client);
    let end = within("an end", hears.recv()).await.unwrap();
    assert_eq!(end, Err(std::io::ErrorKind::ConnectionReset));
}

#[tokio::test(flavor = "multi_thread")]
async fn another_endpoint_is_tried_where_one_is_closed() {
    let backend = Echo::named("here").await;
    let endpoints = [closed_port(), closed_port(), backend.address];
    let proxy = Proxy::start(&World::new().tcp("x", &endpoints)).await;
    for _ in 0..6 {
        let mut client = connect(proxy.address("tcp:x")).await;
        client.shutdown().await.unwrap();
        assert_eq!(rest(&mut client).await.unwrap(), "here");
    }
    assert!(proxy.metric("tidegate_stream_connect_failures_total", "listener=\"tcp:x\"") >= 2.0);
    // A refusal is no try, until there have been ten; who gets no endpoint is cut off.
    let held: Vec<_> = (0..14).map(|_| std::net::TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    let closed: Vec<SocketAddr> = held.iter().map(|listener| listener.local_addr().unwrap()).collect();
    drop(held);
    let world = World::new().tcp("x", &closed).tcp("none", &[]).tcp_services(|tcp| tcp.retry.tries = 1);
    let proxy = Proxy::start(&world).await;
    for (name, failures) in [("x", 11.0), ("none", 0.0)] {
        assert!(is_reset(proxy.address(&format!("tcp:{name}"))).await, "{name}");
        let listener = format!("listener=\"tcp:{name}\"");
        assert_eq!(proxy.metric("tidegate_stream_connect_failures_total", &listener), failures);
    }
    let log = proxy.stop().await;
    let mut statuses: Vec<&str> = log.lines().map(|line| line.split(' ').nth(4).unwrap()).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, ["502", "503"], "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn endpoints_have_their_turns() {
    let (a, b) = (Echo::named("a").await, Echo::named("b").await);
    let proxy = Proxy::start(&World::new().tcp("x", &[a.address, b.address])).await;
    for _ in 0..10 {
        let mut client = connect(proxy.address("tcp:x")).await;
        client.shutdown().await.unwrap();
        rest(&mut client).await.unwrap();
    }
    assert_eq!((a.connections(), b.connections()), (5, 5));
}

#[tokio::test(flavor = "multi_thread")]
async fn silence_ends_a_session() {
    let backend = Echo::start().await;
    let world = World::new().tcp("x", &[backend.address]).tcp_services(|tcp| tcp.idle = Duration::from_secs(2));
    let proxy = Proxy::start(&world).await;
    let mut client = connect(proxy.address("tcp:x")).await;
    exchange(&mut client, b"hello").await;
    assert!(rest(&mut client).await.is_err());
    eventually("its end", || proxy.metric("tidegate_stream_sessions{", "") == 0.0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ports_come_and_go_and_touch_no_other() {
    let backend = Echo::start().await;
    let one = World::new().tcp("one", &[backend.address]);
    let mut proxy = Proxy::start(&one).await;
    let mut first = connect(proxy.address("tcp:one")).await;
    exchange(&mut first, b"before").await;

    let both = one.clone().tcp("two", &[backend.address]);
    proxy.apply(&both).await;
    let (address, kept) = (proxy.address("tcp:two"), proxy.address("tcp:one"));
    let mut second = connect(address).await;
    exchange(&mut second, b"new").await;
    exchange(&mut first, b"meanwhile").await;

    proxy.apply(&one).await;
    eventually("the end of the port", || std::net::TcpStream::connect(address).is_err()).await;
    // What came by it goes on.
    exchange(&mut second, b"after").await;
    exchange(&mut first, b"after").await;
    assert_eq!(proxy.address("tcp:one"), kept);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_taken_port_is_a_problem_of_its_config_map_alone() {
    let backend = Echo::start().await;
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let mut world = World::new().tcp("taken", &[backend.address]).tcp("free", &[backend.address]);
    std::sync::Arc::make_mut(world.snapshot.listeners.get_mut("tcp:taken").unwrap()).binds = vec![address];
    // In the very first snapshot, too.
    let mut proxy = Proxy::idle(Duration::ZERO);
    let Report::Applied { rejected, .. } = proxy.apply(&world).await else { panic!("rejected as a whole") };
    let [rejection] = rejected.as_slice() else { panic!("{rejected:?}") };
    assert_eq!(rejection.origin.to_string(), "ConfigMap system/tcp");
    assert_eq!(rejection.field, Some(format!("data[{}]", address.port())));
    assert!(rejection.reason.contains("in use"), "{}", rejection.reason);
    exchange(&mut connect(proxy.address("tcp:free")).await, b"served").await;
    assert_eq!(proxy.client().await.get("a.example", "/").await.status, 404);
    // Free again, it is taken with the next change.
    drop(taken);
    let Report::Applied { rejected, .. } = proxy.apply(&world).await else { panic!("rejected as a whole") };
    assert!(rejected.is_empty(), "{rejected:?}");
    exchange(&mut connect(address).await, b"served").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_outlives_the_leave_of_its_endpoint() {
    let (old, new) = (Echo::named("old").await, Echo::named("new").await);
    let mut world = World::new().tcp("x", &[old.address]);
    let mut proxy = Proxy::start(&world).await;
    let mut session = connect(proxy.address("tcp:x")).await;
    let mut name = [0; 3];
    within("a name", session.read_exact(&mut name)).await.unwrap();
    world.set_stream_endpoints("x", "", &[new.address]);
    proxy.apply(&world).await;
    exchange(&mut session, b"goes on").await;
    let mut client = connect(proxy.address("tcp:x")).await;
    within("a name", client.read_exact(&mut name)).await.unwrap();
    assert_eq!(&name, b"new");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_leaves_while_it_is_connected_to_is_given_up() {
    let here = Echo::named("here").await;
    // Takes no connection: its queue is full.
    let silent = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    silent.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    silent.listen(0).unwrap();
    let address = silent.local_addr().unwrap().as_socket().unwrap();
    let _fill: Vec<_> = (0..4)
        .map(|_| {
            let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
            socket.set_nonblocking(true).unwrap();
            socket.connect(&address.into()).ok();
            socket
        })
        .collect();
    let mut world = World::new().tcp("x", &[address]).tcp_services(|tcp| tcp.connect = Duration::from_secs(600));
    let mut proxy = Proxy::start(&world).await;
    let mut client = connect(proxy.address("tcp:x")).await;
    eventually("a session", || proxy.metric("tidegate_stream_sessions{", "") == 1.0).await;
    world.set_stream_endpoints("x", "", &[here.address]);
    proxy.apply(&world).await;
    let mut name = [0; 4];
    within("the other endpoint", client.read_exact(&mut name)).await.unwrap();
    assert_eq!(&name, b"here");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_waits_for_sessions_and_not_for_ever() {
    let backend = Echo::start().await;
    let proxy = Proxy::start(&World::new().tcp("x", &[backend.address])).await;
    let mut client = connect(proxy.address("tcp:x")).await;
    exchange(&mut client, b"before").await;
    let stop = tokio::spawn(proxy.dataplane.shut_down());
    for _ in 0..20 {
        exchange(&mut client, b"meanwhile").await;
    }
    client.shutdown().await.unwrap();
    rest(&mut client).await.unwrap();
    assert_eq!(within("the stop", stop).await.unwrap().cut, 0);

    let mut world = World::new().tcp("x", &[backend.address]);
    world.snapshot.drain_timeout = Duration::from_millis(200);
    let proxy = Proxy::start(&world).await;
    let mut client = connect(proxy.address("tcp:x")).await;
    exchange(&mut client, b"before").await;
    assert_eq!(within("the stop", proxy.dataplane.shut_down()).await.cut, 1);
    // It is no proper end, and the log has what there was of it.
    let end = rest(&mut client).await.map_err(|error| error.kind());
    assert_eq!(end, Err(std::io::ErrorKind::ConnectionReset));
    let log = std::fs::read_to_string(&proxy.log).unwrap();
    assert!(log.contains(" TCP 200 6 6 "), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn endpoints_learn_who_the_client_is() {
    let backend = Echo::start().await;
    let world = World::new().tcp("x", &[backend.address]).tcp_services(|tcp| tcp.send_proxy_header = true);
    let proxy = Proxy::start(&world).await;
    let mut client = connect(proxy.address("tcp:x")).await;
    client.write_all(b"hello").await.unwrap();
    client.shutdown().await.unwrap();
    let (own, to) = (client.local_addr().unwrap(), proxy.address("tcp:x"));
    let expected = format!("PROXY TCP4 127.0.0.1 127.0.0.1 {} {}\r\nhello", own.port(), to.port());
    assert_eq!(rest(&mut client).await.unwrap(), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_a_line_of_the_log() {
    let backend = Echo::named("hello").await;
    let proxy = Proxy::start(&World::new().tcp("x", &[backend.address])).await;
    let mut client = connect(proxy.address("tcp:x")).await;
    client.write_all(b"abc").await.unwrap();
    client.shutdown().await.unwrap();
    rest(&mut client).await.unwrap();
    let log = proxy.stop().await;
    assert!(log.starts_with("[127.0.0.1] [") && log.contains("] TCP 200 8 3 0."), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn more_connections_than_allowed_are_closed_without_words() {
    let backend = Echo::start().await;
    let mut world = World::new().tcp("x", &[backend.address]);
    world.snapshot.connections.per_client = std::num::NonZeroU32::new(1);
    let proxy = Proxy::start(&world).await;
    let mut first = connect(proxy.address("tcp:x")).await;
    exchange(&mut first, b"served").await;
    let mut second = connect(proxy.address("tcp:x")).await;
    assert_eq!(rest(&mut second).await.unwrap_or_default(), "");
    assert_eq!(proxy.metric("tidegate_connections_refused_total", "reason=\"client\""), 1.0);
}

/// The byte at a place of a stream of its own.
fn pattern(seed: usize, at: usize) -> u8 {
    (at ^ (at >> 8) ^ (at >> 16) ^ (seed * 37)) as u8
}

/// Much more is on its way than sockets hold, to more readers than there are pipes, and each reads little at a time: what
/// could not be passed on at once is whole and in order all the same.
#[tokio::test(flavor = "multi_thread")]
async fn slow_readers_lose_nothing() {
    const LENGTH: usize = 6 << 20;
    let backend = Backend::raw(|mut stream, _| async move {
        let seed = usize::from(stream.read_u8().await.unwrap());
        for start in (0..LENGTH).step_by(1 << 18) {
            let block: Vec<u8> = (start..start + (1 << 18)).map(|at| pattern(seed, at)).collect();
            stream.write_all(&block).await.unwrap();
        }
    })
    .await;
    let proxy = Proxy::with_workers(1, &World::new().tcp("x", &[backend.address])).await;
    let mut readers = Vec::new();
    for seed in 0..24u8 {
        let mut stream = connect(proxy.address("tcp:x")).await;
        stream.write_u8(seed).await.unwrap();
        readers.push((seed, stream));
    }
    // Everybody waits for everybody: the first one reads only after the last one has bytes.
    for (_, stream) in &readers {
        within("bytes", stream.readable()).await.unwrap();
    }
    let talks: Vec<_> = readers
        .into_iter()
        .map(|(seed, mut stream)| {
            tokio::spawn(async move {
                let (mut at, mut buffer) = (0, vec![0; 7_001]);
                loop {
                    let count = within("bytes", stream.read(&mut buffer)).await.unwrap();
                    if count == 0 {
                        return at == LENGTH;
                    }
                    let right =
                        buffer[..count].iter().enumerate().all(|(i, byte)| *byte == pattern(seed.into(), at + i));
                    assert!(right, "reader {seed} at {at}");
                    at += count;
                    tokio::task::yield_now().await;
                }
            })
        })
        .collect();
    for talk in talks {
        assert!(talk.await.unwrap(), "all of it");
    }
}
