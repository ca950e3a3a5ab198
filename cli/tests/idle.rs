//! What an idle connection costs.
#![allow(missing_docs, clippy::unwrap_used)]

mod support;

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, TcpStream},
};

use support::{CLASS, Tidegate, backend, ingress, service};

/// Few enough for the usual limit of open files.
const CONNECTIONS: u64 = 500;

/// KiB. Two buffers of hyper are 16 of them.
const MOST: u64 = 18;

/// A connection that has had one request and is kept alive.
fn idle(port: u16) -> TcpStream {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n").unwrap();
    let (mut answer, mut buffer) = (Vec::new(), [0; 1024]);
    while !answer.ends_with(b"hello") {
        let count = stream.read(&mut buffer).unwrap();
        assert!(count > 0, "closed: {}", String::from_utf8_lossy(&answer));
        answer.extend_from_slice(&buffer[..count]);
    }
    stream
}

#[test]
fn an_idle_connection_holds_little_memory() {
    let files = [
        ("class.yaml", CLASS),
        ("service.yaml", &service("hello", backend("hello"))),
        ("ingress.yaml", &ingress("hello", "a.example", "hello")),
    ];
    let tidegate = Tidegate::start(&files);
    // Whatever is needed once is there.
    let _first: Vec<TcpStream> = (0..20).map(|_| idle(tidegate.http)).collect();
    let before = tidegate.resident();
    let _idle: Vec<TcpStream> = (0..CONNECTIONS).map(|_| idle(tidegate.http)).collect();
    let each = (tidegate.resident() - before) / CONNECTIONS;
    assert!(each <= MOST, "{each} KiB");
}
