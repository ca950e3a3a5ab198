//! TCP and UDP services, and TLS that is handed on.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use e2e::client::{Headers, Target};
use e2e::cluster::{Cluster, Namespace};
use e2e::objects::{EchoApp, annotated, ingress, service_here};
use e2e::tidegate::{NAMESPACE, Object, Tidegate};
use e2e::wait;
use hyper::Method;
use rustls::ServerConfig;
use rustls::pki_types::PrivatePkcs8KeyDer;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket};
use tokio_rustls::TlsAcceptor;

/// The ports of e2e/values.yaml.
const TCP: u16 = 9000;
const UDP: u16 = 9053;
/// What the chart's values say of them.
const NOWHERE: &str = "nowhere/nobody:80";
const LIMIT: Duration = Duration::from_secs(10);

fn config_map(transport: &str) -> Object {
    let name = format!("tidegate-{transport}");
    Object { kind: "ConfigMap".to_owned(), namespace: NAMESPACE.to_owned(), name }
}

async fn scene(prefix: &str) -> (Namespace, Tidegate) {
    let cluster = Cluster::from_env().unwrap();
    let tidegate = Tidegate::find(&cluster).await.unwrap();
    let namespace = cluster.namespace(prefix).await.unwrap();
    namespace.apply(&EchoApp::new("app", 2).objects()).await.unwrap();
    namespace.endpoints_ready("app", 2).await.unwrap();
    (namespace, tidegate)
}

/// The ConfigMap is the only thing that changes: the port opens, leads to both
/// Pods, and closes, each with a problem where there is one.
#[tokio::test(flavor = "multi_thread")]
async fn a_tcp_port_follows_its_config_map() {
    let (namespace, tidegate) = scene("tcp").await;
    let key = TCP.to_string();
    let set = |value: String| {
        let (tidegate, key) = (&tidegate, &key);
        async move { tidegate.set("tidegate-tcp", key, Some(&value)).await.unwrap() }
    };
    let problem = tidegate.problem(&config_map("tcp"), "Service nowhere/nobody does not exist").await.unwrap();
    assert_eq!((problem.field.as_str(), problem.severity.as_str()), ("data[9000]", "Error"));

    set(format!("{}/app:http", namespace.name())).await;
    let port = Target { http_port: TCP, ..tidegate.front.clone() };
    let status = || async { Ok(port.get("any.example", "/").await?.status.as_u16()) };
    wait::until_eq("an answer by TCP", LIMIT, 200, status).await.unwrap();
    let mut pods = std::collections::BTreeSet::new();
    for _ in 0..20 {
        let answer = port.get("any.example", "/as/it/is").await.unwrap();
        // Nothing of HTTP was looked at on the way.
        assert_eq!((answer.echo("host"), answer.echo("path")), ("any.example".into(), "/as/it/is".into()));
        pods.insert(answer.echo("pod"));
    }
    assert_eq!(pods.len(), 2, "both Pods have their turns");

    set(NOWHERE.to_owned()).await;
    let closed = || async { Ok(port.get("any.example", "/").await.is_err().then_some(())) };
    wait::until("the end of the port", LIMIT, closed).await.unwrap();
}

