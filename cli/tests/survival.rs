//! Attacks that need no more than a socket, each for `SURVIVAL_SECONDS` (2; `make survival` takes 60): meanwhile
//! everybody else is served, and afterwards nothing is left of them, neither connections nor memory.
#![allow(missing_docs, clippy::unwrap_used)]

mod support;

use std::{
    fs,
    io::{self, BufRead, BufReader, Read, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
    sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    thread,
    time::{Duration, Instant},
};

use support::{CLASS, Tidegate, command, free_ports, get, ingress, service, terminate, until};

/// The body of `/large`: more than sockets take by themselves.
const LARGE: usize = 32 << 20;

/// What may be left of an attack, KiB: an allocator keeps some of what it has once had.
const REST: u64 = 24 << 10;

const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n";
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const CONTINUATION: u8 = 9;

fn duration() -> Duration {
    let seconds = std::env::var("SURVIVAL_SECONDS").ok().and_then(|text| text.parse().ok());
    Duration::from_secs(seconds.unwrap_or(2))
}

/// A backend that knows a small answer and a large one.
fn backend() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || answer(stream));
        }
    });
    port
}

fn answer(mut stream: TcpStream) -> io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let (mut line, mut length) = (String::new(), 2);
    while reader.read_line(&mut line)? > 0 {
        if line.starts_with("GET /large") {
            length = LARGE;
        }
        if line == "\r\n" {
            write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n")?;
            stream.write_all(&vec![b'x'; length])?;
            length = 2;
        }
        line.clear();
    }
    Ok(())
}

/// Runs as many attackers as `crowd` has, each again and again as soon as it is thrown out.
fn survives(crowd: usize, attack: impl Fn(TcpStream, &AtomicBool) -> io::Result<()> + Sync) {
    let files = [
        ("class.yaml", CLASS),
        ("service.yaml", &service("hello", backend())),
        ("ingress.yaml", &ingress("hello", "a.example", "hello")),
    ];
    let tidegate = Tidegate::start(&files);
    let (stop, served, attacks) = (AtomicBool::new(false), AtomicUsize::new(0), AtomicUsize::new(0));
    (0..100).for_each(|_| assert_eq!(tidegate.get("a.example", "/").0, 200));
    let before = tidegate.resident();
    thread::scope(|scope| {
        let attacker = || {
            while !stop.load(SeqCst) {
                let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, tidegate.http)).unwrap();
                stream.set_write_timeout(Some(Duration::from_millis(500))).unwrap();
                attacks.fetch_add(1, SeqCst);
                // How it is thrown out is no matter.
                let _ = attack(stream, &stop);
            }
        };
        let attackers: Vec<_> = (0..crowd).map(|_| scope.spawn(attacker)).collect();
        let end = Instant::now() + duration();
        while Instant::now() < end {
            assert_eq!(tidegate.get("a.example", "/").0, 200);
            served.fetch_add(1, SeqCst);
        }
        stop.store(true, SeqCst);
        attackers.into_iter().for_each(|attacker| attacker.join().unwrap());
    });
    assert!(attacks.load(SeqCst) >= crowd && served.load(SeqCst) > 0);
    let active = "nginx_ingress_controller_nginx_process_connections{";
    until("without connections", || tidegate.metric(active) == 0.0);
    until(&format!("back at {before} KiB"), || tidegate.resident() <= before + REST);
}

/// Sends one byte of `bytes` after the other, slowly, and the last one never.
fn drip(mut stream: TcpStream, begin: &[u8], stop: &AtomicBool) -> io::Result<()> {
    stream.write_all(begin)?;
    while !stop.load(SeqCst) {
        thread::sleep(Duration::from_millis(50));
        stream.write_all(b"x")?;
    }
    Ok(())
}

/// Sends `bytes` until the other side has had enough.
fn repeat(mut stream: TcpStream, mut bytes: impl FnMut() -> Vec<u8>, stop: &AtomicBool) -> io::Result<()> {
    while !stop.load(SeqCst) {
        stream.write_all(&bytes())?;
    }
    Ok(())
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = u32::try_from(payload.len()).unwrap().to_be_bytes()[1..].to_vec();
    bytes.extend([kind, flags]);
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}

