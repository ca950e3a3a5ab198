//! The two planes as two processes: whatever happens to one of them, what was served is served on.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::{
    fs,
    io::{Read, Write},
    net::{Ipv4Addr, TcpListener},
    os::unix::{
        fs::PermissionsExt,
        net::{UnixListener, UnixStream},
    },
    sync::Arc,
    thread,
    time::Instant,
};

use snapshot::{
    Cert, CertInfo, KeyFormat, Origin, PrivateKey, Rejection, Report, Serves, Snapshot, SnapshotId,
    frame::{Assembly, Frame, Hello, SCHEMA, Step, push},
};
use support::{
    CLASS, backend, ingress, service,
    split::{Split, connect, receive, send},
    until,
};

/// Hosts `x.test` and `y.test`, which backend `a` serves.
fn two_hosts() -> Split {
    let a = service("a", backend("from-a"));
    Split::start(&[
        ("class.yaml", CLASS),
        ("a.yaml", &a),
        ("x.yaml", &ingress("x", "x.test", "a")),
        ("y.yaml", &ingress("why", "y.test", "a")),
    ])
}

fn serves(split: &Split, host: &str) -> bool {
    split.get(host).1.ends_with("from-a")
}

/// What both planes call a controller whose types are others.
fn other_schema() -> Frame {
    Frame::Hello(Hello { schema: SCHEMA ^ 1, ..Hello::ours(None) })
}

/// The test takes the controller's place, until the real one takes it back.
fn play_controller(split: &Split) -> UnixListener {
    fs::remove_file(split.socket()).unwrap();
    UnixListener::bind(split.socket()).unwrap()
}

fn accept(listener: &UnixListener) -> UnixStream {
    let (stream, _) = listener.accept().unwrap();
    stream.set_read_timeout(Some(support::DEADLINE)).unwrap();
    stream
}

#[test]
fn changes_go_down_problems_come_up_and_each_has_its_pages() {
    let split = two_hosts();
    assert!(serves(&split, "x.test") && split.get("z.test").0 == 404);
    split.write("z.yaml", &ingress("z", "z.test", "a"));
    until("followed", || serves(&split, "z.test"));
    split.write("z.yaml", &ingress("z", "z.test", "missing"));
    until("a problem", || split.controller_admin("/problems").1.contains("missing"));
    let pages = |path: &str| (split.admin(path).0, split.controller_admin(path).0);
    for (path, statuses) in [
        ("/healthz", (200, 200)),
        ("/readyz", (200, 200)),
        ("/metrics", (200, 200)),
        ("/snapshot", (200, 404)),
        ("/problems", (404, 200)),
    ] {
        assert_eq!(pages(path), statuses, "{path}");
    }
    assert_eq!(
        (split.metric("tidegate_link_connected"), split.controller_metric("tidegate_link_connected")),
        (1.0, 1.0)
    );
    let mode = |name: &str| fs::metadata(split.folder.path().join(name)).unwrap().permissions().mode() & 0o7777;
    assert_eq!((mode("link.sock"), mode("state"), mode("state/snapshot")), (0o660, 0o700, 0o600));
    assert!(split.stop().iter().all(|status| status.success()));
}

#[test]
fn a_data_plane_without_a_controller_says_what_is_missing() {
    let mut split = Split::new(&[("class.yaml", CLASS)]);
    split.start_dataplane();
    until("told", || {
        let (status, missing) = split.admin("/readyz");
        status == 503 && missing.contains("no snapshot yet") && missing.contains("link.sock")
    });
    split.start_controller(&[]);
    split.until_ready();
}

#[test]
fn without_a_controller_it_serves_on_and_starts_from_what_it_kept() {
    let mut split = two_hosts();
    until("kept", || split.folder.path().join("state/snapshot").exists());
    split.kill_controller();
    assert!(serves(&split, "x.test") && split.admin("/readyz").0 == 200);
    split.kill_dataplane();
    let start = Instant::now();
    split.start_dataplane();
    until("served again", || serves(&split, "x.test"));
    eprintln!("served {:?} after its start", start.elapsed());
    assert!(split.admin("/readyz").0 == 200);

    // Back comes a controller that has one host no more.
    split.remove("y.yaml");
    split.start_controller(&[]);
    until("gone", || split.get("y.test").0 == 404);
    assert!(serves(&split, "x.test"));
    // And the host does not come back from what was kept.
    let page = split.admin("/snapshot").1;
    let instance = page.lines().find_map(|line| line.trim().strip_prefix("\"instance\": ")).unwrap();
    let number = instance.trim_end_matches(',');
    let bytes = || fs::read(split.folder.path().join("state/snapshot")).unwrap();
    until("kept", || bytes().windows(number.len()).any(|window| window == number.as_bytes()));
    split.kill_controller();
    split.kill_dataplane();
    split.start_dataplane();
    until("served again", || serves(&split, "x.test"));
    assert_eq!(split.get("y.test").0, 404);
}

