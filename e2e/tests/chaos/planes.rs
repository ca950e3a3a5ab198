//! What happens to Tidegate, and to the API server that it follows.

use std::time::{Duration, Instant};

use e2e::fleet::Pod;
use e2e::process::Process;
use e2e::wait;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::sync::MutexGuard;

use crate::stage::{Stage, insist};

/// The kubelet waits ever longer before it starts a container again: after so many kills a Pod is left alone.
const MOST_KILLS: u64 = 2;
/// The longest of these waits, and a busy machine.
const RECOVERS: Duration = Duration::from_secs(180);
/// From a Pod that is ready until every node sends it connections again.
const KNOWN: Duration = Duration::from_secs(3);
/// Where the two planes meet.
const SOCKET: &str = "/run/tidegate/link/tidegate.sock";

/// How a Pod is made to leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// By whoever deletes it.
    Delete,
    /// By whoever drains its node.
    Evict,
}

/// kill -9 for one of the processes of a plane. Until its Pod is back, changes are not seen; a data plane's connections
/// are lost. Also without its controller a Pod is not ready for Kubernetes, and gets no new connections: where no other one
/// is there for sure, there may be nobody to connect to.
pub async fn kill(stage: &Stage, plane: &str, any: usize) -> anyhow::Result<()> {
    let mut able = Process::planes(plane);
    able.retain(|process| stage.kills(&process.pod, plane) < MOST_KILLS);
    if able.is_empty() {
        return Ok(());
    }
    let victim = able.swap_remove(any % able.len());
    let others_stay = if plane == "controller" { others_stay(stage, &victim.pod).await } else { None };
    let began = Instant::now();
    let blind = stage.model().blind.begin(began);
    let crashed = others_stay.is_none().then(|| stage.model().crashed.begin(began));
    if let Some(times) = shoot(stage, plane, &victim).await {
        is_back(stage, &victim.pod, (plane, times)).await?;
        tokio::time::sleep(KNOWN).await;
        stage.note(format!("the {plane} of {} is back", victim.pod));
    }
    let (now, mut model) = (Instant::now(), stage.model());
    model.blind.end(blind, now);
    if let Some(crashed) = crashed {
        model.crashed.end(crashed, now);
    }
    Ok(())
}

/// Whether another Pod is ready, which is so for as long as what is returned is held.
async fn others_stay<'a>(stage: &'a Stage, pod: &str) -> Option<MutexGuard<'a, ()>> {
    let pods = stage.pods.try_lock().ok()?;
    let staying = stage.fleet.staying().await.ok()?;
    staying.iter().any(|one| one.ready && one.name != pod).then_some(pods)
}

/// Kills it, and returns how often its container was killed by now. None: it has ended already.
async fn shoot(stage: &Stage, plane: &str, victim: &Process) -> Option<u64> {
    let _one_at_a_time = stage.killing.lock().await;
    let lives = || Process::planes(plane).iter().any(|process| process.pid == victim.pid);
    if !lives() {
        return None;
    }
    let times = stage.count_kill(&victim.pod, plane);
    stage.note(format!("kill -9 of the {plane} of {} (pid {}, number {times})", victim.pod, victim.pid));
    // One that ended in this moment had been told to leave: nobody starts it again.
    victim.kill().ok()?;
    while lives() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Some(times)
}

/// Waits until a container is there again, or its Pod leaves.
async fn is_back(stage: &Stage, pod: &str, (container, times): (&str, u64)) -> anyhow::Result<()> {
    let back = || async {
        let pods = stage.fleet.pods().await?;
        // It may have been killed once more.
        let started = |one: &Pod| one.restarts.iter().any(|(name, count)| name == container && *count >= times);
        let is_back = |one: &Pod| one.leaves || (one.ready && started(one));
        Ok(pods.iter().find(|one| one.name == pod).is_none_or(is_back).then_some(()))
    };
    wait::until(&format!("a new {container} in {pod}"), RECOVERS, back).await.map(drop)
}

/// A Pod leaves where another one is there, as its PodDisruptionBudget would have it.
pub async fn take_away(stage: &Stage, any: usize, how: How) -> anyhow::Result<()> {
    let (Ok(_api), Ok(_pods)) = (stage.api.try_read(), stage.pods.try_lock()) else { return Ok(()) };
    let staying = stage.fleet.staying().await?;
    if staying.len() < 2 || staying.iter().any(|pod| !pod.ready) {
        return Ok(());
    }
    let pod = &staying[any % staying.len()].name;
    stage.note(format!("{how:?} {pod}"));
    let asked = match how {
        How::Delete => stage.fleet.kubectl(&["delete", "pod", pod, "--wait=false"]).await.map(drop),
        How::Evict => stage.fleet.evict(pod).await,
    };
    if let Err(error) = asked {
        stage.note(format!("{how:?} {pod}: {error:#}"));
    }
    stage.fleet.rolled_out().await
}

/// All Pods are replaced, one after the other.
pub async fn restart(stage: &Stage) -> anyhow::Result<()> {
    let (Ok(_api), Ok(_pods)) = (stage.api.try_read(), stage.pods.try_lock()) else { return Ok(()) };
    stage.note("Tidegate is replaced");
    stage.fleet.restart().await?;
    stage.note("Tidegate was replaced");
    Ok(())
}

/// There are more Pods, or fewer.
pub async fn scale(stage: &Stage, replicas: usize) -> anyhow::Result<()> {
    let (Ok(_api), Ok(_pods)) = (stage.api.try_read(), stage.pods.try_lock()) else { return Ok(()) };
    stage.note(format!("Tidegate gets {replicas} Pods"));
    stage.fleet.scale(replicas).await?;
    stage.note(format!("Tidegate has {replicas} Pods"));
    Ok(())
}

/// The API server is killed and comes back. Not while Pods come and go: whether traffic still reaches one that leaves
/// is then no longer ours to say.
pub async fn stop_api(stage: &Stage, ms: u64) -> anyhow::Result<()> {
    let Ok(_api) = stage.api.try_write() else { return Ok(()) };
    let cluster = stage.namespace.cluster();
    stage.note(format!("the API server is killed, for {ms} ms"));
    let blind = stage.model().blind.begin(Instant::now());
    cluster.apiserver(&["stop"]).await?;
    tokio::time::sleep(Duration::from_millis(ms)).await;
    cluster.apiserver(&["start"]).await?;
    insist(|| async { cluster.kubectl(&["get", "--raw", "/readyz"]).await.map(drop) }).await?;
    stage.model().blind.end(blind, Instant::now());
    stage.note("the API server is back");
    Ok(())
}

/// Somebody who speaks something else comes to a controller's socket.
pub async fn junk(stage: &Stage, any: usize, bytes: &[u8]) -> anyhow::Result<()> {
    let controllers = Process::planes("controller");
    let Some(controller) = controllers.get(any.checked_rem(controllers.len()).unwrap_or_default()) else {
        return Ok(());
    };
    // It may have been killed in this moment.
    let Ok(mut socket) = UnixStream::connect(controller.path(SOCKET)).await else { return Ok(()) };
    stage.note(format!("{} bytes of junk for the controller of {}", bytes.len(), controller.pod));
    if socket.write_all(bytes).await.is_ok() {
        let mut said = Vec::new();
        let listen = socket.read_to_end(&mut said);
        tokio::time::timeout(Duration::from_secs(1), listen).await.ok();
    }
    Ok(())
}
