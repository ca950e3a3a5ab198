//! What happens to the apps behind. One Pod of each is ready at all times, so nobody may notice.

use std::time::Duration;

use e2e::cluster::{Namespace, items};
use e2e::process::Process;
use e2e::wait;

use crate::disturb::Outcome;
use crate::stage::{APPS, Stage};

/// As for Tidegate's own Pods: the kubelet waits ever longer.
const MOST_KILLS: u64 = 2;
const RECOVERS: Duration = Duration::from_secs(120);

/// How a Pod ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// kill -9: what it has is lost, and asked of another. It is deleted where it was killed too often.
    Kill,
    /// It is told to leave.
    Delete,
}

/// One of several Pods ends.
pub async fn take_away(stage: &Stage, app: usize, how: How) -> anyhow::Result<Outcome> {
    let (Ok(_api), Ok(_app)) = (stage.api.try_read(), stage.apps[app].try_lock()) else { return Ok(Outcome::LeftOut) };
    let (name, namespace) = (APPS[app], &stage.namespace);
    let mut ready = namespace.endpoints(name).await?;
    ready.retain(|(_, ready)| *ready);
    let [(pod, _), _, ..] = ready.as_slice() else { return Ok(Outcome::LeftOut) };
    let may_be_killed = stage.kills(pod, "echo") < MOST_KILLS;
    if how == How::Kill && may_be_killed {
        let process = Process::echo(pod)?;
        let times = stage.count_kill(pod, "echo");
        stage.note(format!("kill -9 of {pod}"));
        process.kill()?;
        restarted(namespace, pod, times).await?;
    } else {
        stage.note(format!("{pod} is deleted"));
        namespace.kubectl(&["delete", "pod", pod]).await?;
    }
    namespace.endpoints_ready(name, ready.len()).await?;
    Ok(if how == How::Delete || may_be_killed { Outcome::Happened } else { Outcome::LeftOut })
}

async fn restarted(namespace: &Namespace, pod: &str, times: u64) -> anyhow::Result<()> {
    let count = || async {
        let pod = namespace.json(&["get", "pod", pod]).await?;
        Ok(items(&pod["status"]["containerStatuses"]).filter_map(|status| status["restartCount"].as_u64()).sum())
    };
    wait::until_eq(&format!("{pod} started again"), RECOVERS, times, count).await.map(drop)
}

/// All Pods of an app are replaced.
pub async fn restart(stage: &Stage, app: usize) -> anyhow::Result<Outcome> {
    let (Ok(_api), Ok(_app)) = (stage.api.try_read(), stage.apps[app].try_lock()) else { return Ok(Outcome::LeftOut) };
    let deployment = format!("deployment/{}", APPS[app]);
    stage.note(format!("{} is replaced", APPS[app]));
    stage.namespace.kubectl(&["rollout", "restart", &deployment]).await?;
    stage.namespace.kubectl(&["rollout", "status", &deployment, "--timeout=120s"]).await?;
    Ok(Outcome::Happened)
}

/// An app has more Pods, or fewer.
pub async fn scale(stage: &Stage, app: usize, replicas: usize) -> anyhow::Result<Outcome> {
    let (Ok(_api), Ok(_app)) = (stage.api.try_read(), stage.apps[app].try_lock()) else { return Ok(Outcome::LeftOut) };
    stage.note(format!("{} gets {replicas} Pods", APPS[app]));
    let (deployment, count) = (format!("deployment/{}", APPS[app]), format!("--replicas={replicas}"));
    stage.namespace.kubectl(&["scale", &deployment, &count]).await?;
    stage.namespace.endpoints_ready(APPS[app], replicas).await?;
    Ok(Outcome::Happened)
}