/// Sends a datagram to Tidegate and returns what came back.
async fn ask(address: IpAddr, text: &str) -> anyhow::Result<String> {
    let any: SocketAddr = if address.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" }.parse()?;
    let socket = UdpSocket::bind(any).await?;
    socket.connect((address, UDP)).await?;
    socket.send(text.as_bytes()).await?;
    let mut buffer = [0; 2048];
    let length = tokio::time::timeout(Duration::from_secs(1), socket.recv(&mut buffer)).await.context("no reply")??;
    Ok(String::from_utf8_lossy(&buffer[..length]).into_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_udp_port_follows_its_config_map() {
    let (namespace, tidegate) = scene("udp").await;
    let address = tidegate.front.address;
    let spec = |selector: &str| {
        json!({
            "apiVersion": "v1", "kind": "Service", "metadata": { "name": "datagrams" },
            "spec": {
                "selector": { "app": selector },
                "ports": [{ "name": "echo", "port": 53, "targetPort": 3000, "protocol": "UDP" }],
            },
        })
    };
    namespace.apply(&[spec("nobody")]).await.unwrap();
    let (key, service) = (UDP.to_string(), format!("{}/datagrams:echo", namespace.name()));
    tidegate.set("tidegate-udp", &key, Some(&service)).await.unwrap();
    // A Service without endpoints is said on the key that names it.
    let problem = tidegate.problem(&config_map("udp"), "has no endpoint").await.unwrap();
    assert_eq!((problem.field.as_str(), problem.severity.as_str()), ("data[9053]", "Warning"));

    namespace.apply(&[spec("app")]).await.unwrap();
    let reply = || async { Ok(ask(address, "hello").await?.ends_with(" hello").then_some(())) };
    wait::until("a reply", LIMIT, reply).await.unwrap();
    let mut pods = std::collections::BTreeSet::new();
    for number in 0..20 {
        let text = format!("datagram {number}");
        let reply = ask(address, &text).await.unwrap();
        let (pod, echo) = reply.split_once(' ').unwrap();
        assert_eq!(echo, text);
        pods.insert(pod.to_owned());
    }
    assert_eq!(pods.len(), 2, "both Pods have their turns");
    tidegate.set("tidegate-udp", &key, Some(NOWHERE)).await.unwrap();
    let closed = || async { Ok(ask(address, "hello").await.is_err().then_some(())) };
    wait::until("the end of the port", LIMIT, closed).await.unwrap();
}

/// A server of TLS in this process, which every node reaches.
async fn tls_backend() -> u16 {
    let key = rcgen::KeyPair::generate().unwrap();
    let cert = rcgen::CertificateParams::new(vec!["backend.test".to_owned()]).unwrap().self_signed(&key).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], PrivatePkcs8KeyDer::from(key.serialize_der()).into())
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("0.0.0.0:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let mut stream = acceptor.accept(stream).await?;
                let mut request = [0; 4096];
                while stream.read(&mut request).await? > 0 {
                    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\nthrough").await?;
                }
                stream.shutdown().await
            });
        }
    });
    port
}

/// On one port, one host's TLS is handed on and another's ends at Tidegate.
#[tokio::test(flavor = "multi_thread")]
async fn tls_is_handed_on_beside_hosts_whose_tls_ends() {
    let (namespace, tidegate) = scene("passthrough").await;
    let port = tls_backend().await;
    let (through, ours) = (format!("through.{}", namespace.name()), format!("ours.{}", namespace.name()));
    let rules = |host: &str, service: &str, port: u16| {
        let backend = json!({ "service": { "name": service, "port": { "number": port } } });
        let path = json!({ "path": "/", "pathType": "Prefix", "backend": backend });
        json!({ "rules": [{ "host": host, "http": { "paths": [path] } }] })
    };
    let node = namespace.cluster().node_address().await.unwrap();
    namespace.apply(&service_here("tls", 443, (&node, port))).await.unwrap();
    namespace
        .apply(&[
            annotated(ingress("through", rules(&through, "tls", 443)), "ssl-passthrough", "true"),
            ingress("ours", rules(&ours, "app", 80)),
        ])
        .await
        .unwrap();
    tidegate.serves(&namespace, "through").await.unwrap();
    tidegate.serves(&namespace, "ours").await.unwrap();
    let https = |host: &str| {
        let (front, uri) = (tidegate.front.clone(), format!("https://{host}/"));
        async move { front.send(Method::GET, &uri, &Headers::new()).await }
    };
    let answer = https(&through).await.unwrap();
    assert_eq!((answer.status.as_u16(), answer.text().as_str()), (200, "through"));
    assert_eq!(answer.leaf.unwrap().dns_names, ["backend.test"], "the backend's own certificate");
    let answer = https(&ours).await.unwrap();
    assert_eq!((answer.status.as_u16(), answer.echo("host")), (200, ours));
    assert_ne!(answer.leaf.unwrap().dns_names, ["backend.test"]);
}
