//! Under load, while everything changes.
#![allow(missing_docs, clippy::unwrap_used)]

mod support;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use support::{Backend, Client, Proxy, World, eventually};

/// Asks over and over, and counts what it gets; anything but 200 ends it.
async fn ask_until(stop: Arc<AtomicBool>, done: Arc<AtomicUsize>, address: std::net::SocketAddr, method: &'static str) {
    let mut client = Client::connect(address).await;
    while !stop.load(SeqCst) {
        client.send(format!("{method} / HTTP/1.1\r\nhost: a.example\r\ncontent-length: 2\r\n\r\nhi")).await;
        let answer = client.answer().await;
        assert_eq!(answer.status, 200, "{answer:?}");
        done.fetch_add(1, SeqCst);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_is_lost_while_endpoints_come_and_go() {
    let mut backends = vec![Backend::named("0").await, Backend::named("1").await];
    let addresses = |backends: &[Backend]| backends.iter().map(|backend| backend.address).collect::<Vec<_>>();
    let mut world = World::new().route("a.example", "/", &addresses(&backends));
    let mut proxy = Proxy::start(&world).await;
    let (stop, done) = (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default());
    let clients: Vec<_> = ["GET", "POST", "PUT", "DELETE"]
        .into_iter()
        .cycle()
        .take(16)
        .map(|method| tokio::spawn(ask_until(Arc::clone(&stop), Arc::clone(&done), proxy.http(), method)))
        .collect();
    for round in 1..=20 {
        backends.push(Backend::named("new").await);
        let old = backends.remove(0);
        world.set_endpoints("a.example", "/", &addresses(&backends));
        world.add_route(&format!("n{round}.example"), "/", &[]);
        proxy.apply(&world).await;
        // What was on its way to it when it was taken out is still answered; then it takes no more.
        let before = done.load(SeqCst);
        eventually("more requests", || done.load(SeqCst) > before + 50).await;
        let asked = old.requests().len();
        eventually("more requests", || done.load(SeqCst) > before + 100).await;
        assert_eq!(old.requests().len(), asked, "asked although it was taken out");
        old.close();
    }
    stop.store(true, SeqCst);
    for client in clients {
        client.await.unwrap();
    }
    let log = proxy.stop().await;
    assert!(log.lines().count() >= done.load(SeqCst));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_under_load_answers_whatever_was_accepted() {
    let backend = Backend::named("x").await;
    let proxy = Proxy::start(&World::new().route("a.example", "/", &[backend.address])).await;
    let address = proxy.http();
    let (stop, done) = (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default());
    // Each on a connection of its own, as many as there is time for; refused ones are not accepted ones.
    let clients: Vec<_> = (0..8)
        .map(|_| {
            let (stop, done) = (Arc::clone(&stop), Arc::clone(&done));
            tokio::spawn(async move {
                while !stop.load(SeqCst) {
                    let Ok(stream) = tokio::net::TcpStream::connect(address).await else { return };
                    let mut client = Client::new(stream);
                    client.send("GET / HTTP/1.1\r\nhost: a.example\r\nconnection: close\r\n\r\n").await;
                    assert_eq!(client.answer().await.status, 200);
                    done.fetch_add(1, SeqCst);
                }
            })
        })
        .collect();
    eventually("load", || done.load(SeqCst) > 100).await;
    let drained = support::within("the stop", proxy.dataplane.shut_down()).await;
    assert_eq!(drained.cut, 0);
    tokio::time::sleep(Duration::from_millis(50)).await;
    stop.store(true, SeqCst);
    let mut lost = 0;
    for client in clients {
        lost += usize::from(client.await.is_err());
    }
    // Between the last look into a socket's queue and its end lies an instant that the kernel gives nobody, once for
    // each of the two workers.
    assert!(lost <= 2, "{lost} lost");
}
