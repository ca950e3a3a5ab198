//! `tidegate run --manifests` as a user sees it: the real binary, real files, real sockets.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::{
    fs,
    io::{Read, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
    process::Stdio,
};

use support::{CLASS, Tidegate, backend, command, free_ports, ingress, service, until};

#[test]
fn routes_by_host_and_follows_changes_without_closing_connections() {
    let (a, b) = (service("a", backend("from-a")), service("b", backend("from-b")));
    let tidegate = Tidegate::start(&[
        ("class.yaml", CLASS),
        ("a.yaml", &a),
        ("b.yaml", &b),
        ("i.yaml", &ingress("i", "x.test", "a")),
    ]);
    assert!(tidegate.get("x.test", "/").1.ends_with("from-a"));
    assert_eq!(tidegate.get("other.test", "/").0, 404);

    let mut open = TcpStream::connect((Ipv4Addr::LOCALHOST, tidegate.http)).unwrap();
    assert!(ask(&mut open).ends_with("from-a"));
    tidegate.write("i.yaml", &ingress("i", "x.test", "b"));
    until("routed to b", || tidegate.get("x.test", "/").1.ends_with("from-b"));
    assert!(ask(&mut open).ends_with("from-b"), "the open connection goes on, and sees the change");

    fs::remove_file(tidegate.folder.path().join("i.yaml")).unwrap();
    until("gone", || tidegate.get("x.test", "/").0 == 404);
    assert!(tidegate.stop().success());
}

/// One request on an open connection.
fn ask(stream: &mut TcpStream) -> String {
    stream.write_all(b"GET / HTTP/1.1\r\nHost: x.test\r\n\r\n").unwrap();
    let mut buffer = [0; 4096];
    let mut answer = String::new();
    while !answer.contains("from-") {
        let read = stream.read(&mut buffer).unwrap();
        assert!(read > 0, "closed after {answer:?}");
        answer.push_str(&String::from_utf8_lossy(&buffer[..read]));
    }
    answer
}

#[test]
fn a_broken_file_is_a_problem_with_its_line_and_the_last_good_version_stays() {
    let a = service("a", backend("from-a"));
    let tidegate = Tidegate::start(&[("class.yaml", CLASS), ("a.yaml", &a), ("i.yaml", &ingress("i", "x.test", "a"))]);
    tidegate.write("i.yaml", "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: i\nspec: [\n");
    until("reported", || {
        let (_, problems) = tidegate.admin("/problems");
        problems.contains("i.yaml") && problems.contains("line")
    });
    assert!(tidegate.get("x.test", "/").1.ends_with("from-a"), "the last good version is served");
    tidegate.write("i.yaml", &ingress("i", "y.test", "a"));
    until("mended", || tidegate.get("y.test", "/").0 == 200 && !tidegate.admin("/problems").1.contains("i.yaml"));
}

#[test]
fn one_bad_object_harms_no_other() {
    let a = service("a", backend("from-a"));
    let bad = ingress("bad", "bad.test", "missing");
    let denied = ingress("denied", "denied.test", "a").replace(
        "{name: denied}",
        "{name: denied, annotations: {nginx.ingress.kubernetes.io/auth-url: 'http://auth/'}}",
    );
    let good = ingress("good", "good.test", "a");
    let tidegate = Tidegate::start(&[
        ("class.yaml", CLASS),
        ("a.yaml", &a),
        ("bad.yaml", &bad),
        ("denied.yaml", &denied),
        ("good.yaml", &good),
    ]);
    assert_eq!(tidegate.get("good.test", "/").0, 200);
    assert_eq!(tidegate.get("bad.test", "/").0, 503);
    assert_eq!(tidegate.get("denied.test", "/").0, 503);
    let (_, problems) = tidegate.admin("/problems");
    assert!(problems.contains("default/missing") || problems.contains("\"missing\""), "{problems}");
    assert!(problems.contains("auth-url"), "{problems}");
}

#[test]
fn the_admin_port_serves_its_pages() {
    let tidegate = Tidegate::start(&[("class.yaml", CLASS)]);
    assert_eq!(tidegate.admin("/healthz").0, 200);
    assert!(tidegate.admin("/metrics").1.contains("nginx_ingress_controller_build_info"));
    assert!(tidegate.admin("/snapshot").1.contains("listeners"));
    assert_eq!(tidegate.admin("/problems").0, 200);
    assert_eq!(tidegate.admin("/nothing").0, 404);
    assert_eq!(tidegate.get("nobody.test", "/healthz").0, 200, "load balancers probe the traffic port");
}

#[test]
fn a_taken_port_is_an_error_that_names_it() {
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = taken.local_addr().unwrap().port();
    let folder = tempfile::tempdir().unwrap();
    for index in 0..3 {
        let mut ports = free_ports::<3>();
        ports[index] = port;
        let output = command(folder.path(), ports).stderr(Stdio::piped()).output().unwrap();
        let log = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success());
        assert!(log.contains(&format!("127.0.0.1:{port}")), "{log}");
    }
}

#[test]
fn a_missing_folder_is_an_error_that_names_it() {
    let folder = tempfile::tempdir().unwrap();
    let output = command(&folder.path().join("nowhere"), free_ports()).stderr(Stdio::piped()).output().unwrap();
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("nowhere"));
}
