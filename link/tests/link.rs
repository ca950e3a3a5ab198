//! Both ends over a real socket: what arrives, and what is done where things go wrong.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::{
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use link::{Limits, Peers, Server};
use snapshot::{
    Action, ClientCertRule, Endpoint, EndpointSet, KeyFormat, Origin, PathMatch, PrivateKey, Report, Route, RouteTable,
    Snapshot,
    frame::{Begin, Frame, HEADER, Hello, MAX_FRAME, MAX_HELLO, SCHEMA, payload_length, push},
};
use support::{Lower, Upper, applied, metrics, snapshot, value, within};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{UnixListener, UnixStream},
};

fn place() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sub/tidegate.sock");
    (folder, path)
}

fn quick() -> Limits {
    Limits { start: Duration::ZERO, retry: Duration::from_millis(20), ..Limits::default() }
}

async fn send(stream: &mut UnixStream, frames: &[Frame]) {
    let mut bytes = Vec::new();
    frames.iter().for_each(|frame| frame.encode(&mut bytes).unwrap());
    stream.write_all(&bytes).await.unwrap();
}

async fn receive(stream: &mut UnixStream) -> Frame {
    within("a frame", async {
        let mut header = [0; HEADER];
        stream.read_exact(&mut header).await.unwrap();
        let mut payload = vec![0; payload_length(header, MAX_FRAME).unwrap()];
        stream.read_exact(&mut payload).await.unwrap();
        Frame::decode(&payload).unwrap()
    })
    .await
}

async fn is_closed(stream: &mut UnixStream) {
    let mut rest = Vec::new();
    // What was not read by the other end may make it a reset.
    drop(within("the end", stream.read_to_end(&mut rest)).await);
}

/// Up to the end of a push.
async fn receive_push(stream: &mut UnixStream) -> (Begin, usize) {
    let Frame::Begin(begin) = receive(stream).await else { panic!("no push") };
    let mut parts = 0;
    while receive(stream).await != Frame::Commit {
        parts += 1;
    }
    (begin, parts)
}

#[tokio::test]
async fn snapshots_go_down_and_reports_come_up() {
    let (_folder, path) = place();
    let mut upper = Upper::start(&path, quick());
    let mut lower = Lower::start(&path, None, quick());
    let one = snapshot(1, 1, &["a", "b"]);
    upper.publish(&one);
    assert!(lower.take().await == one);
    assert_eq!(upper.report().await, applied(one.id));
    let two = Arc::new(Snapshot::clone(&snapshot(1, 2, &["b", "c"])).share(&one));
    upper.publish(&two);
    let arrived = lower.next().await;
    assert!(arrived == two && !arrived.tables.contains_key("a"));
    let refusal = Report::Rejected { id: two.id, reason: "no".into() };
    lower.reports.send(refusal.clone()).await.unwrap();
    assert_eq!(upper.report().await, refusal);
    let three = snapshot(1, 3, &["c"]);
    upper.publish(&three);
    assert!(lower.take().await == three);
    upper.report().await;
    // After a refusal everything is sent.
    assert_eq!(value(&lower.metrics, "tidegate_link_snapshots_total", "whole"), 2.0);
    assert_eq!(value(&upper.metrics, "tidegate_link_snapshots_total", "difference"), 1.0);
    assert!(lower.status.trouble().is_none() && *upper.connected.borrow());
}

#[tokio::test]
async fn while_one_is_on_its_way_those_between_are_skipped() {
    let (_folder, path) = place();
    let mut upper = Upper::start(&path, quick());
    let mut lower = Lower::start(&path, None, quick());
    upper.publish(&snapshot(1, 1, &["a"]));
    let one = lower.next().await;
    (2..9).for_each(|sequence| upper.publish(&snapshot(1, sequence, &["a"])));
    lower.reports.send(applied(one.id)).await.unwrap();
    assert_eq!(lower.take().await.id.sequence, 8);
    assert_eq!((upper.report().await.id().sequence, upper.report().await.id().sequence), (1, 8));
}