/// GET / of a.example in HPACK: three fields of the static table and a literal one.
fn head() -> Vec<u8> {
    let mut block = vec![0x82, 0x86, 0x84, 0x01, 9];
    block.extend(b"a.example");
    block
}

#[test]
fn slowloris() {
    survives(100, |stream, stop| drip(stream, b"GET / HTTP/1.1\r\nHost: a.example\r\nX: ", stop));
}

#[test]
fn slow_body() {
    let begin = b"POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 1000000\r\n\r\n";
    survives(100, |stream, stop| drip(stream, begin, stop));
}

#[test]
fn slow_read() {
    survives(50, |mut stream, stop| {
        stream.write_all(b"GET /large HTTP/1.1\r\nHost: a.example\r\n\r\n")?;
        while !stop.load(SeqCst) {
            thread::sleep(Duration::from_millis(50));
            stream.read_exact(&mut [0; 10])?;
        }
        Ok(())
    });
}

/// Requests of the streams from `first` on, each taken back at once.
fn resets(first: u32, count: usize) -> Vec<u8> {
    let pair = |s| [frame(HEADERS, 5, s, &head()), frame(RST_STREAM, 0, s, &[0, 0, 0, 8])].concat();
    (first..).step_by(2).take(count).flat_map(pair).collect()
}

#[test]
fn rapid_reset() {
    survives(10, |mut stream, stop| {
        stream.write_all(PREFACE)?;
        let mut first = 1;
        let burst = || {
            first += 200;
            resets(first - 200, 100)
        };
        repeat(stream, burst, stop)
    });
}

#[test]
fn a_flood_does_not_fill_the_log() {
    let (folder, logs, ports) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), free_ports());
    fs::write(folder.path().join("class.yaml"), CLASS).unwrap();
    let log = logs.path().join("log");
    let mut tidegate = command(folder.path(), ports).stderr(fs::File::create(&log).unwrap()).spawn().unwrap();
    until("ready", || get(ports[2], "localhost", "/readyz").0 == 200);
    for _ in 0..50 {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, ports[0])).unwrap();
        stream.write_all(&[PREFACE, &resets(1, 100)].concat()).unwrap();
        // To its end, however it ends.
        let _ = stream.read_to_end(&mut Vec::new());
    }
    terminate(&tidegate);
    tidegate.wait().unwrap();
    let log = fs::read_to_string(log).unwrap();
    assert!(log.lines().count() < 30, "{log}");
}

#[test]
fn continuations_without_end() {
    survives(10, |mut stream, stop| {
        stream.write_all(PREFACE)?;
        stream.write_all(&frame(HEADERS, 1, 1, &head()))?;
        let more = frame(CONTINUATION, 0, 1, b"\0\x01x\x01y").repeat(100);
        repeat(stream, || more.clone(), stop)
    });
}

#[test]
fn pings_and_settings_without_end() {
    survives(10, |mut stream, stop| {
        stream.write_all(PREFACE)?;
        let frames = [frame(PING, 0, 0, &[0; 8]), frame(SETTINGS, 0, 0, &[])].concat().repeat(100);
        repeat(stream, || frames.clone(), stop)
    });
}

/// A field of 3,900 bytes that is put into the dynamic table once and named 4,000 times in each request.
#[test]
fn hpack_bombs() {
    let mut field = vec![0x40, 1, b'x', 0x7f];
    field.extend([0xbd, 0x1d]);
    field.extend([b'y'; 3900]);
    let bomb = [head(), field, vec![0x80 | 62; 4000]].concat();
    survives(10, |mut stream, stop| {
        stream.write_all(PREFACE)?;
        let mut next = 1;
        let burst = || {
            next += 2;
            frame(HEADERS, 5, next - 2, &bomb)
        };
        repeat(stream, burst, stop)
    });
}

#[test]
fn connections_that_come_and_go() {
    survives(10, |mut stream, _| stream.write_all(GET));
}