#[test]
fn a_controller_that_is_killed_in_the_middle_of_a_push_changes_nothing() {
    const HOSTS: usize = 400;
    // A hello and the beginning of a push.
    const BEGUN: usize = 399;
    let all = |backend: &str| -> String {
        (0..HOSTS).map(|n| ingress(&format!("i{n}"), &format!("h{n}.test"), backend) + "---\n").collect()
    };
    let (a, b) = (service("a", backend("from-a")), service("b", backend("from-b")));
    let mut split = Split::start(&[("class.yaml", CLASS), ("a.yaml", &a), ("b.yaml", &b), ("all.yaml", &all("a"))]);
    split.kill_controller();
    split.write("all.yaml", &all("b"));
    let between = play_controller(&split);
    let behind = split.folder.path().join("behind.sock");
    let begun = |split: &Split| split.metric("tidegate_link_snapshots_total");
    let Frame::Hello(Hello { held: Some(held), .. }) = receive(&mut accept(&between)) else { panic!("nothing held") };
    let held = Some(held);
    for count in [1, 60, 400, 3000, 20_000, 50_000] {
        split.start_controller_at(&behind);
        until("ready", || split.controller_admin("/readyz").0 == 200);
        let ((mut lower, hello), mut upper) = (accept_who_waits(&between), connect(&behind));
        // What was cut off before has changed nothing of what it holds.
        assert!(hello == Frame::Hello(Hello::ours(held)), "before {count} bytes");
        send(&mut upper, &[hello]);
        let before = begun(&split);
        let (mut from, mut to) = (lower.try_clone().unwrap(), upper.try_clone().unwrap());
        let upwards = thread::spawn(move || std::io::copy(&mut from, &mut to));
        let mut bytes = vec![0; count];
        upper.read_exact(&mut bytes).unwrap();
        assert!(!has_commit(&bytes), "{count} bytes are the whole push");
        lower.write_all(&bytes).unwrap();
        // It has read at least so far that there is a push.
        let more = if count > BEGUN { 1.0 } else { 0.0 };
        until("seen", || begun(&split) == before + more);
        split.kill_controller();
        lower.shutdown(std::net::Shutdown::Both).unwrap();
        drop(upwards.join());
        assert_eq!(split.admin("/readyz").0, 200);
        let (_, page) = split.admin("/snapshot");
        let of = |backend: &str| page.matches(&format!("\"upstream\": \"default/{backend}:80\"")).count();
        assert_eq!((of("a"), of("b")), (HOSTS, 0), "after {count} bytes");
    }
    assert!(receive(&mut accept(&between)) == Frame::Hello(Hello::ours(held)));
    let log = split.log("dataplane");
    assert!(log.contains("cannot be followed: the connection was closed"), "{log}");
    drop(between);
    split.start_controller(&[]);
    until("the next good one", || split.get("h0.test").1.ends_with("from-b"));
    assert!(split.get("h399.test").1.ends_with("from-b"));
}

/// The connection of a data plane that has not given it up yet, and its hello.
fn accept_who_waits(listener: &UnixListener) -> (UnixStream, Frame) {
    loop {
        let mut stream = accept(listener);
        let hello = receive(&mut stream);
        stream.set_nonblocking(true).unwrap();
        let has_ended = matches!(stream.read(&mut [0; 1]), Ok(0));
        stream.set_nonblocking(false).unwrap();
        if !has_ended {
            return (stream, hello);
        }
    }
}

fn has_commit(bytes: &[u8]) -> bool {
    let mut commit = Vec::new();
    Frame::Commit.encode(&mut commit).unwrap();
    bytes.windows(commit.len()).any(|window| window == commit)
}

#[test]
fn whatever_stands_in_the_controllers_place_the_old_snapshot_serves_on_and_the_reason_is_logged() {
    let mut split = two_hosts();
    split.kill_controller();
    let listener = play_controller(&split);
    let mut hello = Vec::new();
    Frame::Hello(Hello::ours(None)).encode(&mut hello).unwrap();
    let mut other = Vec::new();
    other_schema().encode(&mut other).unwrap();
    let after_hello = |bytes: &[u8]| [hello.clone(), bytes.to_vec()].concat();
    let cases: [(Vec<u8>, &str); 6] = [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(), "bytes, and"),
        (after_hello(b"\x00\x00\x00\x01\x63"), "unknown kind 99"),
        (after_hello(&[0xff; 4]), "a frame of 4294967295 bytes"),
        (after_hello(&[0, 0, 0, 1, 9]), "no push has begun"),
        (after_hello(&[0; 4]), "an empty frame"),
        (other, "another version"),
    ];
    for (bytes, reason) in cases {
        let mut stream = accept(&listener);
        stream.write_all(&bytes).unwrap();
        until(reason, || split.log("dataplane").contains(reason));
        assert!(serves(&split, "x.test") && split.admin("/readyz").0 == 200, "{reason}");
    }
    assert!(split.metric("tidegate_link_errors_total protocol") >= 5.0);
    assert!(split.metric("tidegate_link_errors_total schema") >= 1.0);
    drop(listener);
    split.write("z.yaml", &ingress("z", "z.test", "a"));
    split.start_controller(&[]);
    until("the next good one", || serves(&split, "z.test"));
}

