//! What happens to the API server that everybody follows.

use std::time::{Duration, Instant};

use e2e::chaos::BOUND;
use e2e::client::Target;
use e2e::cluster::Cluster;
use e2e::objects::EchoApp;
use e2e::wait;

use crate::disturb::Outcome;
use crate::stage::{Stage, insist};

/// An app that nobody asks but us: what becomes of it shows whether the cluster works.
const CANARY: &str = "canary";
/// The longest wait between two tries of those who follow the API server, and what they do then.
const CAUGHT_UP: Duration = Duration::from_secs(180);

/// The API server is killed and comes back. Not while Pods come and go, and none may before all others have noticed that
/// it is back: whether traffic still reaches one that leaves is then no longer ours to say.
pub async fn stop(stage: &Stage, ms: u64) -> anyhow::Result<Outcome> {
    let Ok(_api) = stage.api.try_write() else { return Ok(Outcome::LeftOut) };
    let cluster = stage.namespace.cluster();
    stage.note(format!("the API server is killed, for {ms} ms"));
    let blind = stage.model().blind.begin(Instant::now(), BOUND);
    cluster.apiserver(&["stop"]).await?;
    tokio::time::sleep(Duration::from_millis(ms)).await;
    cluster.apiserver(&["start"]).await?;
    insist(|| async { cluster.kubectl(&["get", "--raw", "/readyz"]).await.map(drop) }).await?;
    stage.model().blind.end(blind, Instant::now());
    stage.note("the API server is back");
    caught_up(stage).await?;
    stage.note("the cluster follows it again");
    Ok(Outcome::Happened)
}

/// Replaces a Pod, and waits until it is the one that is behind its Service and answers there. The controllers of
/// Kubernetes and kube-proxy, which are needed for that, wait up to a minute before they try again to follow; until then
/// traffic is sent to Pods that are gone.
async fn caught_up(stage: &Stage) -> anyhow::Result<()> {
    let namespace = &stage.namespace;
    let revision = stage.begun.elapsed().as_millis().to_string();
    namespace.apply(&EchoApp { revision: revision.clone(), ..EchoApp::new(CANARY, 1) }.objects()).await?;
    let selector = format!("app={CANARY},revision={revision}");
    let is_behind = || async {
        let pods = namespace.json(&["get", "pods", "-l", &selector]).await?;
        let Some(pod) = pods["items"][0]["metadata"]["name"].as_str() else { return Ok(None) };
        let listed = namespace.endpoints(CANARY).await?;
        Ok((listed == [(pod.to_owned(), true)]).then(|| pod.to_owned()))
    };
    let (pod, _) = wait::until("a new endpoint of the canary", CAUGHT_UP, is_behind).await?;
    let front = front(namespace.cluster(), namespace.name()).await?;
    let answers = || async { Ok(front.get(CANARY, "/").await?.echo("pod")) };
    wait::until_eq("who answers for the canary", CAUGHT_UP, pod, answers).await?;
    stage.fleet.listed().await
}

/// The canary's address inside of the cluster.
async fn front(cluster: &Cluster, namespace: &str) -> anyhow::Result<Target> {
    let service = cluster.json(&["get", "service", CANARY, "-n", namespace]).await?;
    Ok(Target::new(service["spec"]["clusterIP"].as_str().unwrap_or_default().parse()?))
}
