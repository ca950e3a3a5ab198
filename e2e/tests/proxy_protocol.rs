//! The PROXY protocol: from a load balancer in front of us, and to backends that want to know for whom we connect.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::net::IpAddr;
use std::time::Duration;

use anyhow::{Context, ensure};
use e2e::cluster::{Cluster, Namespace};
use e2e::objects::{EchoApp, ingress_for, service_here};
use e2e::tidegate::Tidegate;
use e2e::wait;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

/// The port of e2e/values.yaml, and what that says of it.
const PORT: u16 = 9000;
const NOWHERE: &str = "nowhere/nobody:80";
/// A client behind a load balancer, which is nobody here.
const CLIENT: &str = "203.0.113.7";
const HEADER: &str = "PROXY TCP4 203.0.113.7 203.0.113.80 5000 9000\r\n";
const LIMIT: Duration = Duration::from_secs(10);

async fn scene(prefix: &str) -> (Namespace, Tidegate) {
    let cluster = Cluster::from_env().unwrap();
    let tidegate = Tidegate::find(&cluster).await.unwrap();
    (cluster.namespace(prefix).await.unwrap(), tidegate)
}

/// Sends a text on a connection of its own, says that no more comes, and returns all that comes back.
async fn ask(address: IpAddr, port: u16, text: &str) -> anyhow::Result<String> {
    converse(address, port, text, true).await
}

/// The same over HTTP, where a client that says so has gone away.
async fn ask_http(address: IpAddr, text: &str) -> anyhow::Result<String> {
    converse(address, 80, text, false).await
}

async fn converse(address: IpAddr, port: u16, text: &str, end: bool) -> anyhow::Result<String> {
    let exchange = async {
        let mut stream = TcpStream::connect((address, port)).await?;
        stream.write_all(text.as_bytes()).await?;
        if end {
            stream.shutdown().await?;
        }
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await?;
        anyhow::Ok(String::from_utf8(answer)?)
    };
    timeout(LIMIT, exchange).await.context("no end")?
}

/// Sends each connection back what it sent. Lives until the process ends.
async fn mirror() -> u16 {
    let listener = TcpListener::bind("0.0.0.0:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut all = Vec::new();
                stream.read_to_end(&mut all).await?;
                stream.write_all(&all).await?;
                stream.shutdown().await
            });
        }
    });
    port
}

/// `:PROXY` in, out, and both.
#[tokio::test(flavor = "multi_thread")]
async fn a_tcp_service_takes_the_header_and_passes_it_on() {
    let (namespace, tidegate) = scene("proxy-tcp").await;
    let node = namespace.cluster().node_address().await.unwrap();
    namespace.apply(&service_here("mirror", 9000, (&node, mirror().await))).await.unwrap();
    let front = tidegate.front.address;
    let set = |suffix: &str| {
        let service = format!("{}/mirror:9000{suffix}", namespace.name());
        let tidegate = &tidegate;
        async move { tidegate.set("tidegate-tcp", &PORT.to_string(), Some(&service)).await.unwrap() }
    };
    let becomes = |text: &'static str, answer: &'static str| {
        let comes =
            move || async move { Ok(ask(front, PORT, text).await.is_ok_and(|got| got == answer).then_some(())) };
        async move { wait::until(&format!("{answer:?} for {text:?}"), LIMIT, comes).await.unwrap() }
    };
    let with_header = "PROXY TCP4 203.0.113.7 203.0.113.80 5000 9000\r\nhello";

    // Whoever wants none gets it as it is.
    set("").await;
    becomes(with_header, with_header).await;
    // It is taken away: the backend sees what follows.
    set(":PROXY").await;
    becomes(with_header, "hello").await;
    // Whoever comes without one is not let in.
    assert!(ask(front, PORT, "hello").await.map_or(true, |answer| answer.is_empty()));
    // The backend is told of the client that the header names.
    set(":PROXY:PROXY").await;
    becomes(with_header, with_header).await;
    assert!(ask(front, PORT, "hello").await.map_or(true, |answer| answer.is_empty()));
    // Without one it is told of who connects to us.
    set("::PROXY").await;
    let told = || async {
        let answer = ask(front, PORT, "hello").await.unwrap_or_default();
        Ok((answer.starts_with("PROXY TCP4 ") && answer.ends_with("\r\nhello")).then_some(answer))
    };
    let (answer, _) = wait::until("a header of our own", LIMIT, told).await.unwrap();
    assert!(!answer.contains(CLIENT), "{answer}");
    tidegate.set("tidegate-tcp", &PORT.to_string(), Some(NOWHERE)).await.unwrap();
}

/// What holds while `use-proxy-protocol` is on.
async fn behind_a_load_balancer(tidegate: &Tidegate, host: &str) -> anyhow::Result<()> {
    let request = format!("GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    let proxied = format!("{HEADER}{request}");
    let named = || async {
        let answer = ask_http(tidegate.front.address, &proxied).await.unwrap_or_default();
        Ok((answer.starts_with("HTTP/1.1 200 ") && answer.contains(CLIENT)).then_some(()))
    };
    wait::until("an answer for the client that the header names", LIMIT, named).await?;
    let bare = ask_http(tidegate.front.address, &request).await;
    ensure!(!bare.as_ref().is_ok_and(|answer| answer.contains(" 200 ")), "without a header: {bare:?}");
    Ok(())
}

/// For all of http and https, while the ConfigMap says so; whatever comes of it, it is off again in the end.
#[tokio::test(flavor = "multi_thread")]
async fn all_connections_begin_with_a_header_where_that_is_asked_for() {
    let (namespace, tidegate) = scene("proxy-http").await;
    let host = format!("app.{}", namespace.name());
    namespace.apply(&EchoApp::new("app", 1).objects()).await.unwrap();
    namespace.endpoints_ready("app", 1).await.unwrap();
    namespace.apply(&[ingress_for("app", &host, "app")]).await.unwrap();
    tidegate.answers(&host, "/", 200).await.unwrap();
    tidegate.set("tidegate-controller", "use-proxy-protocol", Some("true")).await.unwrap();
    let outcome = behind_a_load_balancer(&tidegate, &host).await;
    tidegate.set("tidegate-controller", "use-proxy-protocol", None).await.unwrap();
    let again = || async { Ok(tidegate.front.get(&host, "/").await.is_ok().then_some(())) };
    wait::until("an answer without a header", LIMIT, again).await.unwrap();
    outcome.unwrap();
}