#[test]
fn whatever_stands_in_the_data_planes_place_the_controller_goes_on_and_says_why() {
    let split = two_hosts();
    let mut stream = connect(&split.socket());
    send(&mut stream, &[other_schema()]);
    // It says what it speaks, and no more.
    assert!(receive(&mut stream) == Frame::Hello(Hello::ours(None)));
    assert_eq!(stream.read(&mut [0; 1]).unwrap_or(0), 0);
    let mut stream = connect(&split.socket());
    stream.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    until("counted", || split.controller_metric("tidegate_link_errors_total protocol") >= 1.0);
    assert_eq!(split.controller_metric("tidegate_link_errors_total schema"), 1.0);
    assert!(split.log("controller").contains("another version"), "{}", split.log("controller"));
    // The real one was not disturbed.
    split.write("z.yaml", &ingress("z", "z.test", "a"));
    until("followed", || serves(&split, "z.test"));
}

/// What a real controller sends.
fn follow(stream: &mut UnixStream) -> Snapshot {
    send(stream, &[Frame::Hello(Hello::ours(None))]);
    let mut assembly = Assembly::default();
    loop {
        match assembly.take(Ok(receive(stream))).unwrap() {
            Step::More | Step::Hello(_) => {}
            Step::Complete(snapshot) => return snapshot,
            Step::Spoiled { .. } | Step::Report(_) => panic!("no snapshot"),
        }
    }
}

#[test]
fn an_item_that_is_refused_is_a_problem_at_the_controller() {
    let mut split = two_hosts();
    split.kill_dataplane();
    let mut stream = connect(&split.socket());
    let snapshot = follow(&mut stream);
    let origin = Arc::new(Origin::new("Secret", "default", "broken"));
    let rejected = vec![Rejection::new(origin, "the certificate cannot be used")];
    send(&mut stream, &[Frame::Report(Report::Applied { id: snapshot.id, rejected })]);
    until("a problem", || split.controller_admin("/problems").1.contains("the certificate cannot be used"));
    // A data plane that refuses its first snapshot does not end the controller.
    drop(stream);
    let mut stream = connect(&split.socket());
    let snapshot = follow(&mut stream);
    send(&mut stream, &[Frame::Report(Report::Rejected { id: snapshot.id, reason: "port taken".into() })]);
    until("a problem", || split.controller_admin("/problems").1.contains("port taken"));
    split.start_dataplane();
    until("solved", || !split.controller_admin("/problems").1.contains("port taken"));
    assert!(serves(&split, "x.test"));
}

#[test]
fn what_a_real_data_plane_refuses_is_a_problem_at_a_real_controller() {
    let a = service("a", backend("from-a"));
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = taken.local_addr().unwrap().port();
    let ports = format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: tcp, namespace: system}}\ndata: {{'{port}': default/a:80}}\n"
    );
    let mut split = Split::new(&[
        ("class.yaml", CLASS),
        ("a.yaml", &a),
        ("x.yaml", &ingress("x", "x.test", "a")),
        ("tcp.yaml", &ports),
    ]);
    split.start_controller(&["--tcp-services-configmap=system/tcp"]);
    split.start_dataplane();
    split.until_ready();
    let field = format!("\"data[{port}]\"");
    until("a problem", || split.controller_admin("/problems").1.contains(&field));
    assert!(split.controller_admin("/problems").1.contains("\"Rejected\"") && serves(&split, "x.test"));
    // It is looked at again with the next change.
    drop(taken);
    split.write("y.yaml", &ingress("why", "y.test", "a"));
    until("solved", || !split.controller_admin("/problems").1.contains(&field));
    assert!(serves(&split, "y.test"));
}

#[test]
fn a_second_signal_ends_a_data_plane_that_waits_after_draining() {
    let mut split = Split::new(&[("class.yaml", CLASS)]);
    split.start_controller(&[]);
    split.start_dataplane_with(&["--post-shutdown-grace-period=3600"]);
    split.until_ready();
    let mut dataplane = split.dataplane.take().unwrap();
    support::terminate(&dataplane);
    until("drained", || split.log("dataplane").contains("drained"));
    assert!(dataplane.try_wait().unwrap().is_none());
    support::terminate(&dataplane);
    until("ended", || dataplane.try_wait().unwrap().is_some());
    assert!(dataplane.wait().unwrap().success() && split.log("dataplane").contains("leaving at once"));
}

