//! Much data, and long connections.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs;
use std::time::Duration;

use e2e::client::complete;
use e2e::cluster::{Cluster, Namespace};
use e2e::echo::Body;
use e2e::fleet::Fleet;
use e2e::objects::{EchoApp, ingress_for};
use e2e::process::Process;
use e2e::tidegate::Tidegate;
use e2e::wait;
use futures_util::{SinkExt, StreamExt};
use http_body_util::BodyExt;
use hyper::Request;
use hyper::header::HOST;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;

const GIB: u64 = 1 << 30;
const MIB: u64 = 1 << 20;

async fn scene() -> (Namespace, Tidegate, String) {
    let cluster = Cluster::from_env().unwrap();
    let tidegate = Tidegate::find(&cluster).await.unwrap();
    let namespace = cluster.namespace("stream").await.unwrap();
    namespace.apply(&EchoApp::new("app", 1).objects()).await.unwrap();
    let host = format!("app.{}", namespace.name());
    namespace.apply(&[ingress_for("app", &host, "app")]).await.unwrap();
    namespace.endpoints_ready("app", 1).await.unwrap();
    tidegate.serves(&namespace, "app").await.unwrap();
    (namespace, tidegate, host)
}

/// That which has the data go through it.
struct Dataplane(Process);

impl Dataplane {
    async fn find(cluster: &Cluster) -> Self {
        let pod = Fleet::new(cluster).alone().await.unwrap();
        Self(Process::plane_of(&pod.name, "dataplane").unwrap())
    }

    /// Resident memory in bytes: at present (`VmRSS`), or the most so far (`VmHWM`).
    fn memory(&self, field: &str) -> u64 {
        self.0.memory(field).unwrap()
    }

    /// Makes the most so far what it is at present. See proc_pid_clear_refs(5).
    fn forget_peak(&self) {
        fs::write(self.0.folder().join("clear_refs"), "5").unwrap();
    }
}

async fn upload(tidegate: &Tidegate, host: &str, length: u64) -> anyhow::Result<(u16, u64)> {
    let mut connection = tidegate.front.open().await?;
    let request = Request::post("/_echo/count").header(HOST, host).body(Body::zeros(length))?;
    let answer = complete(&mut connection, request).await?;
    let counted: serde_json::Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    Ok((answer.status.as_u16(), counted["bytes"].as_u64().unwrap_or_default()))
}

async fn download(tidegate: &Tidegate, host: &str, length: u64) -> u64 {
    let mut connection = tidegate.front.open().await.unwrap();
    let uri = format!("/_echo/bytes?n={length}");
    let request = Request::get(uri).header(HOST, host).body(Body::empty()).unwrap();
    let mut body = connection.send_request(request).await.unwrap().into_body();
    let mut received = 0;
    while let Some(frame) = body.frame().await {
        received += frame.unwrap().data_ref().map_or(0, |data| data.len() as u64);
    }
    received
}

/// With the limit on bodies lifted, while it runs, a GiB goes either way in a
/// few MiB of memory.
#[tokio::test(flavor = "multi_thread")]
async fn a_gibibyte_up_and_down_takes_no_memory() {
    let (namespace, tidegate, host) = scene().await;
    let host = host.as_str();
    let status = |length| {
        let tidegate = &tidegate;
        async move { Ok(upload(tidegate, host, length).await?.0) }
    };
    assert_eq!(status(2 * MIB).await.unwrap(), 413, "the limit is 1 MiB by default");
    tidegate.set("tidegate-controller", "proxy-body-size", Some("0")).await.unwrap();
    wait::until_eq("no limit", Duration::from_secs(5), 200, || status(2 * MIB)).await.unwrap();

    let process = Dataplane::find(namespace.cluster()).await;
    process.forget_peak();
    let before = process.memory("VmRSS");
    assert_eq!(upload(&tidegate, host, GIB).await.unwrap(), (200, GIB));
    assert_eq!(download(&tidegate, host, GIB).await, GIB);
    let grown = process.memory("VmHWM").saturating_sub(before);
    eprintln!("{} MiB before, at most {} KiB more", before / MIB, grown / 1024);
    assert!(grown < 20 * MIB, "the peak of memory grew by {} KiB", grown / 1024);

    tidegate.set("tidegate-controller", "proxy-body-size", None).await.unwrap();
    wait::until_eq("the limit again", Duration::from_secs(5), 413, || status(2 * MIB)).await.unwrap();
}

/// A change of one Ingress, even of its own, never closes a connection.
#[tokio::test(flavor = "multi_thread")]
async fn a_websocket_outlives_changes() {
    let (namespace, tidegate, host) = scene().await;
    let host = host.as_str();
    let stream = TcpStream::connect((tidegate.front.address, tidegate.front.http_port)).await.unwrap();
    let (mut socket, _) = tokio_tungstenite::client_async(format!("ws://{host}/talk"), stream).await.unwrap();
    let mut talk = async |text: String| {
        socket.send(Message::text(&text)).await.unwrap();
        assert_eq!(socket.next().await.unwrap().unwrap(), Message::text(text));
    };
    talk("before".into()).await;
    for change in 0..25 {
        let other = format!("other-{change}.{}", namespace.name());
        namespace.apply(&[ingress_for("other", &other, "app")]).await.unwrap();
        // Seen to be served, so that the changes are not gathered into fewer.
        tidegate.answers(&other, "/", 200).await.unwrap();
        talk(format!("after {change} changes")).await;
    }
    namespace.kubectl(&["delete", "ingress", "app"]).await.unwrap();
    tidegate.answers(host, "/", 404).await.unwrap();
    talk("after the end of its own Ingress".into()).await;
    socket.close(None).await.unwrap();
}
