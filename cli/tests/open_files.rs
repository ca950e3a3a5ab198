//! Where open files run out: what is there is served on, and the rest waits.
#![allow(missing_docs, clippy::unwrap_used)]

mod support;

use std::{
    fs,
    io::{Read, Write},
    net::{Ipv4Addr, TcpStream},
    time::Duration,
};

use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit, setrlimit};
use support::{CLASS, Tidegate, backend, ingress, service, until};

/// A client whose connection stays.
struct Client(TcpStream);

impl Client {
    fn connect(port: u16) -> Self {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        Self(stream)
    }

    /// The body of an answer, which must be 200.
    fn get(&mut self, path: &str) -> String {
        self.0.write_all(format!("GET {path} HTTP/1.1\r\nHost: a.example\r\n\r\n").as_bytes()).unwrap();
        let mut answer = String::new();
        let mut buffer = [0; 1 << 16];
        loop {
            if let Some((head, body)) = answer.split_once("\r\n\r\n") {
                assert!(head.starts_with("HTTP/1.1 200"), "{answer}");
                let length = head.to_lowercase().split_once("content-length: ").unwrap().1.to_owned();
                if body.len() == length.lines().next().unwrap().parse::<usize>().unwrap() {
                    return body.to_owned();
                }
            }
            let count = self.0.read(&mut buffer).unwrap();
            assert!(count > 0, "closed: {answer}");
            answer.push_str(std::str::from_utf8(&buffer[..count]).unwrap());
        }
    }

    fn is_served(&mut self) -> bool {
        self.get("/") == "hello"
    }
}

fn has_paused(metrics: &str) -> bool {
    let mut series = metrics.lines().filter(|line| line.starts_with("tidegate_accept_pauses_total"));
    series.any(|line| !line.ends_with(" 0"))
}

fn set_limit(tidegate: &Tidegate, files: u64) {
    let pid = Pid::from_raw(tidegate.pid().try_into().unwrap());
    prlimit(pid, Resource::Nofile, Rlimit { current: Some(files), maximum: getrlimit(Resource::Nofile).maximum })
        .unwrap();
}

#[test]
fn takes_all_open_files_that_it_may_have() {
    // What it starts with, as a child of ours.
    let own = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: Some(512), ..own }).unwrap();
    let tidegate = Tidegate::start(&[("class.yaml", CLASS)]);
    let limits = fs::read_to_string(format!("/proc/{}/limits", tidegate.pid())).unwrap();
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files")).unwrap();
    let fields: Vec<&str> = line.split_whitespace().collect();
    assert_eq!(fields[0], fields[1]);
    assert_ne!(fields[0], "512");
}

#[test]
fn serves_on_where_open_files_run_out() {
    let port = backend("hello");
    let files = [
        ("class.yaml", CLASS),
        ("service.yaml", &service("hello", port)),
        ("ingress.yaml", &ingress("hello", "a.example", "hello")),
    ];
    let tidegate = Tidegate::start(&files);
    let mut admin = Client::connect(tidegate.admin);
    assert!(!has_paused(&admin.get("/metrics")));
    let mut held: Vec<Client> = (0..4).map(|_| Client::connect(tidegate.http)).collect();
    assert!(held.iter_mut().all(Client::is_served));
    // No more than those that are open now, but for gaps between their numbers.
    let open = fs::read_dir(format!("/proc/{}/fd", tidegate.pid())).unwrap().count() as u64;
    set_limit(&tidegate, open);
    let mut more: Vec<Client> = (0..50).map(|_| Client::connect(tidegate.http)).collect();
    until("paused", || has_paused(&admin.get("/metrics")));
    for _ in 0..50 {
        assert!(held.iter_mut().all(Client::is_served));
    }
    // When files are to be had again, those that waited get in by themselves.
    set_limit(&tidegate, 10_000);
    assert!(more.iter_mut().all(Client::is_served));
}