#[test]
fn a_certificate_that_is_no_certificate_costs_only_its_own_host() {
    let mut split = two_hosts();
    let mut snapshot = follow(&mut connect(&split.socket()));
    split.kill_controller();
    let junk = Cert {
        origin: Arc::new(Origin::new("Secret", "default", "junk")),
        chain: vec![b"junk".to_vec()],
        names: vec!["x.test".into()],
        info: CertInfo::default(),
        not_after: 0,
        fingerprint: "junk".into(),
    };
    snapshot.id = SnapshotId { instance: 1, sequence: 1 };
    snapshot.certs.insert("default/junk".into(), Arc::new(junk));
    snapshot.keys.insert("default/junk".into(), Arc::new(PrivateKey::new(KeyFormat::Pkcs8, *b"junk")));
    for listener in snapshot.listeners.values_mut() {
        if let Serves::Tls { sni, .. } = &mut Arc::make_mut(listener).serves {
            sni.insert("x.test".parse().unwrap(), "default/junk".into());
        }
    }
    let listener = play_controller(&split);
    let mut stream = accept(&listener);
    send(&mut stream, &[Frame::Hello(Hello::ours(None))]);
    receive(&mut stream);
    send(&mut stream, &push(None, &snapshot));
    let Frame::Report(Report::Applied { id, rejected }) = receive(&mut stream) else { panic!("refused as a whole") };
    assert_eq!((id, rejected.len()), (snapshot.id, 1));
    assert_eq!(rejected[0].origin.to_string(), "Secret default/junk");
    assert!(serves(&split, "x.test"), "{:?}", split.get("x.test"));
    assert!(serves(&split, "y.test"));
}

#[test]
fn who_is_not_an_allowed_user_gets_nothing() {
    const NOBODY: u32 = 65_534;
    if !is_root() {
        // Not by a macro, whose output is shown only where a test fails.
        let told =
            b"who_is_not_an_allowed_user_gets_nothing: LEFT OUT, only root can start a process of another user\n";
        std::io::stderr().write_all(told).unwrap();
        return;
    }
    let mut split = Split::new(&[("class.yaml", CLASS)]);
    split.start_controller(&[]);
    until("the socket", || split.socket().exists());
    // The mode alone would keep it away; what is tested is who the kernel says it is.
    fs::set_permissions(split.socket(), fs::Permissions::from_mode(0o666)).unwrap();
    split.start_dataplane_as(NOBODY);
    until("refused", || split.controller_metric("tidegate_link_errors_total peer") >= 2.0);
    assert!(split.log("controller").contains("its user 65534 may not connect"));
    assert_eq!(split.log("controller").matches("may not connect").count(), 1, "told once");
    assert_eq!(split.admin("/readyz").0, 503);
    split.kill_controller();
    split.start_controller(&["--socket-peer-uid=65534"]);
    until("another socket", || split.controller_admin("/readyz").0 == 200);
    fs::set_permissions(split.socket(), fs::Permissions::from_mode(0o666)).unwrap();
    split.until_ready();
}

fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    fs::metadata("/proc/self").unwrap().uid() == 0
}

#[test]
fn a_state_folder_of_somebody_else_is_an_error_that_says_what_to_do() {
    let split = Split::new(&[]);
    fs::write(split.folder.path().join("state"), "a file").unwrap();
    let mut split = split;
    split.start_dataplane();
    let status = split.dataplane.as_mut().unwrap().wait().unwrap();
    assert!(!status.success() && split.log("dataplane").contains("--state-dir"), "{}", split.log("dataplane"));
    split.dataplane = None;
}

#[test]
fn a_controller_outlives_its_data_plane_and_leaves_with_it() {
    let mut split = two_hosts();
    split.kill_controller();
    split.start_controller(&["--shutdown-grace-period=3600"]);
    until("connected", || split.controller_metric("tidegate_link_connected") == 1.0);
    let mut controller = split.controller.take().unwrap();
    support::terminate(&controller);
    until("told", || split.log("controller").contains("leaving, once the data plane has"));
    // Changes are still served.
    split.write("z.yaml", &ingress("z", "z.test", "a"));
    until("followed", || serves(&split, "z.test"));
    assert!(controller.try_wait().unwrap().is_none());
    support::terminate(split.dataplane.as_ref().unwrap());
    assert!(split.dataplane.take().unwrap().wait().unwrap().success());
    assert!(controller.wait().unwrap().success());
}