#[tokio::test]
async fn a_controller_that_comes_back_without_something_takes_it_away() {
    let (_folder, path) = place();
    let mut upper = Upper::start(&path, quick());
    let mut lower = Lower::start(&path, None, quick());
    upper.publish(&snapshot(1, 1, &["a", "b"]));
    lower.take().await;
    upper.report().await;
    drop(upper);
    // It serves on; another controller, on the same path.
    let mut upper = Upper::start(&path, quick());
    upper.publish(&snapshot(2, 1, &["b"]));
    let arrived = lower.take().await;
    assert!(!arrived.tables.contains_key("a") && arrived.tables.contains_key("b"));
    upper.report().await;
}

#[tokio::test]
async fn a_data_plane_that_comes_back_gets_the_difference_to_what_it_kept() {
    let (_folder, path) = place();
    let mut upper = Upper::start(&path, quick());
    let one = snapshot(1, 1, &["a", "b"]);
    upper.publish(&one);
    let mut lower = Lower::start(&path, None, quick());
    lower.take().await;
    upper.report().await;
    drop(lower);
    let long = Limits { start: Duration::from_secs(3600), ..quick() };
    let mut lower = Lower::start(&path, Some(Arc::clone(&one)), long);
    assert!(lower.take().await == one);
    assert_eq!(upper.report().await, applied(one.id));
    assert_eq!(value(&lower.metrics, "tidegate_link_snapshots_total", "difference"), 1.0);
}

#[tokio::test]
async fn where_nobody_answers_what_was_kept_is_served_and_a_refused_first_one_is_tried_again() {
    let (_folder, path) = place();
    let one = snapshot(1, 1, &["a"]);
    let mut lower = Lower::start(&path, Some(Arc::clone(&one)), quick());
    for _ in 0..3 {
        assert!(lower.next().await == one);
        lower.reports.send(Report::Rejected { id: one.id, reason: "taken".into() }).await.unwrap();
    }
    assert!(lower.take().await == one);
    assert!(lower.status.trouble().unwrap().contains("tidegate.sock"));
    // A controller hears of what follows from its own.
    let mut upper = Upper::start(&path, quick());
    let two = snapshot(2, 1, &["a"]);
    upper.publish(&two);
    assert!(lower.take().await == two);
    assert_eq!(upper.report().await, applied(two.id));
}

#[tokio::test]
async fn a_refused_first_snapshot_is_tried_again_and_the_controller_hears_of_it() {
    let (_folder, path) = place();
    let mut upper = Upper::start(&path, quick());
    let mut lower = Lower::start(&path, None, quick());
    let one = snapshot(1, 1, &["a"]);
    upper.publish(&one);
    lower.next().await;
    lower.reports.send(Report::Rejected { id: one.id, reason: "taken".into() }).await.unwrap();
    assert!(matches!(upper.report().await, Report::Rejected { .. }));
    assert!(lower.take().await == one);
    assert_eq!(upper.report().await, applied(one.id));
}

#[tokio::test]
async fn the_newer_connection_wins() {
    let (_folder, path) = place();
    let mut upper = Upper::start(&path, quick());
    upper.publish(&snapshot(1, 1, &["a"]));
    let mut old = UnixStream::connect(&path).await.unwrap();
    send(&mut old, &[Frame::Hello(Hello::ours(None))]).await;
    receive(&mut old).await;
    receive_push(&mut old).await;
    // It never answers; another one comes.
    let mut lower = Lower::start(&path, None, quick());
    lower.take().await;
    assert_eq!(upper.report().await.id().sequence, 1);
    is_closed(&mut old).await;
}

