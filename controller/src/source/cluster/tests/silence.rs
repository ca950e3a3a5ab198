//! An API server that says nothing any more, not even that it is gone.

use std::sync::atomic::{AtomicBool, Ordering};

use super::{super::connect::Limits, *};

#[tokio::test]
async fn a_stream_that_falls_silent_is_opened_anew() {
    for streaming in [true, false] {
        let fake = server(streaming);
        fake.put("ingresses", ingress("a"));
        let limits = Limits { silence: Duration::from_millis(300), ..connect::LIMITS };
        let client = fake.bounded_client(&Arc::new(AtomicBool::new(true)), limits);
        let world = World::with_client(fake, client, |_| {});
        world.until_hosts(&["a"]).await;
        world.fake.fall_silent();
        world.fake.put("ingresses", ingress("b"));
        world.until_hosts(&["a", "b"]).await;
    }
}

/// The API server is asked to end watches: so a silent one is not waited for whatever lies between.
#[tokio::test]
async fn a_watch_does_not_last_long() {
    let world = World::new(server(true));
    world.until_hosts(&[]).await;
    let queries = world.fake.state().queries.clone();
    assert!(!queries.is_empty() && queries.iter().all(|(_, query)| query.contains("timeoutSeconds=60")), "{queries:?}");
}

#[tokio::test(start_paused = true)]
async fn that_changes_are_not_seen_is_said_until_something_is_heard() {
    let (fake, connected) = (server(true), Arc::new(AtomicBool::new(true)));
    let client = fake.bounded_client(&connected, connect::LIMITS);
    let (sender, mut updates) = mpsc::channel(16);
    let board = Board::new();
    let planned = Planned::new::<Service>("services", Api::all(client), watcher::Config::default());
    let watch = tokio::spawn(planned.run(sender, Arc::clone(&board)));
    assert!(updates.recv().await.unwrap().listed.is_some());
    let is_said = || board.problems().borrow().iter().any(|problem| problem.reason == Reason::WatchFailed);
    assert!(!is_said());

    // It falls silent, and whatever is asked then hangs.
    connected.store(false, Ordering::SeqCst);
    fake.fall_silent();
    sleep(Duration::from_secs(120)).await;
    for _ in 0..200 {
        sleep(Duration::from_secs(1)).await;
        assert!(is_said());
    }
    connected.store(true, Ordering::SeqCst);
    fake.put("services", service("t", &json!({})));
    while updates.recv().await.unwrap().changes.is_empty() {}
    assert!(!is_said());
    watch.abort();
}
