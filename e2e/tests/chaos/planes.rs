//! What happens to Tidegate.

use std::time::{Duration, Instant};

use e2e::chaos::SETTLES;
use e2e::fleet::Pod;
use e2e::process::Process;
use e2e::wait;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use crate::disturb::Outcome;
use crate::stage::{CONTROLLER, Stage};

/// Of a Pod, its container.
const DATAPLANE: &str = "dataplane";
/// The kubelet waits ever longer before it starts a container again: after so many kills a Pod's data plane is left alone.
const MOST_KILLS: u64 = 2;
/// The supervisor waits ever longer, too, 3.2 s after so many; and what nobody sees must not take longer than a Pod behind
/// serves on (`LINGERS` in stage.rs).
const MOST_KILLS_OF_CONTROLLER: u64 = 6;
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
pub async fn kill_controller(stage: &Stage, any: usize) -> anyhow::Result<Outcome> {
    let mut able = Process::planes("controller");
    able.retain(|process| stage.kills(&process.pod, CONTROLLER) < MOST_KILLS_OF_CONTROLLER);
    let Some(victim) = one_of(able, any) else { return Ok(Outcome::LeftOut) };
    let blind = stage.model().blind.begin(Instant::now(), SETTLES);
    let killed = count_and_shoot(stage, &victim, CONTROLLER).await;
    if killed.is_some() {
        is_succeeded(stage, &victim).await?;
        stage.note(format!("{} has another controller", victim.pod));
    }
    stage.model().blind.end(blind, Instant::now());
    Ok(killed.map_or(Outcome::LeftOut, |_| Outcome::Happened))
}

/// kill -9 for a data plane. Until its Pod is back, changes are not seen there, and its connections are lost; new ones are
/// until the Service sends them elsewhere.
pub async fn kill_dataplane(stage: &Stage, any: usize) -> anyhow::Result<Outcome> {
    let mut able = Process::planes(DATAPLANE);
    able.retain(|process| stage.kills(&process.pod, DATAPLANE) < MOST_KILLS);
    let Some(victim) = one_of(able, any) else { return Ok(Outcome::LeftOut) };
    let (address, alone) = (victim.address(), is_alone(stage, &victim.pod).await);
    stage.note(format!("{} has the address {address:?}, alone: {alone}", victim.pod));
    let began = Instant::now();
    let blind = stage.model().blind.begin(began, SETTLES);
    let crashed = stage.model().crashed.begin(address, alone, began);
    let killed = count_and_shoot(stage, &victim, DATAPLANE).await;
    let reachable = async {
        if let Some(times) = killed {
            is_reachable(stage, &victim.pod, times).await?;
        }
        stage.model().crashed.end(crashed, Instant::now());
        anyhow::Ok(())
    };
    let back = async {
        if let Some(times) = killed {
            let back = || async { Ok(is_back(stage, &victim.pod, times).await?.then_some(())) };
            wait::until(&format!("a new data plane in {}", victim.pod), RECOVERS, back).await?;
            stage.note(format!("the data plane of {} is back", victim.pod));
        }
        stage.model().blind.end(blind, Instant::now());
        anyhow::Ok(())
    };
    tokio::try_join!(reachable, back)?;
    Ok(killed.map_or(Outcome::LeftOut, |_| Outcome::Happened))
}