#[tokio::test]
async fn who_does_not_speak_the_protocol_does_not_replace_who_does() {
    let (_folder, path) = place();
    let mut upper = Upper::start(&path, Limits { hello: Duration::from_millis(50), ..quick() });
    let mut lower = Lower::start(&path, None, quick());
    upper.publish(&snapshot(1, 1, &["a"]));
    lower.take().await;
    upper.report().await;
    let garbage: [&[u8]; 5] =
        [b"GET / HTTP/1.1\r\n\r\n", &[0; 64], &[0, 0, 0, 2, 99, 1], &[0, 0, 0, 3, 0, b'{', b'}'], b""];
    for bytes in garbage {
        let mut stranger = UnixStream::connect(&path).await.unwrap();
        stranger.write_all(bytes).await.unwrap();
        is_closed(&mut stranger).await;
    }
    assert_eq!(value(&upper.metrics, "tidegate_link_errors_total", "protocol"), 4.0);
    assert_eq!(value(&upper.metrics, "tidegate_link_errors_total", "timeout"), 1.0);
    upper.publish(&snapshot(1, 2, &["b"]));
    assert_eq!(lower.take().await.id.sequence, 2);
}

#[tokio::test]
async fn another_schema_gets_nothing_and_both_ends_count_it() {
    let (_folder, path) = place();
    let upper = Upper::start(&path, quick());
    upper.publish(&snapshot(1, 1, &["a"]));
    let mut other = UnixStream::connect(&path).await.unwrap();
    send(&mut other, &[Frame::Hello(Hello { schema: SCHEMA ^ 1, ..Hello::ours(None) })]).await;
    let Frame::Hello(hello) = receive(&mut other).await else { panic!("no hello") };
    assert_eq!(hello, Hello::ours(None));
    is_closed(&mut other).await;
    assert_eq!(value(&upper.metrics, "tidegate_link_errors_total", "schema"), 1.0);
    drop(upper);

    std::fs::remove_file(&path).unwrap();
    let listener = UnixListener::bind(&path).unwrap();
    let lower = Lower::start(&path, None, quick());
    let (mut stream, _) = listener.accept().await.unwrap();
    send(&mut stream, &[Frame::Hello(Hello { schema: SCHEMA ^ 1, ..Hello::ours(None) })]).await;
    within("the refusal", async {
        while lower.status.trouble().is_none_or(|trouble| !trouble.contains("another version")) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    assert_eq!(value(&lower.metrics, "tidegate_link_errors_total", "schema"), 1.0);
}

/// A controller's end that a test speaks itself.
async fn accept(listener: &UnixListener) -> (UnixStream, Hello) {
    let (mut stream, _) = within("a connection", listener.accept()).await.unwrap();
    send(&mut stream, &[Frame::Hello(Hello::ours(None))]).await;
    let Frame::Hello(hello) = receive(&mut stream).await else { panic!("no hello") };
    (stream, hello)
}

#[tokio::test]
async fn what_is_served_survives_whatever_a_controller_sends() {
    let (folder, _) = place();
    let path = folder.path().join("socket");
    let listener = UnixListener::bind(&path).unwrap();
    let mut lower = Lower::start(&path, None, quick());
    let (mut stream, _) = accept(&listener).await;
    let one = snapshot(1, 1, &["a"]);
    send(&mut stream, &push(None, &one)).await;
    assert!(lower.take().await == one);
    assert!(receive(&mut stream).await == Frame::Report(applied(one.id)));

    let two = snapshot(1, 2, &["b"]);
    let mut begun = push(None, &two);
    begun.pop();
    let encoded = |frames: &[Frame]| {
        let mut bytes = Vec::new();
        frames.iter().for_each(|frame| frame.encode(&mut bytes).unwrap());
        bytes
    };
    let with = |tail: &[u8]| [encoded(&begun), tail.to_vec()].concat();
    // Killed in the middle, garbage, a frame that is too long, a kind that nobody knows, a base that is not held.
    let (nothing, long): (Vec<u8>, [u8; 4]) = (Vec::new(), [0xff; 4]);
    let tails = [nothing, b"garbage \xff\xfe".repeat(40), long.to_vec(), vec![0, 0, 0, 1, 77]];
    let mut pushes: Vec<Vec<u8>> = tails.iter().map(|tail| with(tail)).collect();
    pushes.push(encoded(&push(Some(&snapshot(9, 9, &[])), &two)));
    for bytes in pushes {
        stream.write_all(&bytes).await.unwrap();
        drop(stream);
        let hello;
        (stream, hello) = accept(&listener).await;
        assert_eq!(hello.held, Some(one.id));
        assert!(!lower.snapshots.has_changed().unwrap());
    }
    // An item that cannot be read refuses its snapshot, and the connection goes on.
    let bad = with(&[0, 0, 0, 3, 5, b'{', b'}']);
    stream.write_all(&bad).await.unwrap();
    send(&mut stream, &[Frame::Commit]).await;
    let Frame::Report(Report::Rejected { id, reason }) = receive(&mut stream).await else { panic!("not refused") };
    assert!(id == two.id && reason.contains("piece"), "{reason}");
    assert!(!lower.snapshots.has_changed().unwrap());
    send(&mut stream, &push(Some(&one), &two)).await;
    assert!(lower.take().await == two);
}

#[tokio::test]
async fn a_push_that_stops_is_given_up() {
    let (folder, _) = place();
    let path = folder.path().join("socket");
    let listener = UnixListener::bind(&path).unwrap();
    let _lower = Lower::start(&path, None, Limits { step: Duration::from_millis(50), ..quick() });
    let (mut stream, _) = accept(&listener).await;
    send(&mut stream, &push(None, &snapshot(1, 1, &["a"]))[..2]).await;
    is_closed(&mut stream).await;
    accept(&listener).await;
}

#[tokio::test]
async fn a_data_plane_that_does_not_answer_is_given_up() {
    let (_folder, path) = place();
    let upper = Upper::start(&path, Limits { answer: Duration::from_millis(50), ..quick() });
    upper.publish(&snapshot(1, 1, &["a"]));
    let mut silent = UnixStream::connect(&path).await.unwrap();
    send(&mut silent, &[Frame::Hello(Hello::ours(None))]).await;
    is_closed(&mut silent).await;
    assert_eq!(value(&upper.metrics, "tidegate_link_errors_total", "timeout"), 1.0);
}

/// The routes of a host, too long for a frame.
fn long_table() -> Arc<RouteTable> {
    let route = |name: &str, label: String| Route {
        origin: Arc::new(Origin::new("Ingress", "default", name)),
        path: PathMatch::Prefix("".into()),
        label: label.into(),
        max_body: None,
        filters: Vec::new(),
        then: Action::Respond { status: 200, reason: "test".into() },
    };
    let routes = [route("a", "l".repeat(MAX_FRAME)), route("b", String::new())].map(Arc::new);
    let rule = ClientCertRule {
        origin: Arc::new(Origin::new("Ingress", "default", "a")),
        auth: None,
        subject: Some("CN=x".into()),
        pass_certificate: false,
        error_page: None,
    };
    Arc::new(RouteTable { routes: routes.into(), client_cert: Some(Arc::new(rule)), hsts: None })
}

fn is_closed_table(snapshot: &Snapshot, host: &str) -> bool {
    let table = snapshot.tables.get(host).unwrap();
    let status = |route: &Route| matches!(route.then, Action::Respond { status: 503, .. });
    table.routes.len() == 1 && status(&table.routes[0]) && table.client_cert.is_some()
}

fn rejected(report: &Report) -> Vec<String> {
    let Report::Applied { rejected, .. } = report else { panic!("refused") };
    rejected.iter().map(|rejection| format!("{}: {}", rejection.origin, rejection.reason)).collect()
}

#[tokio::test]
async fn a_host_that_does_not_fit_is_closed_and_everything_else_goes_on() {
    let (_folder, path) = place();
    let mut upper = Upper::start(&path, quick());
    let mut lower = Lower::start(&path, None, quick());
    upper.publish(&snapshot(1, 1, &["a", "long"]));
    lower.take().await;
    assert!(rejected(&upper.report().await).is_empty());
    let mut next = Snapshot::clone(&snapshot(1, 2, &["a", "b", "long"]));
    next.tables.insert("long".into(), long_table());
    upper.publish(&Arc::new(next.clone()));
    let arrived = lower.take().await;
    assert!(arrived.tables.contains_key("b") && is_closed_table(&arrived, "long"));
    // All who have a part in it hear of it.
    let told = rejected(&upper.report().await);
    assert!(
        told.len() == 2 && told[0].starts_with("Ingress default/a: ") && told[1].starts_with("Ingress default/b: ")
    );
    assert!(told[0].contains("host long") && told[0].contains("503"), "{told:?}");

    // While it stays, what else changes arrives: endpoints, other hosts.
    next.id.sequence = 3;
    let endpoints = vec![Endpoint { address: ([10, 0, 0, 1], 80).into() }];
    next.endpoints.insert("a".into(), Arc::new(EndpointSet { endpoints }));
    upper.publish(&Arc::new(next.clone()));
    assert_eq!(lower.take().await.endpoints.get("a").unwrap().endpoints.len(), 1);
    assert_eq!(rejected(&upper.report().await), told);
    next.id.sequence = 4;
    next.tables.insert("c".into(), Arc::default());
    upper.publish(&Arc::new(next.clone()));
    let arrived = lower.take().await;
    assert!(arrived.tables.contains_key("c") && is_closed_table(&arrived, "long"));
    assert_eq!(rejected(&upper.report().await), told);
    // All on one connection, and it is not written out again each time.
    assert_eq!(value(&upper.metrics, "tidegate_link_snapshots_total", "difference"), 3.0);
    assert_eq!(value(&upper.metrics, "tidegate_link_errors_total", ""), 1.0);

    // A data plane that holds nothing gets all the rest, too.
    drop(lower);
    let mut lower = Lower::start(&path, None, quick());
    let arrived = lower.take().await;
    assert!(arrived.tables.contains_key("c") && is_closed_table(&arrived, "long"));
    assert_eq!(rejected(&upper.report().await), told);

    next.id.sequence = 5;
    next.tables.insert("long".into(), Arc::default());
    upper.publish(&Arc::new(next.clone()));
    assert!(*lower.take().await == next);
    assert!(rejected(&upper.report().await).is_empty());
}

#[tokio::test]
async fn what_was_sent_without_a_long_item_is_no_other_base_where_the_report_was_lost() {
    let (_folder, path) = place();
    let upper = Upper::start(&path, quick());
    let mut next = Snapshot::clone(&snapshot(1, 1, &["a", "long"]));
    next.tables.insert("long".into(), long_table());
    upper.publish(&Arc::new(next.clone()));
    let mut lower = Lower::start(&path, None, quick());
    let held = lower.next().await;
    // It serves it, and ends before it has said so.
    drop(lower);
    let mut lower = Lower::start(&path, Some(held), Limits { start: Duration::from_secs(3600), ..quick() });
    lower.take().await;
    next.id.sequence = 2;
    next.tables.insert("long".into(), Arc::default());
    upper.publish(&Arc::new(next.clone()));
    assert!(*lower.take().await == next);
    assert_eq!(value(&lower.metrics, "tidegate_link_snapshots_total", "difference"), 2.0);
}

#[tokio::test]
async fn what_nothing_can_stand_for_is_refused_once_and_the_next_snapshot_is_taken() {
    let (_folder, path) = place();
    let mut upper = Upper::start(&path, quick());
    let mut lower = Lower::start(&path, None, quick());
    upper.publish(&snapshot(1, 1, &["a"]));
    lower.take().await;
    upper.report().await;
    let mut long = Snapshot::clone(&snapshot(1, 2, &["b"]));
    long.keys.insert("x".into(), Arc::new(PrivateKey::new(KeyFormat::Pkcs8, vec![1; MAX_FRAME])));
    upper.publish(&Arc::new(long));
    let Report::Rejected { id, reason } = upper.report().await else { panic!("it fitted") };
    assert!(id.sequence == 2 && reason.contains("cannot be sent"), "{reason}");
    // It reconnects, and is not sent it again.
    within("a connection", upper.connected.wait_for(|connected| *connected)).await.unwrap();
    upper.publish(&snapshot(1, 3, &["c"]));
    assert_eq!(lower.take().await.id.sequence, 3);
    assert_eq!(upper.report().await.id().sequence, 3);
}

#[tokio::test]
async fn a_difference_to_what_hello_said_is_taken_though_another_one_is_held_by_now() {
    let (folder, _) = place();
    let path = folder.path().join("socket");
    let listener = UnixListener::bind(&path).unwrap();
    let mut lower = Lower::start(&path, None, quick());
    let (mut stream, _) = accept(&listener).await;
    let [one, two, three] = [snapshot(1, 1, &["a"]), snapshot(1, 2, &["b"]), snapshot(1, 3, &["a", "c"])];
    send(&mut stream, &push(None, &one)).await;
    lower.take().await;
    receive(&mut stream).await;
    // The connection breaks before the fate of the second one is known.
    send(&mut stream, &push(Some(&one), &two)).await;
    let given = lower.next().await;
    drop(stream);
    let (mut stream, hello) = accept(&listener).await;
    assert_eq!(hello.held, Some(one.id));
    within("a connection", async {
        while lower.status.trouble().is_some() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    lower.reports.send(applied(given.id)).await.unwrap();
    assert!(receive(&mut stream).await == Frame::Report(applied(two.id)));
    send(&mut stream, &push(Some(&one), &three)).await;
    assert!(lower.take().await == three);
    // Then there is no excuse any more.
    receive(&mut stream).await;
    send(&mut stream, &push(Some(&one), &two)).await;
    is_closed(&mut stream).await;
}

#[tokio::test]
async fn who_has_not_said_hello_gets_no_room_and_a_data_plane_makes_nobody_build_snapshots() {
    let (_folder, path) = place();
    let upper = Upper::start(&path, Limits { hello: Duration::from_secs(3600), ..quick() });
    // One byte more than a hello may have; of the frame itself nothing has to come.
    let mut stranger = UnixStream::connect(&path).await.unwrap();
    stranger.write_all(&u32::try_from(MAX_HELLO + 1).unwrap().to_be_bytes()).await.unwrap();
    is_closed(&mut stranger).await;
    assert_eq!(value(&upper.metrics, "tidegate_link_errors_total", "protocol"), 1.0);
    for frame in [Frame::Chain("x".into(), vec![vec![1]]), Frame::Commit] {
        let mut greeted = UnixStream::connect(&path).await.unwrap();
        send(&mut greeted, &[Frame::Hello(Hello::ours(None))]).await;
        receive(&mut greeted).await;
        send(&mut greeted, &[frame]).await;
        is_closed(&mut greeted).await;
    }
    assert_eq!(value(&upper.metrics, "tidegate_link_errors_total", "protocol"), 3.0);
}

#[tokio::test]
async fn the_socket_is_closed_to_others_and_replaces_a_dead_one() {
    let (_folder, path) = place();
    let server = Server::bind(&path, Peers::new([]), quick(), metrics()).unwrap();
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o660, 0o750));
    let before = std::fs::metadata(&path).unwrap().ino();
    drop(server);
    // What was left of a bind that did not get to its end.
    std::fs::write(path.with_file_name(".tidegate.sock"), "").unwrap();
    let _server = Server::bind(&path, Peers::new([]), quick(), metrics()).unwrap();
    assert_ne!(std::fs::metadata(&path).unwrap().ino(), before);
    UnixStream::connect(&path).await.unwrap();
    let long = path.with_file_name("x".repeat(200));
    let error = Server::bind(&long, Peers::new([]), quick(), metrics()).err().unwrap().to_string();
    assert!(error.contains("--socket") && error.contains("xxx"), "{error}");
}
