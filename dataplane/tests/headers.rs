//! Which fields reach whom.
#![allow(missing_docs, clippy::unwrap_used)]

mod support;

use snapshot::{Filter, HttpsRedirect};
use support::{Backend, Proxy, World};

async fn forwarded(world: impl Fn(World) -> World, fields: &str) -> support::Received {
    let backend = Backend::named("x").await;
    let proxy = Proxy::start(&world(World::new().route("a.example", "/", &[backend.address]))).await;
    let mut client = proxy.client().await;
    client.send(format!("GET /p%61th?q=%20 HTTP/1.1\r\nHost: A.example:8080\r\n{fields}\r\n")).await;
    assert_eq!(client.answer().await.status, 200);
    backend.requests().pop().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_upstream_learns_who_asks_and_is_not_lied_to() {
    let lies = "X-Forwarded-For: 1.2.3.4\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: evil\r\nX-Forwarded-Port: 1\r\n\
                X-Real-IP: 1.2.3.4\r\nX-Scheme: https\r\nX-Forwarded-Scheme: https\r\nProxy: evil\r\nX_Real_IP: 1.2.3.4\r\n\
                Connection: X-Real-IP, X-Forwarded-For, Host\r\n";
    let request = forwarded(|world| world, lies).await;
    assert!(request.head.starts_with("GET /p%61th?q=%20 HTTP/1.1\r\n"), "{}", request.head);
    assert_eq!(request.header("host"), Some("A.example:8080"));
    for (name, expected) in [
        ("x-real-ip", Some("127.0.0.1")),
        ("x-forwarded-for", Some("127.0.0.1")),
        ("x-forwarded-host", Some("A.example:8080")),
        ("x-forwarded-proto", Some("http")),
        ("x-forwarded-scheme", Some("http")),
        ("x-scheme", Some("http")),
        ("proxy", None),
        ("x_real_ip", None),
        ("connection", None),
    ] {
        assert_eq!(request.header(name), expected, "{name}");
        assert!(request.head.to_lowercase().matches(&format!("\r\n{name}:")).count() <= 1, "{name} twice");
    }
    assert_ne!(request.header("x-forwarded-port"), Some("1"));
    assert_eq!(request.header("x-request-id").unwrap().len(), 32);
}

#[tokio::test(flavor = "multi_thread")]
async fn trusted_proxies_are_believed() {
    let trusting = |world: World| world.options(|http| http.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()]);
    let fields = "X-Forwarded-For: 9.9.9.9, 203.0.113.7, 127.0.0.9\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: outer\r\n\
                  X-Forwarded-Port: 444\r\nX-Request-ID: mine\r\n";
    let request = forwarded(trusting, fields).await;
    for (name, expected) in [
        ("x-real-ip", "203.0.113.7"),
        ("x-forwarded-for", "203.0.113.7"),
        ("x-forwarded-host", "outer"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-port", "444"),
        ("x-request-id", "mine"),
        ("host", "A.example:8080"),
    ] {
        assert_eq!(request.header(name), Some(expected), "{name}");
    }
}

/// As nginx, which sends no empty fields.
#[tokio::test(flavor = "multi_thread")]
async fn of_a_client_that_names_no_host_none_is_told() {
    let backend = Backend::named("x").await;
    let proxy = Proxy::start(&World::new().route("", "/", &[backend.address])).await;
    let mut client = proxy.client().await;
    client.send("GET / HTTP/1.0\r\nX-Forwarded-Host: evil\r\n\r\n").await;
    assert!(client.rest().await.starts_with("HTTP/1.0 200"));
    let request = backend.requests().pop().unwrap();
    assert_eq!(request.header("x-forwarded-host"), None, "{}", request.head);
    assert_eq!(request.header("x-real-ip"), Some("127.0.0.1"));
}

#[tokio::test(flavor = "multi_thread")]
async fn fields_about_the_connection_stay_on_it() {
    let fields = "Connection: close, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\nProxy-Connection: x\r\nTE: trailers, deflate\r\nX-Stays: 1\r\n";
    let request = forwarded(|world| world, fields).await;
    for name in ["x-hop", "keep-alive", "proxy-connection"] {
        assert_eq!(request.header(name), None, "{name}");
    }
    assert_eq!((request.header("te"), request.header("connection")), (Some("trailers"), Some("te")));
    assert_eq!(request.header("x-stays"), Some("1"));
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_lose_what_is_about_the_upstream_connection() {
    let backend = Backend::answering(|_| {
        "HTTP/1.1 200 OK\r\nconnection: keep-alive, x-hop\r\nx-hop: 1\r\nkeep-alive: timeout=5\r\nserver: secret\r\n\
         proxy-connection: x\r\nx-stays: 1\r\ncontent-length: 2\r\ncontent-length: 2\r\n\r\nok"
            .to_owned()
    })
    .await;
    let world = World::new().route("a.example", "/", &[backend.address]);
    let proxy = Proxy::start(&world).await;
    let answer = proxy.client().await.get("a.example", "/").await;
    for name in ["connection", "x-hop", "keep-alive", "server", "proxy-connection", "strict-transport-security"] {
        assert_eq!(answer.header(name), None, "{name}");
    }
    assert_eq!(answer.head.to_lowercase().matches("content-length").count(), 1);
    assert!(answer.header("date").is_some() && answer.header("x-stays").is_some());
    let proxy = Proxy::start(&world.options(|http| http.server_tokens = true)).await;
    assert_eq!(proxy.client().await.get("a.example", "/").await.header("server"), Some("tidegate"));
    assert_eq!(proxy.client().await.get("b.example", "/").await.header("server"), Some("tidegate"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_ends_after_its_last_request() {
    let backend = Backend::named("x").await;
    let world = World::new().route("a.example", "/", &[backend.address]).options(|http| http.keep_alive.requests = 2);
    let proxy = Proxy::start(&world).await;
    let mut client = proxy.client().await;
    assert_eq!(client.get("a.example", "/").await.header("connection"), None);
    assert_eq!(client.get("a.example", "/").await.header("connection"), Some("close"));
    assert_eq!(client.rest().await, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn http_is_sent_to_https() {
    let backend = Backend::named("x").await;
    let world = World::new()
        .route("a.example", "/", &[backend.address])
        .filter(Filter::HttpsRedirect(HttpsRedirect { status: 308, preserve_trailing_slash: false }))
        .options(|http| http.trusted_proxies = vec!["127.0.0.2/32".parse().unwrap()]);
    let proxy = Proxy::start(&world).await;
    let mut client = proxy.client().await;
    client.send("GET /x/?y=/ HTTP/1.1\r\nhost: A.example:80\r\nx-forwarded-proto: https\r\n\r\n").await;
    let answer = client.answer().await;
    assert_eq!((answer.status, answer.header("location")), (308, Some("https://a.example/x?y=/")));
    assert!(backend.requests().is_empty());
    let trusting = world.options(|http| http.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()]);
    let proxy = Proxy::start(&trusting).await;
    let mut client = proxy.client().await;
    client.send("GET / HTTP/1.1\r\nhost: a.example\r\nx-forwarded-proto: https\r\n\r\n").await;
    assert_eq!(client.answer().await.text(), "x");
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_are_logged_and_counted() {
    let backend = Backend::named("hello").await;
    let proxy = Proxy::start(&World::new().route("a.example", "/app", &[backend.address])).await;
    let mut client = proxy.client().await;
    client
        .send("POST /app/x HTTP/1.1\r\nhost: a.example\r\nuser-agent: \"me\r\nreferer: there\r\nx-request-id: id1\r\ncontent-length: 3\r\n\r\nabc")
        .await;
    assert_eq!(client.answer().await.status, 200);
    client.get("other.example", "/none").await;
    let metrics = proxy.metrics();
    let line = |text: &str| metrics.lines().any(|line| text.split(' ').all(|part| line.contains(part)));
    assert!(
        line(
            "nginx_ingress_controller_requests{ host=\"a.example\" path=\"/app\" method=\"POST\" status=\"200\" ingress=\"a.example\" service=\"a-example-app\""
        ),
        "{metrics}"
    );
    assert!(line("nginx_ingress_controller_requests{ host=\"\" status=\"404\""), "{metrics}");
    assert!(line("nginx_ingress_controller_nginx_process_requests_total 2"), "{metrics}");
    assert!(line("nginx_ingress_controller_config_last_reload_successful 1"), "{metrics}");
    let upstream = backend.address;
    let log = proxy.stop().await;
    let line = log.lines().next().unwrap();
    assert!(line.starts_with("127.0.0.1 - - ["), "{line}");
    assert!(line.contains("\"POST /app/x HTTP/1.1\" 200 5 \"there\" \"\\x22me\" "), "{line}");
    assert!(line.contains(&format!("[default-a-example-app-80] [] {upstream} 5 ")), "{line}");
    assert!(line.ends_with(" 200 id1"), "{line}");
    assert!(log.lines().nth(1).unwrap().contains("\"GET /none HTTP/1.1\" 404 "), "{log}");
}