/// Whether no other Pod is ready; also where nobody can say.
async fn is_alone(stage: &Stage, pod: &str) -> bool {
    let staying = stage.fleet.staying().await.unwrap_or_default();
    !staying.iter().any(|one| one.ready && one.name != pod)
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

/// Kills a plane, and returns how often that of its Pod was killed by now. None: it has ended already.
async fn count_and_shoot(stage: &Stage, victim: &Process, plane: &'static str) -> Option<u64> {
    let _one_at_a_time = stage.killing.lock().await;
    if !victim.lives() {
        return None;
    }
    // Before it happens: the watchman may see at once what comes of it.
    let times = stage.count_kill(&victim.pod, plane);
    stage.note(format!("kill -9 of the {plane} of {} (pid {}, number {times})", victim.pod, victim.pid));
    let is_killed = shoot(victim).await;
    if !is_killed {
        stage.forget_kill(&victim.pod, plane);
    }
    is_killed.then_some(times)
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

/// Whether a data plane is there again, or its Pod leaves.
async fn is_back(stage: &Stage, pod: &str, times: u64) -> anyhow::Result<bool> {
    let pods = stage.fleet.pods().await?;
    // It may have been killed once more.
    let started = |one: &Pod| one.restarts.iter().any(|(name, count)| name == DATAPLANE && *count >= times);
    Ok(pods.iter().find(|one| one.name == pod).is_none_or(|one| one.leaves || (one.ready && started(one))))
}

/// Waits until new connections come to Pods that serve, and for what every node needs to know it.
async fn is_reachable(stage: &Stage, pod: &str, times: u64) -> anyhow::Result<()> {
    loop {
        let well = || async { Ok(goes_well(stage, pod, times).await?.then_some(())) };
        wait::until(&format!("a Service without the dead {pod}"), RECOVERS, well).await?;
        tokio::time::sleep(KNOWN).await;
        // Whoever took the API server away waits until all others follow it again: before that, they do not know.
        drop(stage.api.read().await);
        // The others may have left meanwhile.
        if goes_well(stage, pod, times).await.unwrap_or(false) {
            stage.note(format!("nobody is sent to the killed data plane of {pod}"));
            return Ok(());
        }
    }
}

/// Whether there are Pods behind the Service, and this one only where it is back.
async fn goes_well(stage: &Stage, pod: &str, times: u64) -> anyhow::Result<bool> {
    let behind = stage.fleet.behind().await?;
    Ok(!behind.is_empty() && (!behind.contains(pod) || is_back(stage, pod, times).await?))
}

/// A Pod leaves where another one is there, as its PodDisruptionBudget would have it.
pub async fn take_away(stage: &Stage, any: usize, how: How) -> anyhow::Result<Outcome> {
    let (Ok(_api), Ok(_pods)) = (stage.api.try_read(), stage.pods.try_lock()) else { return Ok(Outcome::LeftOut) };
    let staying = stage.fleet.staying().await?;
    if staying.len() < 2 || staying.iter().any(|pod| !pod.ready) {
        return Ok(Outcome::LeftOut);
    }
    let pod = &staying[any % staying.len()].name;
    stage.note(format!("{how:?} {pod}"));
    let asked = match how {
        How::Delete => stage.fleet.kubectl(&["delete", "pod", pod, "--wait=false"]).await.map(drop),
        How::Evict => stage.fleet.evict(pod).await,
    };
    if let Err(error) = asked {
        stage.note(format!("{how:?} {pod}: {error:#}"));
        return Ok(Outcome::LeftOut);
    }
    stage.fleet.rolled_out().await?;
    Ok(Outcome::Happened)
}

/// All Pods are replaced, one after the other.
pub async fn restart(stage: &Stage) -> anyhow::Result<Outcome> {
    let (Ok(_api), Ok(_pods)) = (stage.api.try_read(), stage.pods.try_lock()) else { return Ok(Outcome::LeftOut) };
    stage.note("Tidegate is replaced");
    stage.fleet.restart().await?;
    stage.note("Tidegate was replaced");
    Ok(Outcome::Happened)
}

/// There are more Pods, or fewer.
pub async fn scale(stage: &Stage, replicas: usize) -> anyhow::Result<Outcome> {
    let (Ok(_api), Ok(_pods)) = (stage.api.try_read(), stage.pods.try_lock()) else { return Ok(Outcome::LeftOut) };
    stage.note(format!("Tidegate gets {replicas} Pods"));
    stage.fleet.scale(replicas).await?;
    stage.note(format!("Tidegate has {replicas} Pods"));
    Ok(Outcome::Happened)
}

/// Somebody who speaks something else comes to a controller's socket.
pub async fn junk(stage: &Stage, any: usize, bytes: &[u8]) -> anyhow::Result<Outcome> {
    let Some(controller) = one_of(Process::planes("controller"), any) else { return Ok(Outcome::LeftOut) };
    // It may have been killed in this moment.
    let Ok(mut socket) = UnixStream::connect(controller.path(SOCKET)).await else { return Ok(Outcome::LeftOut) };
    stage.note(format!("{} bytes of junk for the controller of {}", bytes.len(), controller.pod));
    if socket.write_all(bytes).await.is_ok() {
        let mut said = Vec::new();
        let listen = socket.read_to_end(&mut said);
        tokio::time::timeout(Duration::from_secs(1), listen).await.ok();
    }
    Ok(Outcome::Happened)
}
