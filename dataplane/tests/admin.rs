//! The admin port as probes and Prometheus use it.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use dataplane::admin::{Pages, serve};
use prometheus::{IntCounter, IntCounterVec, Opts, Registry};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::oneshot,
};

struct Server {
    address: std::net::SocketAddr,
    stop: oneshot::Sender<()>,
    task: tokio::task::JoinHandle<()>,
}

async fn start(pages: Pages) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let task = tokio::spawn(serve(listener, pages, async { drop(stopped.await) }));
    Server { address, stop, task }
}

impl Server {
    async fn ask(&self, line: &str) -> String {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let request = format!("{line} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }
}

#[tokio::test]
async fn readiness_names_what_is_missing() {
    let ready = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&ready);
    let missing = move || if seen.load(Ordering::Relaxed) { vec![] } else { vec!["no snapshot yet".to_owned()] };
    let pages = Pages::new().ready_when(missing).ready_when(|| vec!["draining".to_owned()]);
    let server = start(pages).await;
    let answer = server.ask("GET /readyz").await;
    assert!(answer.starts_with("HTTP/1.1 503 ") && answer.ends_with("\r\n\r\nno snapshot yet\ndraining\n"), "{answer}");
    ready.store(true, Ordering::Relaxed);
    assert!(server.ask("GET /readyz").await.ends_with("\r\n\r\ndraining\n"));
    assert!(server.ask("GET /healthz").await.starts_with("HTTP/1.1 200 "));
}

#[tokio::test]
async fn what_only_a_restart_helps_against_fails_the_liveness_probe() {
    let server = start(Pages::new().healthy_when(|| vec!["it hangs".to_owned()])).await;
    let answer = server.ask("GET /healthz").await;
    assert!(answer.starts_with("HTTP/1.1 503 ") && answer.ends_with("\r\n\r\nit hangs\n"), "{answer}");
    assert!(server.ask("GET /readyz").await.starts_with("HTTP/1.1 200 "));
}

#[tokio::test]
async fn ready_where_nothing_is_missing() {
    let server = start(Pages::new().ready_when(Vec::new)).await;
    assert!(server.ask("GET /readyz?verbose").await.starts_with("HTTP/1.1 200 "));
}

#[tokio::test]
async fn metrics_of_several_registries_are_one_text() {
    let registries = [Registry::new(), Registry::new()];
    for (registry, name) in registries.iter().zip(["one_total", "other_total"]) {
        registry.register(Box::new(IntCounter::new(name, "help").unwrap())).unwrap();
        let both = prometheus::Opts::new("both_total", "help").const_label("of", name);
        registry.register(Box::new(IntCounter::with_opts(both).unwrap())).unwrap();
    }
    let [one, other] = registries;
    let server = start(Pages::new().metrics(one).metrics(other)).await;
    let answer = server.ask("GET /metrics").await;
    assert!(answer.contains("content-type: text/plain; version=0.0.4\r\n"), "{answer}");
    for line in ["one_total 0", "other_total 0", "both_total{of=\"one_total\"} 0", "both_total{of=\"other_total\"} 0"] {
        assert!(answer.lines().any(|l| l == line), "no {line} in {answer}");
    }
    assert_eq!(answer.matches("# TYPE both_total counter").count(), 1);
}

#[tokio::test]
async fn further_pages_are_served() {
    let server = start(Pages::new().page("/snapshot", "application/json", || "{}".into())).await;
    let answer = server.ask("GET /snapshot").await;
    assert!(answer.contains("content-type: application/json\r\n") && answer.ends_with("\r\n\r\n{}"), "{answer}");
    let answer = server.ask("HEAD /snapshot").await;
    assert!(answer.contains("content-length: 2\r\n") && answer.ends_with("\r\n\r\n"), "{answer}");
}

#[tokio::test]
async fn other_paths_and_methods_are_refused() {
    let server = start(Pages::new()).await;
    assert!(server.ask("GET /").await.starts_with("HTTP/1.1 404 "));
    let answer = server.ask("POST /healthz").await;
    assert!(answer.starts_with("HTTP/1.1 405 ") && answer.contains("allow: GET, HEAD\r\n"), "{answer}");
}

#[tokio::test]
async fn a_page_that_panics_leaves_the_others() {
    let server = start(Pages::new().page("/bad", "text/plain", || panic!("on purpose"))).await;
    assert!(server.ask("GET /bad").await.starts_with("HTTP/1.1 500 "));
    assert!(server.ask("GET /healthz").await.starts_with("HTTP/1.1 200 "));
}

#[tokio::test]
async fn connections_that_say_nothing_do_not_keep_it_from_stopping() {
    let server = start(Pages::new()).await;
    let mut silent = TcpStream::connect(server.address).await.unwrap();
    assert!(server.ask("GET /healthz").await.starts_with("HTTP/1.1 200 "));
    server.stop.send(()).unwrap();
    server.task.await.unwrap();
    // Closed or reset: either way it has ended.
    assert!(matches!(silent.read(&mut [0; 1]).await, Ok(0) | Err(_)));
}

/// Opens connections that ask for `path`, if any, and read nothing.
async fn hold(server: &Server, connections: usize, path: Option<&str>) -> Vec<TcpStream> {
    let mut held = Vec::new();
    for _ in 0..connections {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        if let Some(path) = path {
            stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes()).await.unwrap();
        }
        held.push(stream);
    }
    held
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_are_held_keep_no_probe_out() {
    let server = start(Pages::new().page("/snapshot", "application/json", || "x".repeat(32 << 20))).await;
    for path in [None, Some("/snapshot"), Some("/healthz")] {
        let held = hold(&server, 200, path).await;
        let asked = Instant::now();
        for page in ["/healthz", "/readyz", "/metrics"] {
            assert!(server.ask(&format!("GET {page}")).await.starts_with("HTTP/1.1 200 "));
        }
        // Those that are held end after ten seconds at the earliest.
        assert!(asked.elapsed() < Duration::from_secs(9), "{:?} with {path:?}", asked.elapsed());
        drop(held);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_page_is_there_once() {
    let made = Arc::<AtomicUsize>::default();
    let count = Arc::clone(&made);
    let page = move || {
        count.fetch_add(1, Ordering::SeqCst);
        "x".repeat(32 << 20)
    };
    let server = start(Pages::new().page("/snapshot", "application/json", page)).await;
    let first = hold(&server, 1, Some("/snapshot")).await;
    first[0].readable().await.unwrap();
    let answer = server.ask("GET /snapshot").await;
    assert!(
        answer.starts_with("HTTP/1.1 503 ") && answer.ends_with("somebody else is reading this page\n"),
        "{answer}"
    );
    assert_eq!(made.load(Ordering::SeqCst), 1);
    // Who is only a little later waits for its turn.
    let asking = server.ask("GET /snapshot");
    let leaving = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        drop(first);
    };
    let (answer, ()) = tokio::join!(asking, leaving);
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.len() > 32 << 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_reads_metrics_slowly_keeps_them_from_nobody() {
    let registry = Registry::new();
    let large = IntCounterVec::new(Opts::new("large", "too large to be in a socket's buffers"), &["value"]).unwrap();
    (0..1024).for_each(|row| large.with_label_values(&[format!("{row}{}", "x".repeat(32 << 10))]).inc());
    registry.register(Box::new(large)).unwrap();
    let server = start(Pages::new().metrics(registry)).await;
    let held = hold(&server, 3, Some("/metrics")).await;
    for stream in &held {
        stream.readable().await.unwrap();
    }
    assert!(server.ask("GET /metrics").await.starts_with("HTTP/1.1 200 "));
    let one_more = hold(&server, 1, Some("/metrics")).await;
    one_more[0].readable().await.unwrap();
    assert!(server.ask("GET /metrics").await.starts_with("HTTP/1.1 503 "));
    assert!(server.ask("POST /metrics").await.starts_with("HTTP/1.1 405 "));
}
