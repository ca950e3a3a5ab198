//! What happens to Tidegate.

use std::time::{Duration, Instant};

use e2e::fleet::Pod;
use e2e::process::Process;
use e2e::wait;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use crate::stage::Stage;

/// Of a Pod, its container.
const DATAPLANE: &str = "dataplane";
/// The kubelet waits ever longer before it starts a container again: after so many kills a Pod's data plane is left alone.
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

/// kill -9 for a controller. Until the next one is there, changes are not seen; nobody notices anything else, since its
/// container goes on.
pub async fn kill_controller(stage: &Stage, any: usize) -> anyhow::Result<()> {
    let Some(victim) = one_of(Process::planes("controller"), any) else { return Ok(()) };
    let blind = stage.model().blind.begin(Instant::now());
    stage.note(format!("kill -9 of the controller of {} (pid {})", victim.pod, victim.pid));
    if shoot(&victim).await {
        is_succeeded(stage, &victim).await?;
        stage.note(format!("{} has another controller", victim.pod));
    }
    stage.model().blind.end(blind, Instant::now());
    Ok(())
}

/// kill -9 for a data plane. Until its Pod is back, changes are not seen, and its connections are lost.
pub async fn kill_dataplane(stage: &Stage, any: usize) -> anyhow::Result<()> {
    let mut able = Process::planes(DATAPLANE);
    able.retain(|process| stage.kills(&process.pod, DATAPLANE) < MOST_KILLS);
    let Some(victim) = one_of(able, any) else { return Ok(()) };
    let began = Instant::now();
    let blind = stage.model().blind.begin(began);
    let crashed = stage.model().crashed.begin(began);
    if let Some(times) = count_and_shoot(stage, &victim).await {
        is_back(stage, &victim.pod, times).await?;
        // Whoever took the API server away waits until all others follow it again: before that, they do not know.
        drop(stage.api.read().await);
        stage.fleet.listed().await?;
        tokio::time::sleep(KNOWN).await;
        stage.note(format!("the data plane of {} is back", victim.pod));
    }
    let (now, mut model) = (Instant::now(), stage.model());
    model.blind.end(blind, now);
    model.crashed.end(crashed, now);
    Ok(())
}

fn one_of(mut processes: Vec<Process>, any: usize) -> Option<Process> {
    let index = any.checked_rem(processes.len())?;
    Some(processes.swap_remove(index))
}

/// Kills it. One that has ended already had been told to leave: nobody starts it again.
async fn shoot(victim: &Process) -> bool {
    let is_killed = victim.lives() && victim.kill().is_ok();
    while victim.lives() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    is_killed
}

/// Kills a data plane, and returns how often its container was killed by now. None: it has ended already.
async fn count_and_shoot(stage: &Stage, victim: &Process) -> Option<u64> {
    let _one_at_a_time = stage.killing.lock().await;
    if !victim.lives() {
        return None;
    }
    let times = stage.count_kill(&victim.pod, DATAPLANE);
    stage.note(format!("kill -9 of the data plane of {} (pid {}, number {times})", victim.pod, victim.pid));
    shoot(victim).await.then_some(times)
}

/// Waits until a Pod has another controller, or leaves.
async fn is_succeeded(stage: &Stage, victim: &Process) -> anyhow::Result<()> {
    let succeeded = || async {
        if victim.successor().is_some() {
            return Ok(Some(()));
        }
        let pods = stage.fleet.pods().await?;
        Ok(pods.iter().find(|one| one.name == victim.pod).is_none_or(|one| one.leaves).then_some(()))
    };
    wait::until(&format!("another controller in {}", victim.pod), RECOVERS, succeeded).await.map(drop)
}

/// Waits until a data plane is there again, or its Pod leaves.
async fn is_back(stage: &Stage, pod: &str, times: u64) -> anyhow::Result<()> {
    let back = || async {
        let pods = stage.fleet.pods().await?;
        // It may have been killed once more.
        let started = |one: &Pod| one.restarts.iter().any(|(name, count)| name == DATAPLANE && *count >= times);
        let is_back = |one: &Pod| one.leaves || (one.ready && started(one));
        Ok(pods.iter().find(|one| one.name == pod).is_none_or(is_back).then_some(()))
    };
    wait::until(&format!("a new data plane in {pod}"), RECOVERS, back).await.map(drop)
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

/// Somebody who speaks something else comes to a controller's socket.
pub async fn junk(stage: &Stage, any: usize, bytes: &[u8]) -> anyhow::Result<()> {
    let Some(controller) = one_of(Process::planes("controller"), any) else { return Ok(()) };
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
